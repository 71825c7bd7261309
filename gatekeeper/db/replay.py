"""Replays the ledger into an empty database and compares the tables (fences 7 and 8).

Content rows (public texts by digest) are given; every other column that is not sealed must come
out equal. A row slipped in, copied or edited by SQL shows here, whatever it opens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from gatekeeper.db import changes, ledger, migrations
from gatekeeper.db import tables as t
from gatekeeper.db.engine import make_engine, writes
from gatekeeper.db.unit_of_work import Database
from gatekeeper.domain.facts import codec
from gatekeeper.domain.people import Actor, ActorKind, Context, EventId, PersonId, TokenId

_SEALED = ("_value", "_salt")


def compare(database: Database) -> list[str]:
    """Return the differences between the tables and a replay of the ledger; empty when equal."""
    engine = make_engine("sqlite:///:memory:")
    with engine.connect() as fresh, database.reading() as read:
        migrations.create_all(fresh)
        _give_contents(read.connection, fresh)
        for stored in ledger.walk(read.connection):
            _replay(fresh, database.entry_key, stored)
        found = [
            difference
            for table in t.PROJECTIONS
            if table is not t.contents
            for difference in _differences(table, read.connection, fresh)
        ]
    engine.dispose()
    return found


@writes
def _give_contents(source: Connection, target: Connection) -> None:
    for row in source.execute(select(t.contents)).mappings():
        target.execute(insert(t.contents).values(**row))


def _replay(connection: Connection, key: bytes, stored: ledger.StoredEntry) -> None:
    parsed = json.loads(stored.body)
    fact = codec.from_data(parsed["kind"], parsed["data"])
    who = parsed["actor"]
    actor = Actor(
        kind=ActorKind(who["kind"]),
        person_id=PersonId(who["id"]) if who["id"] else None,
        token_id=TokenId(who["token"]) if who["token"] else None,
    )
    context = Context(actor, datetime.fromisoformat(parsed["at"]), _no_chance)
    changes.apply(connection, key, ledger.Stamp(EventId(parsed["event"]), context), fact)


def _no_chance(_size: int) -> bytes:
    raise RuntimeError("replaying draws no randomness")


def _differences(table: Table, real: Connection, replayed: Connection) -> Iterator[str]:
    left, right = _rows(table, real), _rows(table, replayed)
    for key in sorted(left.keys() | right.keys()):
        if left.get(key) == right.get(key):
            continue
        if key not in right:
            yield f"{table.name} {' '.join(key)}: no entry of the ledger made this row"
        elif key not in left:
            yield f"{table.name} {' '.join(key)}: the ledger made this row and it is gone"
        else:
            wrong = [c for c in left[key] if left[key][c] != right[key][c]]
            yield f"{table.name} {' '.join(key)}: {', '.join(wrong)} differ from the ledger"


def _rows(table: Table, connection: Connection) -> dict[tuple[str, ...], dict[str, Any]]:
    columns = [c for c in table.columns if not c.name.endswith(_SEALED)]
    keys = [c.name for c in table.primary_key]
    return {
        tuple(str(row[k]) for k in keys): {
            k: bytes(v) if isinstance(v, memoryview) else v for k, v in row.items()
        }
        for row in connection.execute(select(*columns)).mappings()
    }
