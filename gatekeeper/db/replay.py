"""Replays the ledger into an empty database and compares the tables (fences 7 and 8).

Content rows (public texts by digest) are given and must have that digest; a sealed value that was
not erased must open its commitment; every other column must come out equal. A row slipped in,
copied or edited by SQL shows here, whatever it opens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, insert, select
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.db import changes, ledger, migrations
from gatekeeper.db import tables as t
from gatekeeper.db.engine import make_engine, writes
from gatekeeper.db.unit_of_work import Database
from gatekeeper.domain.errors import GatekeeperError
from gatekeeper.domain.facts import Fact, codec
from gatekeeper.domain.people import Actor, ActorKind, Context, EventId, PersonId, TokenId
from gatekeeper.domain.sealed import Content, Sealed, holds

_SEALED = ("_value", "_salt")


def compare(database: Database) -> list[str]:
    """Return the differences between the tables and a replay of the ledger; empty when equal."""
    engine = make_engine("sqlite:///:memory:")
    with engine.connect() as fresh, database.reading() as read:
        migrations.create_all(fresh)
        _give_contents(read.connection, fresh)
        found = list(_replay_all(read.connection, fresh, database.entry_key))
        for table in t.PROJECTIONS:
            if table is not t.contents:
                found += _differences(table, read.connection, fresh)
            found += _unsound(table, read.connection)
    engine.dispose()
    return found


def _replay_all(real: Connection, fresh: Connection, key: bytes) -> Iterator[str]:
    mentions: set[tuple[str, int]] = set()
    contents: set[str] = set()
    for stored in ledger.walk(real):
        try:
            context, fact = _read(stored)
            stamp = ledger.Stamp(EventId(stored.event_id), context)
            changes.apply(fresh, key, stamp, fact)
        except (GatekeeperError, SQLAlchemyError, ValueError, LookupError, TypeError) as error:
            yield f"entry {stored.event_id}: it cannot be replayed ({type(error).__name__})"
            continue
        mentions |= {(subject, stored.row_id) for subject in ledger.subjects(context, fact)}
        values = (getattr(fact, field.name) for field in fields(fact))
        contents |= {value.sha256 for value in values if isinstance(value, Content)}
    found = {tuple(row) for row in real.execute(select(t.mentions))}
    for subject, entry_id in sorted(found ^ mentions):
        yield f"mentions {subject} {entry_id}: the search index differs from the entries"
    for digest in sorted(contents ^ set(real.execute(select(t.contents.c.sha256)).scalars())):
        yield f"contents {digest}: no entry names this text, or it is gone"


@writes
def _give_contents(source: Connection, target: Connection) -> None:
    for row in source.execute(select(t.contents)).mappings():
        target.execute(insert(t.contents).values(**row))


def _read(stored: ledger.StoredEntry) -> tuple[Context, Fact]:
    parsed = json.loads(stored.body)
    who = parsed["actor"]
    actor = Actor(
        kind=ActorKind(who["kind"]),
        person_id=PersonId(who["id"]) if who["id"] else None,
        token_id=TokenId(who["token"]) if who["token"] else None,
    )
    context = Context(actor, datetime.fromisoformat(parsed["at"]), _no_chance)
    return context, codec.from_data(parsed["kind"], parsed["data"])


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


def _unsound(table: Table, real: Connection) -> Iterator[str]:
    """Go through sealed values that do not open their commitment, and texts of another digest."""
    sealed = [c.name.removesuffix("_salt") for c in table.columns if c.name.endswith("_salt")]
    if not sealed and table is not t.contents:
        return
    for row in real.execute(select(table)).mappings():
        wrong = [name for name in sealed if not holds(name, _sealed_in(row, name))]
        if table is t.contents and row["body"] is not None:
            is_whole = hashlib.sha256(row["body"].encode()).hexdigest() == row["sha256"]
            wrong += [] if is_whole else ["body"]
        if wrong:
            key = " ".join(str(row[c.name]) for c in table.primary_key)
            yield f"{table.name} {key}: {', '.join(wrong)} were changed since they were sealed"


def _sealed_in(row: RowMapping, name: str) -> Sealed:
    return Sealed(row[f"{name}_commitment"], row[f"{name}_value"], row[f"{name}_salt"])
