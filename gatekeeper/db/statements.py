"""Statements built once, for what every request for bytes asks and every entry writes.

Core builds, keys, binds and wraps a statement anew each time: 140 us, where SQLite itself needs 3
and Postgres 100. So it is compiled once for each length of its lists; on SQLite it runs on the
driver's own cursor, in the transaction of its connection. Listeners of `before_cursor_execute` hear
of it, and the driver's errors become SQLAlchemy's, as everywhere else.

A list is bound with `expanding=True`, every other value by its name alone; an array is a tuple.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Delete, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

Values = Mapping[str, Any]
Process = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """The text for one database, where each of its values comes from, and how a row is read."""

    text: str
    values: Sequence[tuple[str, Callable[[Values], Any]]]
    read: Callable[[Sequence[Any]], Any]

    def in_order(self, values: Values) -> list[Any]:
        return [value(values) for _, value in self.values]

    def by_name(self, values: Values) -> dict[str, Any]:
        return {name: value(values) for name, value in self.values}


class Prepared:
    """One statement; safe from several threads."""

    def __init__(self, statement: Select[Any] | Insert | Update | Delete) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str | int, ...], _Compiled] = {}

    def all(self, connection: Connection, **values: Any) -> Sequence[Any]:
        """Return every row, with its columns as attributes."""
        compiled = self._for(connection, values)
        return [compiled.read(row) for row in _run(connection, compiled, values).fetchall()]

    def first(self, connection: Connection, **values: Any) -> Any:
        """Return the first row, None when there is none."""
        compiled = self._for(connection, values)
        found = _run(connection, compiled, values)
        row = found.fetchone()
        found.close()
        return None if row is None else compiled.read(row)

    def run(self, connection: Connection, *rows: Values) -> None:
        """Run a statement that returns nothing, once for each set of values; all of one shape."""
        if len(rows) > 1 and connection.dialect.name != "sqlite":  # on one way there
            compiled = self._for(connection, rows[0])
            connection.exec_driver_sql(compiled.text, [compiled.by_name(row) for row in rows])
            return
        for values in rows:
            _run(connection, self._for(connection, values), values)

    def _for(self, connection: Connection, values: Values) -> _Compiled:
        lengths = (len(value) for value in values.values() if isinstance(value, list))
        key: tuple[str | int, ...] = (connection.dialect.name, *lengths)
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = _compile(self._statement, connection.dialect, values)
        return found


def _run(
    connection: Connection, compiled: _Compiled, values: Values
) -> sqlite3.Cursor | CursorResult[Any]:
    if connection.dialect.name != "sqlite":
        return connection.exec_driver_sql(compiled.text, compiled.by_name(values))
    if not connection.in_transaction():
        connection.begin()
    return tell(connection, compiled.text, compiled.in_order(values))


def tell(connection: Connection, words: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
    """Run a text on SQLite's own cursor; raises what Core would have raised."""
    driver: Any = connection.connection.driver_connection
    cursor: sqlite3.Cursor = driver.cursor()
    for hear in connection.dispatch.before_cursor_execute:
        hear(connection, cursor, words, values, None, False)
    try:
        return cursor.execute(words, values)
    except sqlite3.Error as error:
        raise DBAPIError.instance(words, None, error, sqlite3.Error) from error


def _compile(statement: Any, dialect: Dialect, values: Values) -> _Compiled:
    compiler: SQLCompiler = statement.compile(dialect=dialect)
    state = compiler.construct_expanded_state(dict(values))
    listed = {
        name: (key, place)
        for key, names in state.parameter_expansion.items()
        for place, name in enumerate(names)
    }
    sources = []
    for name in state.positiontup or state.parameters:
        key, place = listed.get(name, (name, None))
        process = compiler.binds[key].type.dialect_impl(dialect).bind_processor(dialect)
        fixed = None if key in values else (state.parameters[name],)
        sources.append((name, _source(key, place, fixed, process)))
    return _Compiled(state.statement, sources, _reader(statement, dialect))


def _source(
    key: str, place: int | None, fixed: tuple[Any] | None, process: Process | None
) -> Callable[[Values], Any]:
    """Return how one value is taken from those given, or is the statement's own."""
    done = process or (lambda value: value)
    if fixed is not None:
        constant = done(fixed[0])
        return lambda _: constant
    if place is not None:
        return lambda values: done(values[key][place])
    return lambda values: done(values[key])


def _reader(statement: Any, dialect: Dialect) -> Callable[[Sequence[Any]], Any]:
    """Return how a row of the driver becomes one with attributes, each value of its type."""
    columns = getattr(statement, "exported_columns", ())
    row_type: Any = namedtuple("Row", columns.keys() if columns else ())  # type: ignore[misc]
    process = [(n, p) for n, c in enumerate(columns) if (p := _result(c.type, dialect))]

    def read(row: Sequence[Any]) -> Any:
        values = list(row)
        for place, done in process:
            values[place] = done(values[place])
        return row_type._make(values)

    return read


def _result(kind: Any, dialect: Dialect) -> Process | None:
    found: Process | None = kind.dialect_impl(dialect).result_processor(dialect, None)
    return found
