"""What was read holds exactly as long as nothing is committed, by anybody (SQLite).

SQLite gives a connection another `data_version` after every commit of any other connection, of this
process or another, whether a fact was recorded or somebody typed SQL. So a connection that never
writes tells in a few microseconds whether a snapshot taken before is still the newest one; the
answer is the database's, asked each time. Source: sqlite.org/pragma.html#pragma_data_version.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from gatekeeper.db.statements import tell

T = TypeVar("T")

MOST = 4096


class Unchanged:
    """Values read since the last commit; safe from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._watch: Connection | None = None
        self._version = -1
        self._values: dict[Hashable, Any] = {}

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return what `read` returned since the last commit, else call it; no error is kept.

        `read` takes its snapshot after it is called, so that it is never older than the version.
        """
        version, found = self._look(key)
        if found is not None:
            kept: T = found
            return kept
        value = read()
        with self._lock:
            if version == self._version and len(self._values) < MOST:
                self._values[key] = value
        return value

    def close(self) -> None:
        """Let go of the connection and of everything kept."""
        with self._lock:
            self._forget()

    def _look(self, key: Hashable) -> tuple[int, Any]:
        with self._lock:
            try:
                version = self._ask()
            except BaseException:
                self._forget()  # nothing is known while the database does not answer
                raise
            if version != self._version or len(self._values) >= MOST:
                self._version, self._values = version, {}
            return version, self._values.get(key)

    def _ask(self) -> int:
        if self._watch is None:
            self._watch = self._engine.connect()
        version: int = tell(self._watch, "PRAGMA data_version").fetchone()[0]
        return version

    def _forget(self) -> None:
        self._version, self._values = -1, {}
        if self._watch is not None:
            self._watch.invalidate()
            self._watch.close()
            self._watch = None
