"""Group commit on SQLite: acts take turns on one writer connection and share one commit.

Each act runs in its savepoint. Whoever leaves last, with nobody waiting or the batch full, commits
for all; the others return after that commit, so an acknowledged act is durable. An act that fails
rolls its own savepoint back and hurts nobody; when SQLite itself ends the transaction (disk full,
I/O error) every act of the batch fails. Other processes stay out by BEGIN IMMEDIATE, and get in
when the lock is left free for a moment. Source: house.md 6 (measured: p99 45 ms against 824 ms).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gatekeeper.domain.errors import Unavailable

MAX_ACTS = 64
# Once a second the lock stays free for so long: a process that is never idle keeps nobody out.
BREATH_SECONDS, BREATH_EVERY_SECONDS = 0.015, 1.0


@dataclass(slots=True)
class _Batch:
    acts: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None


class Batcher:
    """The one writer connection of this process and the batch that is open on it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(immediate=True)
        self._turn = threading.Lock()
        self._queue = threading.Lock()
        self._waiting = 0
        self._connection: Connection | None = None
        self._batch: _Batch | None = None
        self._free_since = self._breathed_at = time.monotonic()

    @contextmanager
    def turn(self) -> Iterator[Connection]:
        """Run one act on the writer connection; return when its commit is durable."""
        with self._queue:
            self._waiting += 1
        self._turn.acquire()
        with self._queue:
            self._waiting -= 1
        try:
            batch = self._open()
        except BaseException:
            self._turn.release()
            raise
        try:
            with self._savepoint() as connection:
                yield connection
            batch.acts += 1
        finally:
            # Also after a failed act: the batch may hold others that wait for this commit.
            self._leave(batch)
        batch.done.wait()
        if batch.failure is not None:
            raise Unavailable("the database could not commit; nothing was changed") from (
                batch.failure
            )

    def close(self) -> None:
        """Let go of the writer connection."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> _Batch:
        if self._batch is None:
            if self._connection is None or self._connection.closed:
                self._connection = self._engine.connect()
            self._breathe()
            self._connection.begin()
            self._batch = _Batch()
        return self._batch

    def _breathe(self) -> None:
        now = time.monotonic()
        missing = self._free_since + BREATH_SECONDS - now
        if missing <= 0:
            self._breathed_at = now
        elif now - self._breathed_at > BREATH_EVERY_SECONDS:
            time.sleep(missing)
            self._breathed_at = time.monotonic()

    @contextmanager
    def _savepoint(self) -> Iterator[Connection]:
        assert self._connection is not None  # noqa: S101  opened by _open under the turn
        connection = self._connection
        connection.exec_driver_sql("SAVEPOINT act")
        try:
            yield connection
            connection.exec_driver_sql("RELEASE act")
        except BaseException as error:
            self._undo(connection, error)
            raise

    def _undo(self, connection: Connection, error: BaseException) -> None:
        try:
            connection.exec_driver_sql("ROLLBACK TO act")
            connection.exec_driver_sql("RELEASE act")
        except SQLAlchemyError:
            # SQLite ended the whole transaction: what the others did in it is gone as well.
            if self._batch is not None:
                self._batch.failure = error if isinstance(error, Exception) else None
                self._batch.failure = self._batch.failure or Unavailable("the batch was lost")

    def _leave(self, batch: _Batch) -> None:
        with self._queue:
            hand_over = self._waiting > 0 and batch.acts < MAX_ACTS and batch.failure is None
        try:
            if not hand_over:
                self._commit(batch)
        finally:
            self._turn.release()

    def _commit(self, batch: _Batch) -> None:
        connection, self._batch = self._connection, None
        assert connection is not None  # noqa: S101  the batch was opened on it
        try:
            if batch.failure is None:
                connection.commit()
            else:
                self._drop(connection)
        except BaseException as error:
            # Whatever it was, nobody of the batch may believe that it was committed.
            batch.failure = error if isinstance(error, Exception) else Unavailable("interrupted")
            self._drop(connection)
            if not isinstance(error, DBAPIError):
                raise
        finally:
            self._free_since = time.monotonic()
            batch.done.set()

    def _drop(self, connection: Connection) -> None:
        self._connection = None
        connection.invalidate()
        connection.close()
