"""Engines for SQLite and Postgres, and the fence that only named writers may write.

SQLite: WAL, synchronous=FULL, the driver in autocommit with an explicit BEGIN (pysqlite's default
mode emits SAVEPOINT without BEGIN and rolls back nothing). Postgres: a bound on every wait.
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    ExceptionContext,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import DBAPIError, InternalError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from gatekeeper.db.statements import tell
from gatekeeper.domain.errors import Busy, Conflict, Unavailable

# Which named writer runs now; the fence in the tests fails any write while it is None.
writer: ContextVar[str | None] = ContextVar("writer", default=None)

POLL_SECONDS = 0.005
PING_SECONDS = 1.0
# Postgres: read_only_sql_transaction, insufficient_privilege, foreign_key_violation
READ_ONLY, NOT_ENTITLED, NAMES_NOTHING = "25006", "42501", "23503"

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


def make_engine(
    url: str, *, pool_size: int = 10, busy_seconds: float = 10.0, statement_seconds: float = 0
) -> Engine:
    """Make an engine for `sqlite:///path` or `postgresql+psycopg://...`.

    `busy_seconds` bounds each wait for a lock or a connection; past it the caller gets `Busy` or
    `Unavailable`. `statement_seconds` (Postgres; 0: for ever) bounds one statement, and the pause
    between two of one transaction: a process that froze in it keeps its locks no longer.
    """
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url, pool_size, busy_seconds)
    engine = create_engine(
        url,
        hide_parameters=True,  # an error's text goes to the log, and parameters are people's
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=busy_seconds,
        connect_args=_bounds(busy_seconds, statement_seconds),
    )
    event.listen(engine, "handle_error", _drop_read_only)
    event.listen(engine, "checkin", _rest)
    event.listen(engine, "checkout", partial(_wake, engine.dialect))
    return engine


def _rest(_connection: Any, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()


def _wake(dialect: Dialect, connection: Any, record: Any, _proxy: Any) -> None:
    """Replace a connection that died with its server; one used just now is not asked."""
    if time.monotonic() - record.info.get("rests_since", math.inf) < PING_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _drop_read_only(error: ExceptionContext) -> None:
    """Make every connection anew after one that may only read: the primary is elsewhere now."""
    if getattr(error.original_exception, "sqlstate", None) == READ_ONLY:
        error.is_disconnect = True


def _bounds(busy_seconds: float, statement_seconds: float) -> dict[str, Any]:
    """Say how long Postgres and the network may let us wait, and who we are in its lists."""
    limits = {
        "lock_timeout": busy_seconds,
        "statement_timeout": statement_seconds,
        "idle_in_transaction_session_timeout": statement_seconds,
    }
    return {
        "options": " ".join(f"-c {name}={int(1000 * s)}" for name, s in limits.items()),
        "connect_timeout": max(2, int(busy_seconds)),  # libpq takes no less
        "application_name": f"gatekeeper {os.getpid()}",
        # A host that went away without a word is noticed by our own kernel.
        "tcp_user_timeout": int(1000 * max(2, busy_seconds)),
        "keepalives_idle": 5,
        "keepalives_interval": 1,
        "keepalives_count": 3,
    }


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
        # Readers take a snapshot at their first SELECT; the writer waits in `begin_immediate`.
        if not connection.get_execution_options().get("immediate", False):
            tell(connection, "BEGIN")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def begin_immediate(connection: Connection, until: float) -> None:
    """Take SQLite's write lock, asking every 5 ms until the monotonic clock says `until`.

    SQLite itself comes to ask every 100 ms only, and misses the moment at which a busy process
    leaves the lock free (batch.BREATH_SECONDS). Raises OperationalError.
    """
    tell(connection, "PRAGMA busy_timeout = 0")
    while True:
        try:
            tell(connection, "BEGIN IMMEDIATE")
        except OperationalError as error:
            if not is_locked(error) or time.monotonic() >= until:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def is_locked(error: BaseException) -> bool:
    """Say whether SQLite refused because another connection holds the lock."""
    return _sqlite_code(error) == sqlite3.SQLITE_BUSY


def is_read_only(error: BaseException) -> bool:
    """Say whether SQLite refused because it may only read the file."""
    return _sqlite_code(error) == sqlite3.SQLITE_READONLY


def _sqlite_code(error: BaseException) -> int:
    original = error.orig if isinstance(error, OperationalError) else None
    code: int = getattr(original, "sqlite_errorcode", 0)
    return code & 0xFF


@contextmanager
def storage_faults() -> Iterator[None]:
    """Turn a database that is down, locked, full or read-only into `Unavailable`."""
    try:
        yield
    except PoolTimeout as error:
        raise Busy("every database connection is taken") from error
    except (OperationalError, InternalError) as error:
        # Postgres calls a server that may only read (a standby, a full disk) an internal error.
        raise Unavailable("the database is not available; nothing was changed") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("the database went away; nothing was changed") from error
        if getattr(error.orig, "sqlstate", None) == NAMES_NOTHING:
            raise Conflict("something it names is gone, or is named meanwhile") from error
        if getattr(error.orig, "sqlstate", None) == NOT_ENTITLED:
            raise Unavailable("the database does not let our role do this") from error
        raise
