"""What was read is kept as long as nothing a decision rests on is changed, by anybody (SQLite).

Triggers raise the one number of the table `generation` with every change of a row that may bear on
a verdict: by a fact, by another process, by SQL typed by hand. So one statement of a few
microseconds, asked of the database each time, tells whether what was read before is still so.
Records of what was served do not raise it: they bear on no verdict.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, TypeVar

from sqlalchemy import Connection

from gatekeeper.db import tables as t
from gatekeeper.db.readers import Readers
from gatekeeper.db.statements import tell
from gatekeeper.domain.errors import Unavailable

T = TypeVar("T")
Snapshot = Callable[[], AbstractContextManager[Readers]]

MOST = 8192  # values, of some KiB at most
TRIES = 3
KEPT = 32  # connections, for as many threads at once
ASK = "SELECT number FROM generation"
# What bears on no verdict: texts by digest, former names, links, what was served and refused.
BEARS_ON_NOTHING = frozenset({t.contents, t.former_names, t.links, t.servings, t.refusals})
_TRIGGERS = 3 * len([table for table in t.PROJECTIONS if table not in BEARS_ON_NOTHING])
_COUNT = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'generation_*'"

_MISSING: Any = object()


def generation(connection: Connection) -> int | None:
    """Return the number of the state that this connection sees; None where it is not counted."""
    if connection.dialect.name != "sqlite":
        return None
    row = tell(connection, ASK).fetchone()
    return int(row[0]) if row is not None else None


class _Moved(Exception):
    """The state is another one than that of the values at hand."""


class Recall:
    """One look at one generation: what is remembered of it, and a snapshot for what is not."""

    def __init__(
        self, generation: int | None, values: dict[Hashable, Any], open_: Snapshot
    ) -> None:
        self.generation = generation
        self._values = values
        self._open = open_
        self._opened: ExitStack | None = None
        self._read: Readers | None = None

    def get(self, key: Hashable, find: Callable[[Readers], T]) -> T:
        """Return what `find` returns, of the key and the database alone; no error is kept."""
        kept: T = self._values.get(key, _MISSING)
        if kept is not _MISSING:
            return kept
        found = find(self._snapshot())
        if len(self._values) >= MOST:
            self._values.clear()
        self._values[key] = found
        return found

    def close(self) -> None:
        """Let go of the snapshot, if one was needed."""
        if self._opened is not None:
            self._opened.close()

    def _snapshot(self) -> Readers:
        if self._read is None:
            self._opened = ExitStack()
            read = self._opened.enter_context(self._open())
            if generation(read.connection) != self.generation:
                raise _Moved
            self._read = read
        return self._read


class Memory:
    """What this process read of the newest generation it saw; safe from several threads."""

    def __init__(self, path: str, busy_seconds: float, open_: Snapshot) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._open = open_
        # Connections that only ask the number. Each thread takes one or makes one, and waits for
        # nobody: whoever held a lock would hold it until the interpreter's own comes back to it.
        self._idle: list[sqlite3.Connection] = []
        self._is_counted = False  # until the triggers were seen: without them nothing is kept
        self._newest: tuple[int | None, dict[Hashable, Any]] = (None, {})

    def recall(self, find: Callable[[Recall], T]) -> T:
        """Return what `find` makes of one state of the database, not older than this call."""
        for _ in range(TRIES):
            recall = Recall(*self._remembered(), self._open)
            try:
                return find(recall)
            except _Moved:
                continue  # somebody committed between the two looks
            finally:
                recall.close()
        with self._open() as read:
            return find(every(read))

    def close(self) -> None:
        """Let go of the connections."""
        while self._idle:
            self._idle.pop().close()

    def _remembered(self) -> tuple[int | None, dict[Hashable, Any]]:
        number, newest = self._ask(), self._newest
        if number is None or newest[0] != number:
            # Whoever still looks at an older state keeps its values to itself.
            newest = self._newest = (number, {})
        return newest

    def _ask(self) -> int | None:
        try:
            watch = self._idle.pop() if self._idle else self._connect()
        except IndexError:  # another thread was faster
            watch = self._connect()
        try:
            row = watch.execute(ASK).fetchone()
        except sqlite3.Error as error:
            watch.close()
            raise Unavailable("the database is not available; nothing was changed") from error
        if len(self._idle) < KEPT:
            self._idle.append(watch)
        else:
            watch.close()
        return row[0] if row is not None and self._is_counted else None

    def _connect(self) -> sqlite3.Connection:
        try:
            watch = sqlite3.connect(
                self._path,
                timeout=self._busy_seconds,
                isolation_level=None,
                check_same_thread=False,
            )
            self._is_counted = watch.execute(_COUNT).fetchone()[0] == _TRIGGERS
        except sqlite3.Error as error:
            raise Unavailable("the database cannot be opened") from error
        return watch


def every(read: Readers) -> Recall:
    """Return a look that remembers nothing from before: all is read by these readers."""
    return Recall(generation(read.connection), {}, lambda: nullcontext(read))


class Durable:
    """What this process knows to be recorded for good, a little of it: it need not ask again."""

    def __init__(self) -> None:
        self._known: set[Hashable] = set()

    def __contains__(self, thing: Hashable) -> bool:
        """Say whether it is known; False says nothing."""
        return thing in self._known

    def add(self, thing: Hashable) -> None:
        """Note what was committed, or read from what was."""
        if len(self._known) >= MOST:
            self._known.clear()
        self._known.add(thing)
