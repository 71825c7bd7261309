"""SQLite: acts that share a commit, beside a commit for each act.

The anchor is what one writes first: a connection of its own for each act, BEGIN IMMEDIATE, SQLite's
busy handler, COMMIT. Both with WAL and synchronous=FULL, the same fact, the same threads.
Source: performance.md B.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from bench.clients.actors import THREADS, Acting, Acts, act_on
from bench.figures import Bound, Figure, by_yield, in_rounds
from bench.ground import Ground
from bench.servers.hall import bare, opened
from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.people import Context
from gatekeeper.services.ports import House

SECONDS = 4.0
BUSY_SECONDS = 60  # nobody gives up: what waiting costs is what is measured


def measure(ground: Ground) -> Sequence[Figure]:
    """Measure latency and throughput of acts that many threads record."""
    data = bare(ground.place("group-commit") / "data")
    found = in_rounds({"group": lambda: _group(data), "each": lambda: _each(data)}, ground.rounds)
    group, each = found["group"], found["each"]
    latencies = [acts.p99_ms for acts in group], [acts.p99_ms for acts in each]
    speeds = [acts.per_second for acts in group], [acts.per_second for acts in each]
    return [
        Figure("group commit p99", "a commit for each act", "ms",
               {"ours": latencies[0], "anchor": latencies[1]}, by_yield(*latencies),
               floor=0.25, aim=0.25, bound=Bound.AT_MOST),
        Figure("group commit", "a commit for each act", "acts a second",
               {"ours": speeds[0], "anchor": speeds[1]}, by_yield(*speeds)),
    ]  # fmt: skip


def _group(data: Path) -> Acts:
    with opened(data) as house:
        return act_on(house.db.acting, SECONDS)


def _each(data: Path) -> Acts:
    with opened(data) as house:
        engine = _own_connections(data / "gatekeeper.db")
        try:
            return act_on(_committing_each(engine, house), SECONDS)
        finally:
            engine.dispose()


def _committing_each(engine: Engine, house: House) -> Acting:
    @contextmanager
    def acting(ctx: Context) -> Iterator[Act]:
        with engine.begin() as connection:
            yield Act(connection, house.db.entry_key, house.tiers, ctx)

    return acting


def _own_connections(file: Path) -> Engine:
    """Make an engine with a connection for each thread and SQLite's own waiting."""
    options = {"isolation_level": None, "check_same_thread": False, "timeout": BUSY_SECONDS}
    engine = create_engine(f"sqlite:///{file}", pool_size=THREADS, connect_args=options)

    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine
