"""Group commit on SQLite: acts take turns on one writer connection and share one commit.

Each act runs in its savepoint. Whoever leaves last, with nobody waiting or the batch full, commits
for all; the others return after that commit, so an acknowledged act is durable. An act that fails
rolls its own savepoint back and hurts nobody; when SQLite itself ends the transaction (disk full,
I/O error) every act of the batch fails. Nobody waits for ever: not for a turn, and not for a commit
that a slow act holds up; who loses patience undoes the batch, so that its 503 is true. Other
processes stay out by BEGIN IMMEDIATE, and get in when the lock is left free for a moment.
Source: house.md 6 (measured: p99 45 ms against 824 ms).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gatekeeper.db.engine import begin_immediate, is_locked, is_read_only
from gatekeeper.db.statements import tell
from gatekeeper.db.turns import Turns
from gatekeeper.domain.errors import Busy, Unavailable

# A batch takes no further act past these, so that its first act is not kept waiting. Measured with
# 8 to 512 threads: 16 to 256 acts are alike, one act a commit has the p99 four times as high.
MAX_ACTS, MAX_SHARE_OF_PATIENCE = 64, 0.1
# Once a second the lock stays free for so long: a process that is never idle keeps nobody out.
BREATH_SECONDS, BREATH_EVERY_SECONDS = 0.015, 1.0


@dataclass(slots=True)
class _Batch:
    opened_at: float
    acts: int = 0
    closing: bool = False
    failure: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Batcher:
    """The one writer connection of this process and the batch that is open on it.

    `patience_seconds` bounds the wait for a turn, and again the wait for the commit.
    """

    def __init__(self, engine: Engine, patience_seconds: float) -> None:
        self._engine = engine.execution_options(immediate=True)
        self._patience_seconds = patience_seconds
        self._turns = Turns()
        self._verdict = threading.Lock()  # guards `closing` and `failure` of a batch
        # What follows belongs to whoever has the turn.
        self._connection: Connection | None = None
        self._stale = False
        self._batch: _Batch | None = None
        self._free_since = self._breathed_at = time.monotonic()

    @contextmanager
    def turn(self) -> Iterator[Connection]:
        """Run one act on the writer connection; return when its commit is durable.

        Raises: Busy when no turn comes in time, Unavailable when the batch was undone.
        """
        until = time.monotonic() + self._patience_seconds
        if not self._turns.take(self._patience_seconds):
            raise Busy("other changes take too long")
        try:
            batch = self._open(until)
        except BaseException:
            self._turns.give_back()
            raise
        try:
            with self._savepoint() as connection:
                yield connection
            batch.acts += 1
        finally:
            # Also after a failed act: the batch may hold others that wait for this commit.
            self._leave(batch)
        self._await(batch)

    def _await(self, batch: _Batch) -> None:
        if not batch.done.wait(self._patience_seconds):
            with self._verdict:
                if not batch.closing and batch.failure is None:
                    batch.failure = TimeoutError("an act of the batch took too long")
                undone = batch.failure is not None
            if not undone:
                batch.done.wait()  # the commit has begun: it alone knows how it ends
        if batch.failure is not None:
            raise Unavailable("the database could not commit; nothing was changed") from (
                batch.failure
            )

    def close(self) -> None:
        """Let go of the writer connection; what acts have done by then is committed."""
        self._turns.take()
        try:
            if self._batch is not None:  # whoever was before passed the turn on with it
                self._commit(self._batch)
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        finally:
            self._turns.give_back()

    def _open(self, until: float) -> _Batch:
        if self._batch is not None and self._batch.failure is not None:
            self._commit(self._batch)  # somebody lost patience between two turns
        if self._batch is None:
            if self._stale:
                self._renew()
            if self._connection is None or self._connection.closed:
                self._connection = self._engine.connect()
            self._breathe()
            self._begin(self._connection, until)
            self._batch = _Batch(time.monotonic())
        return self._batch

    def _renew(self) -> None:
        """Make every connection anew: opened while the disk could only be read, one stays so."""
        if self._connection is not None:
            self._drop(self._connection)
        self._engine.dispose()
        self._stale = False

    def _begin(self, connection: Connection, until: float) -> None:
        transaction = connection.begin()
        try:
            begin_immediate(connection, until)
        except BaseException as error:
            self._stale = not is_locked(error)
            transaction.rollback()
            raise

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
        tell(connection, "SAVEPOINT act")
        try:
            yield connection
            tell(connection, "RELEASE act")
        except BaseException as error:
            self._undo(connection, error)
            raise

    def _undo(self, connection: Connection, error: BaseException) -> None:
        self._stale = self._stale or is_read_only(error)
        try:
            tell(connection, "ROLLBACK TO act")
            tell(connection, "RELEASE act")
        except BaseException as worse:
            # SQLite ended the whole transaction: what the others did in it is gone as well.
            if self._batch is not None:
                self._batch.failure = _as_exception(error)
            if not isinstance(worse, SQLAlchemyError):
                raise

    def _leave(self, batch: _Batch) -> None:
        age = time.monotonic() - batch.opened_at
        takes_more = batch.acts < MAX_ACTS and age < MAX_SHARE_OF_PATIENCE * self._patience_seconds
        if takes_more and batch.failure is None and self._turns.pass_on():
            return
        try:
            self._commit(batch)
        finally:
            self._turns.give_back()

    def _commit(self, batch: _Batch) -> None:
        connection, self._batch = self._connection, None
        assert connection is not None  # noqa: S101  the batch was opened on it
        with self._verdict:
            batch.closing = True
        try:
            if batch.failure is None:
                connection.commit()
            else:
                self._drop(connection)
        except BaseException as error:
            # Whatever it was, nobody of the batch may believe that it was committed.
            batch.failure = _as_exception(error)
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


def _as_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else Unavailable("interrupted")
