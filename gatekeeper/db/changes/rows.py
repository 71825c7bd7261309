"""What the modules of `changes` share: sealed columns, contents, and writing one row or none."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from gatekeeper.db import tables as t
from gatekeeper.db.statements import Prepared, tell
from gatekeeper.domain.errors import Conflict
from gatekeeper.domain.sealed import Content, Sealed


def sealed(name: str, value: Sealed) -> dict[str, str | None]:
    """Return the three columns of a sealed value."""
    return {
        f"{name}_value": value.value,
        f"{name}_salt": value.salt,
        f"{name}_commitment": value.commitment,
    }


def keep(connection: Connection, content: Content) -> str:
    """Keep a public text once under its digest; return the digest."""
    if content.body is not None:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        row = dialect.insert(t.contents).values(sha256=content.sha256, body=content.body)
        connection.execute(row.on_conflict_do_nothing())
    return content.sha256


def add(connection: Connection, table: Table, **row: Any) -> None:
    """Insert one row."""
    _insert(table, tuple(row)).run(connection, row)


@cache
def _insert(table: Table, columns: tuple[str, ...]) -> Prepared:
    return Prepared(insert(table).values({name: bindparam(name) for name in columns}))


def change(
    connection: Connection, table: Table, where: ColumnElement[bool], row: Mapping[str, Any]
) -> None:
    """Update exactly one row; raise Conflict when somebody else changed it first."""
    changed = connection.execute(update(table).where(where).values(**row)).rowcount
    if changed != 1:
        raise Conflict(f"{table.name}: it changed meanwhile, or is not there")


def raise_generation(connection: Connection) -> None:
    """Say that something a verdict may rest on changes, whether or not triggers say it too."""
    if connection.dialect.name == "sqlite":
        tell(connection, "UPDATE generation SET number = number + 1")
