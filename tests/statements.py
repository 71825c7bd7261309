"""Gathers what a house asks of its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from gatekeeper.services.ports import House


@contextmanager
def counted(house: House) -> Iterator[list[str]]:
    """Gather the statements of a block."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(house.db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(house.db.engine, "before_cursor_execute", note)
