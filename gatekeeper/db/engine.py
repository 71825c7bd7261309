"""Engines for SQLite and Postgres, and the fence that only named writers may write.

SQLite: WAL, synchronous=FULL, the driver in autocommit with an explicit BEGIN (pysqlite's default
mode emits SAVEPOINT without BEGIN and rolls back nothing). Postgres: statement and lock timeouts.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from gatekeeper.domain.errors import Busy, Unavailable

# Which named writer runs now; the fence in the tests fails any write while it is None.
writer: ContextVar[str | None] = ContextVar("writer", default=None)

POLL_SECONDS = 0.005

P = ParamSpec("P")
R = TypeVar("R")


def writes(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function as one of the few that may write tables."""

    def marked(*args: P.args, **kwargs: P.kwargs) -> R:
        token = writer.set(f"{function.__module__}.{function.__name__}")
        try:
            return function(*args, **kwargs)
        finally:
            writer.reset(token)

    marked.__name__, marked.__doc__ = function.__name__, function.__doc__
    return marked


def make_engine(url: str, *, pool_size: int = 10, busy_seconds: float = 5.0) -> Engine:
    """Make an engine for `sqlite:///path` or `postgresql+psycopg://...`.

    `busy_seconds` bounds every wait for a lock; past it the caller gets `Unavailable`.
    """
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url, pool_size, busy_seconds)
    timeouts = f"-c lock_timeout={int(busy_seconds * 1000)} -c statement_timeout=30000"
    return create_engine(
        url,
        hide_parameters=True,  # an error's text goes to the log, and parameters are people's
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=busy_seconds,
        pool_pre_ping=True,
        connect_args={"options": timeouts, "connect_timeout": max(2, int(busy_seconds))},
    )


def _sqlite(url: str, pool_size: int, busy_seconds: float) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=4 * pool_size,
        pool_timeout=busy_seconds,
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": busy_seconds,
        },
    )

    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "trusted_schema=OFF",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin(connection: Connection) -> None:
        # Readers take a snapshot at their first SELECT; the writer waits for its turn here.
        if connection.get_execution_options().get("immediate", False):
            _begin_immediate(connection, busy_seconds)
        else:
            connection.exec_driver_sql("BEGIN")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def _begin_immediate(connection: Connection, busy_seconds: float) -> None:
    """Take SQLite's write lock, asking every 5 ms.

    SQLite itself comes to ask every 100 ms only, and misses the moment at which a busy process
    leaves the lock free (batch.BREATH_SECONDS).
    """
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    until = time.monotonic() + busy_seconds
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
            if code != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


@contextmanager
def storage_faults() -> Iterator[None]:
    """Turn a database that is down, locked, full or read-only into `Unavailable`."""
    try:
        yield
    except PoolTimeout as error:
        raise Busy("every database connection is taken") from error
    except OperationalError as error:
        raise Unavailable("the database is not available; nothing was changed") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("the database went away; nothing was changed") from error
        raise
