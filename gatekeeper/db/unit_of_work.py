"""One act, one transaction: `reading` sees a snapshot, `acting` records facts or changes nothing.

`record` applies the change, appends the entry and owes the mails, in that order; leaving the block
commits, an exception rolls all of it back. On Postgres every act has a transaction of its own and
locks what it decides on. On SQLite the acts of one process share a batch (db/batch). Nothing slow
belongs inside an act: no object store, no mail, no hashing of files. Source: house.md 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.pool import QueuePool

from gatekeeper.db import changes, ledger, memory, migrations, outbox
from gatekeeper.db.batch import Batcher
from gatekeeper.db.engine import storage_faults
from gatekeeper.db.memory import Durable, Memory, Recall, every
from gatekeeper.db.readers import Readers
from gatekeeper.domain import notices
from gatekeeper.domain.errors import Busy
from gatekeeper.domain.facts import Fact
from gatekeeper.domain.people import Context
from gatekeeper.domain.tiers import Tiers

T = TypeVar("T")


class Act(Readers):
    """Readers that also record; every fact of one act has the same context."""

    def __init__(
        self, connection: Connection, entry_key: bytes, tiers: Tiers, context: Context
    ) -> None:
        super().__init__(connection, entry_key, tiers)
        self._key = entry_key
        self._context = context
        self.recorded: list[str] = []

    def record(self, *facts: Fact) -> None:
        """Make the facts true: projection, ledger entry and owed mail of each, in order.

        Raises: Conflict when a row to change is not there as the fact takes it to be; whatever it
        raises, leaving the act by the exception undoes everything.
        """
        for fact in facts:
            stamp = ledger.Stamp(self._context.event_id(), self._context)
            changes.apply(self.connection, self._key, stamp, fact)
            ledger.append(self.connection, self._key, stamp, fact)
            outbox.owe(self.connection, stamp, notices.owed(fact))
            self.recorded.append(type(fact).__name__)

    def owe(self, *owed: notices.Notice) -> None:
        """Owe mails that no fact asks for (a reset, a second registration)."""
        stamp = ledger.Stamp(self._context.event_id(), self._context)
        outbox.owe(self.connection, stamp, owed)

    def is_still(self, generation: int | None) -> bool:
        """Say whether nothing that bears on a verdict changed since; never so on Postgres."""
        return generation is not None and memory.generation(self.connection) == generation

    def lock(self, name: str) -> None:
        """Serialise acts that share a name until this one ends (SQLite has one writer anyway)."""
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name}
            )


class Database:
    """The database of one process: hands out snapshots and acts; holds the application's key."""

    def __init__(
        self, engine: Engine, entry_key: bytes, tiers: Tiers, busy_seconds: float = 10.0
    ) -> None:
        self.engine = engine
        self.entry_key = entry_key
        self._tiers = tiers
        self._batcher = Batcher(engine, busy_seconds) if engine.dialect.name == "sqlite" else None
        self._memory = (
            Memory(engine.url.database or "", busy_seconds, self.reading)
            if self._batcher is not None
            else None
        )
        self.durable = Durable()
        # SQLite's transactions are snapshots; Postgres must be asked, or each statement sees news.
        self._snapshots = engine if self._batcher is not None else _snapshots_of(engine)
        self._heard: Callable[[str], None] | None = None

    def tell(self, heard: Callable[[str], None]) -> None:
        """Tell `heard` the kind of every fact that this process records, once it is durable."""
        self._heard = heard

    @property
    def connections_in_use(self) -> int:
        """Return how many connections of the pool somebody holds."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    @property
    def is_postgres(self) -> bool:
        """Say whether several processes may serve from this database."""
        return self._batcher is None

    @contextmanager
    def reading(self) -> Iterator[Readers]:
        """Open a snapshot; raises Unavailable when the database cannot be read."""
        with storage_faults(), self._snapshots.connect() as connection:
            yield Readers(connection, self.entry_key, self._tiers)

    def recall(self, find: Callable[[Recall], T]) -> T:
        """Return what `find` makes of the present state, of which some may be remembered.

        What it gets from the look may not be changed. On Postgres all is read. Raises: Unavailable,
        and what `find` does.
        """
        if self._memory is None:
            with self.reading() as read:
                return find(every(read))
        with storage_faults():
            return self._memory.recall(find)

    @contextmanager
    def acting(self, context: Context) -> Iterator[Act]:
        """Open an act; everything recorded is durable once the block is left without an exception.

        Raises: Unavailable when the database is down, locked or full; nothing was changed then.
        """
        with storage_faults(), self._transaction() as connection:
            act = Act(connection, self.entry_key, self._tiers, context)
            yield act
        if self._heard is not None:
            for kind in act.recorded:
                self._heard(kind)

    def sequence(self) -> int:
        """Give leaves to waiting entries (Postgres); return how many."""
        with storage_faults(), self.engine.begin() as connection:
            return ledger.sequence(connection, self.entry_key)

    def sequence_all(self) -> None:
        """Give leaves until nothing waits or another sequencer leads."""
        while self.is_postgres and self.sequence():
            pass

    def is_ready(self) -> bool:
        """Say whether the database answers."""
        try:
            with self.reading() as read:
                return bool(read.connection.execute(text("SELECT 1")).scalar_one())
        except Busy:  # Unavailable is one
            return False

    def is_current(self) -> bool:
        """Say whether the schema is the one this version writes; False when nothing answers."""
        try:
            with storage_faults():
                return migrations.is_current(self.engine)
        except Busy:
            return False

    def close(self) -> None:
        """Let go of every connection."""
        if self._batcher is not None:
            self._batcher.close()
        if self._memory is not None:
            self._memory.close()
        self.engine.dispose()

    def _transaction(self) -> AbstractContextManager[Connection]:
        begin: Callable[[], AbstractContextManager[Connection]] = (
            self.engine.begin if self._batcher is None else self._batcher.turn
        )
        return begin()


def _snapshots_of(engine: Engine) -> Engine:
    """Return the engine for readers on Postgres: one moment a transaction, and no writing."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
