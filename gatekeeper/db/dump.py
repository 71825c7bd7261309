"""Every row as a line of JSON, alike for SQLite and Postgres, and back into an empty database.

Sessions stay out: who signed out meanwhile would be signed in again. So do uploads, whose parts lie
in no archive, and the number that our triggers raise. The triggers of the ledger stay in place, and
nothing but a database without a single row is ever filled.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Boolean, Column, Connection, LargeBinary, Table, Text, insert, select, text
from sqlalchemy.exc import DataError, IntegrityError

from gatekeeper.db import ledger
from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.domain.errors import IntegrityBroken
from gatekeeper.domain.facts import codec

PART_BYTES, BATCH_ROWS = 1 << 20, 500
_TOO_BIG = 2**63
TABLES = {
    f"{number:02}-{table.name}": table
    for number, table in enumerate(t.metadata.sorted_tables)
    if table not in {t.sessions, t.uploads, t.generation}
}


def parts(connection: Connection) -> Iterator[tuple[str, bytes]]:
    """Go through every row as named parts of about a mebibyte, a line a row, parents first."""
    for folder, table in TABLES.items():
        number, part = 0, bytearray()
        for line in _lines(connection, table):
            part += line
            if len(part) >= PART_BYTES:
                yield f"{folder}/{number:08}", bytes(part)
                number, part = number + 1, bytearray()
        if part:
            yield f"{folder}/{number:08}", bytes(part)


def _lines(connection: Connection, table: Table) -> Iterator[bytes]:
    query = select(table).order_by(*table.primary_key.columns)
    for row in connection.execute(query, execution_options={"yield_per": BATCH_ROWS}).mappings():
        values = {column.name: _written(row[column.name]) for column in table.columns}
        yield json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _written(value: Any) -> str | int | bool | None:
    match value:
        case None | str() | int():
            return value
        case datetime():
            return codec.moment(value)
        case _:
            return base64.b64encode(value).decode()


@writes
def fill(connection: Connection, part: str, lines: Iterable[bytes]) -> None:
    """Insert the rows of one part; raises IntegrityBroken for rows that are none of this schema."""
    table = TABLES.get(part.partition("/")[0])
    if table is None:
        raise IntegrityBroken(f"there is no table for {part!r}")
    rows = (_row(table, line) for line in lines)
    try:
        while batch := list(islice(rows, BATCH_ROWS)):
            connection.execute(insert(table), batch)
    except (IntegrityError, DataError) as error:
        raise IntegrityBroken(f"{table.name}: its rows cannot stand together") from error


def _row(table: Table, line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
        if told.keys() != set(table.columns.keys()):
            raise KeyError(*told)
        return {column.name: _read(column, told[column.name]) for column in table.columns}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise IntegrityBroken(f"{table.name}: a row is not one of this schema") from error


def _read(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    match column.type:
        case t.Moment():
            return datetime.fromisoformat(value)
        case LargeBinary():
            return base64.b64decode(value, validate=True)
        case kind:
            wanted = str if isinstance(kind, Text) else bool if isinstance(kind, Boolean) else int
            if type(value) is not wanted or (
                type(value) is int and not -_TOO_BIG <= value < _TOO_BIG
            ):
                raise TypeError(column.name)
            return value


def is_empty(connection: Connection) -> bool:
    """Say whether no table has a row."""
    return not any(
        connection.execute(select(text("1")).select_from(table).limit(1)).first()
        for table in t.metadata.sorted_tables
        if table is not t.generation
    )


@writes
def finish(connection: Connection, key: bytes) -> None:
    """Let numbers go on after the highest, and give leaves to entries that waited for one."""
    for table in t.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None and connection.dialect.name == "postgresql":
            highest = f"SELECT max({column.name}) FROM {table.name}"  # noqa: S608  names of ours
            connection.execute(
                text(f"SELECT setval(pg_get_serial_sequence(:t, :c), ({highest}))"),
                {"t": table.name, "c": column.name},
            )
    while ledger.give_leaves(connection, key):
        pass
