"""The audit ledger in the database: entries, their HMACs, leaves and the stored compact range.

Entries and leaves are insert-only (triggers refuse anything else). On SQLite the leaf is made in
the act's own transaction; on Postgres `sequence` gives leaves to what waits, in entry-id order, by
whoever holds the advisory lock. Source: house.md 6; RFC 8785; RFC 6962.
Not here: reading and searching (audit), what facts mean (domain/facts).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import rfc8785
from sqlalchemy import (
    CTE,
    Connection,
    Insert,
    Row,
    String,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.db.statements import Prepared
from gatekeeper.domain.errors import IntegrityBroken
from gatekeeper.domain.facts import Fact, codec
from gatekeeper.domain.ledger import MAX_ENTRY_BYTES, CompactRange, leaf_hash
from gatekeeper.domain.people import Context, EventId

ENTRY_VERSION = 1
LEADER_PAUSE_MS = 2000
SEQUENCER_LOCK = 0x676B6C6F67  # "gklog", the advisory lock of the one sequencer


def _waiting(entry: CTE) -> Insert:
    """Insert an entry, that it waits for its leaf, and its mentions (Postgres: one way there)."""
    waits = insert(t.unsequenced).from_select(["entry_id"], select(entry.c.id)).cte("waits")
    subject = func.unnest(bindparam("subjects", type_=ARRAY(String)))
    return (
        insert(t.mentions)
        .from_select(["subject", "entry_id"], select(subject, entry.c.id))
        .add_cte(waits)
    )


_INSERT_ENTRY = (
    insert(t.entries)
    .values({c.name: bindparam(c.name) for c in t.entries.c if c.name != "id"})
    .returning(t.entries.c.id)
)
_ENTRY, _WAITING = Prepared(_INSERT_ENTRY), Prepared(_waiting(_INSERT_ENTRY.cte("entry")))
_LEAF, _HEAD = (
    Prepared(insert(table).values({c.name: bindparam(c.name) for c in table.c}))
    for table in (t.leaves, t.tree)
)
_RANGE = Prepared(select(t.tree.c.size, t.tree.c.hashes).where(t.tree.c.id == 1))
_GROWN = Prepared(
    update(t.tree)
    .where(t.tree.c.id == 1)
    .values(size=bindparam("new_size"), hashes=bindparam("new_hashes"))
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every row written from a fact carries: the event, the moment and who acted."""

    event_id: EventId
    context: Context


def canonical(event_id: EventId, context: Context, fact: Fact) -> bytes:
    """Write the entry of a fact as RFC 8785 bytes of at most 16 KiB."""
    actor = context.actor
    body = rfc8785.dumps(
        {
            "v": ENTRY_VERSION,
            "event": event_id,
            "kind": type(fact).__name__,
            "at": codec.moment(context.now),
            "actor": {"kind": str(actor.kind), "id": actor.person_id, "token": actor.token_id},
            "data": codec.to_data(fact),
        }
    )
    if len(body) > MAX_ENTRY_BYTES:
        raise IntegrityBroken(f"an entry of {len(body)} bytes is over {MAX_ENTRY_BYTES}")
    return body


def entry_mac(key: bytes, body: bytes) -> bytes:
    """Return HMAC-SHA-256 of an entry under the application's key, which is not in the database."""
    return hmac.new(key, b"gk-entry/v1\x00" + body, hashlib.sha256).digest()


def subjects(context: Context, fact: Fact) -> frozenset[str]:
    """Return the ids under which an entry is found: whom it is about, and who acted."""
    actor = context.actor.person_id
    return codec.mentioned(fact) | ({actor} if actor else set())


@writes
def append(connection: Connection, key: bytes, stamp: Stamp, fact: Fact) -> None:
    """Insert the entry of a fact; on SQLite its leaf as well."""
    body = canonical(stamp.event_id, stamp.context, fact)
    actor = stamp.context.actor
    row = {
        "event_id": stamp.event_id,
        "kind": type(fact).__name__,
        "at": stamp.context.now,
        "actor_kind": str(actor.kind),
        "actor_id": actor.person_id,
        "body": body,
        "mac": entry_mac(key, body),
    }
    found = sorted(subjects(stamp.context, fact))
    if connection.dialect.name != "sqlite":
        _WAITING.run(connection, {"subjects": tuple(found), **row})
        return
    entry_id = _ENTRY.first(connection, **row).id
    if found:
        named = {f"subject{i}": subject for i, subject in enumerate(found)}
        _mentions(len(found)).run(connection, {"entry_id": entry_id, **named})
    _grow(connection, [(entry_id, leaf_hash(body))])


@cache
def _mentions(count: int) -> Prepared:
    rows: list[dict[str, Any]] = [
        {"subject": bindparam(f"subject{i}"), "entry_id": bindparam("entry_id")}
        for i in range(count)
    ]
    return Prepared(insert(t.mentions).values(rows))


@writes
def sequence(connection: Connection, key: bytes, limit: int = 512) -> int:
    """Give leaves to at most `limit` waiting entries; return how many, 0 if another one leads.

    Runs in the caller's transaction. Raises: as `give_leaves`.
    """
    if connection.dialect.name == "sqlite":
        return 0
    leads = connection.execute(
        # A leader that freezes loses its transaction, and with it the lead.
        text(
            "SELECT pg_try_advisory_xact_lock(:k),"
            " set_config('idle_in_transaction_session_timeout', :ms, true)"
        ),
        {"k": SEQUENCER_LOCK, "ms": str(LEADER_PAUSE_MS)},
    )
    return give_leaves(connection, key, limit) if leads.one()[0] else 0


@writes
def give_leaves(connection: Connection, key: bytes, limit: int = 512) -> int:
    """Give leaves to at most `limit` waiting entries, nobody else being at it; return how many.

    Raises IntegrityBroken for an entry whose HMAC does not hold or whose event was recorded before:
    it gets no leaf, and somebody must look.
    """
    waiting = connection.execute(
        select(t.entries.c.id, t.entries.c.event_id, t.entries.c.body, t.entries.c.mac)
        .join(t.unsequenced, t.unsequenced.c.entry_id == t.entries.c.id)
        .order_by(t.entries.c.id)
        .limit(limit)
    ).all()
    for entry_id, event_id, body, mac in waiting:
        if not hmac.compare_digest(entry_mac(key, bytes(body)), bytes(mac)):
            raise IntegrityBroken(f"entry row {entry_id} was not written by this application")
        # The column is unique; where the bytes name another event, they are a copy.
        if json.loads(bytes(body))["event"] != event_id:
            raise IntegrityBroken(f"entry row {entry_id} repeats the event of another")
    if waiting:
        _grow(connection, [(row.id, leaf_hash(bytes(row.body))) for row in waiting])
        connection.execute(
            delete(t.unsequenced).where(t.unsequenced.c.entry_id.in_([r.id for r in waiting]))
        )
    return len(waiting)


def stored_range(connection: Connection) -> CompactRange:
    """Read the compact range; an empty tree when there is no row yet."""
    row = _RANGE.first(connection)
    if row is None:
        return CompactRange()
    blob = bytes(row.hashes)
    return CompactRange(row.size, tuple(blob[i : i + 32] for i in range(0, len(blob), 32)))


def _grow(connection: Connection, entries: list[tuple[int, bytes]]) -> None:
    before = stored_range(connection)
    _LEAF.run(
        connection,
        *(
            {"leaf_index": before.size + i, "entry_id": entry_id, "hash": leaf}
            for i, (entry_id, leaf) in enumerate(entries)
        ),
    )
    after = before.extend(leaf for _, leaf in entries)
    hashes = b"".join(after.hashes)
    if before.size == 0:
        _HEAD.run(connection, {"id": 1, "size": after.size, "hashes": hashes})
    else:
        _GROWN.run(connection, {"new_size": after.size, "new_hashes": hashes})


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry row as `verify` and replay read it."""

    row_id: int
    index: int | None
    event_id: str
    kind: str
    at: datetime
    actor_kind: str
    actor_id: str | None
    body: bytes
    mac: bytes
    leaf: bytes | None


def raw(value: bytes | memoryview | str) -> bytes:
    """Return a stored column's bytes, also where an edit by SQL left text in their place."""
    return value.encode() if isinstance(value, str) else bytes(value)


def walk(connection: Connection, batch: int = 1000) -> Iterator[StoredEntry]:
    """Go through every entry in leaf order, then those that wait for a leaf, in small batches."""
    after = -1
    columns: tuple[Any, ...] = (t.entries, t.leaves.c.leaf_index, t.leaves.c.hash)
    while True:
        rows = connection.execute(
            select(*columns)
            .join(t.leaves, t.leaves.c.entry_id == t.entries.c.id)
            .where(t.leaves.c.leaf_index > after)
            .order_by(t.leaves.c.leaf_index)
            .limit(batch)
        ).all()
        for r in rows:
            yield _stored(r, r.leaf_index, raw(r.hash))
        if len(rows) < batch:
            break
        after = rows[-1].leaf_index
    rest = select(t.entries).where(t.entries.c.id.not_in(select(t.leaves.c.entry_id)))
    for r in connection.execute(rest.order_by(t.entries.c.id)):
        yield _stored(r, None, None)


def _stored(row: Row[Any], index: int | None, leaf: bytes | None) -> StoredEntry:
    return StoredEntry(
        row_id=row.id,
        index=index,
        event_id=row.event_id,
        kind=row.kind,
        at=row.at,
        actor_kind=row.actor_kind,
        actor_id=row.actor_id,
        body=raw(row.body),
        mac=raw(row.mac),
        leaf=leaf,
    )


def count_leaves(connection: Connection) -> int:
    """Return how many leaves there are."""
    return connection.execute(select(func.count()).select_from(t.leaves)).scalar_one()


# INSERT OR REPLACE deletes the row it replaces without firing the triggers of DELETE.
APPEND_ONLY_SQLITE = [
    *(
        f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} BEGIN "
        f"SELECT RAISE(ABORT, '{name} is append-only'); END"
        for name in ("entries", "leaves")
        for verb in ("UPDATE", "DELETE")
    ),
    (
        "CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries WHEN EXISTS "
        "(SELECT 1 FROM entries WHERE id = NEW.id OR event_id = NEW.event_id) "
        "BEGIN SELECT RAISE(ABORT, 'entries is append-only'); END"
    ),
    (
        "CREATE TRIGGER leaves_no_replace BEFORE INSERT ON leaves WHEN EXISTS "
        "(SELECT 1 FROM leaves WHERE leaf_index = NEW.leaf_index OR entry_id = NEW.entry_id) "
        "BEGIN SELECT RAISE(ABORT, 'leaves is append-only'); END"
    ),
]
APPEND_ONLY_POSTGRES = [
    (
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    ),
    *(
        f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        for name in ("entries", "leaves")
    ),
]
