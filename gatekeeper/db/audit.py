"""Searches and verifies the ledger: keyset pages by entry id, never a count or an offset."""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import rfc8785
from sqlalchemy import ColumnElement, Connection, Row, func, select

from gatekeeper.db import ledger
from gatekeeper.db import tables as t
from gatekeeper.domain.facts import codec
from gatekeeper.domain.ledger import CompactRange, Entry, EntryFilter, TreeHead, leaf_hash
from gatekeeper.domain.people import EventId, PersonId


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with the ledger: `where` is a leaf index or an entry row."""

    where: str
    detail: str


class AuditReader:
    """The ledger over one connection."""

    def __init__(self, connection: Connection, key: bytes) -> None:
        self._c = connection
        self._key = key

    def search(self, want: EntryFilter) -> list[Entry]:
        """Return matching entries, newest first."""
        query = select(t.entries, t.leaves.c.leaf_index).outerjoin(
            t.leaves, t.leaves.c.entry_id == t.entries.c.id
        )
        place: ColumnElement[int] = t.entries.c.id
        for subject in want.subjects:
            mention = t.mentions.alias()
            place = mention.c.entry_id  # in the order of its own index, a page is read and no more
            query = query.join(mention, mention.c.entry_id == t.entries.c.id).where(
                mention.c.subject == subject
            )
        if want.kinds:
            query = query.where(t.entries.c.kind.in_(want.kinds))
        if want.since is not None:
            query = query.where(t.entries.c.at >= want.since)
        if want.until is not None:
            query = query.where(t.entries.c.at < want.until)
        if want.before is not None:
            query = query.where(place < want.before)
        rows = self._c.execute(query.order_by(place.desc()).limit(want.limit))
        return [_entry(row) for row in rows]

    def actors(self, kind: str, subjects: Collection[str]) -> dict[str, PersonId]:
        """Return who recorded the entry of a kind about each of these, where a person did."""
        entries, mentions = t.entries.c, t.mentions.c
        rows = self._c.execute(
            select(mentions.subject, entries.actor_id)
            .join(t.mentions, mentions.entry_id == entries.id)
            .where(entries.kind == kind, mentions.subject.in_(subjects))
        )
        return {subject: PersonId(actor) for subject, actor in rows if actor is not None}

    def head(self) -> TreeHead:
        """Return size and root of the tree."""
        stored = ledger.stored_range(self._c)
        return TreeHead(stored.size, stored.root().hex())

    def unsequenced(self) -> int:
        """Return how many entries wait for a leaf."""
        return self._c.execute(select(func.count()).select_from(t.unsequenced)).scalar_one()

    def walk(self) -> Iterator[ledger.StoredEntry]:
        """Go through every entry in leaf order."""
        return ledger.walk(self._c)

    def verify(self) -> Iterator[Finding]:
        """Check form, HMAC, index and hash of every entry, and the stored range; yield findings."""
        tree = CompactRange()
        seen: set[str] = set()
        for stored in ledger.walk(self._c):
            where = f"leaf {stored.index}" if stored.index is not None else f"row {stored.row_id}"
            for detail in self._faults(stored, tree.size, seen):
                yield Finding(where, detail)
            seen.add(stored.event_id)
            if stored.index is not None:
                tree = tree.append(leaf_hash(stored.body))
        if tree != ledger.stored_range(self._c):
            yield Finding("tree", "the stored range is not the root of the entries")
        if tree.size != ledger.count_leaves(self._c):
            yield Finding("tree", "there are leaves without an entry")

    def _faults(
        self, stored: ledger.StoredEntry, expected_index: int, seen: set[str]
    ) -> Iterator[str]:
        if not hmac.compare_digest(ledger.entry_mac(self._key, stored.body), stored.mac):
            yield "its HMAC does not hold: it was not written by this application"
        if stored.index is not None:
            if stored.index != expected_index:
                yield f"index {expected_index} was expected: an entry is missing or moved"
            if stored.leaf != leaf_hash(stored.body):
                yield "its leaf hash is not the hash of its bytes"
        if stored.event_id in seen:
            yield "its event id was used before"
        yield from _malformed(stored)


def _malformed(stored: ledger.StoredEntry) -> Iterator[str]:
    try:
        parsed = json.loads(stored.body)
        again = rfc8785.dumps(parsed)
        actor = parsed["actor"]
        written = (parsed["event"], parsed["kind"], parsed["at"], actor["kind"], actor["id"])
    except (ValueError, LookupError, TypeError, rfc8785.CanonicalizationError):
        yield "it is no entry in canonical JSON"
        return
    if again != stored.body:
        yield "it is no entry in canonical JSON"
    columns = (stored.event_id, stored.kind, codec.moment(stored.at))
    if written != (*columns, stored.actor_kind, stored.actor_id):
        yield "its columns do not match its bytes"


def _entry(row: Row[Any]) -> Entry:
    body = ledger.raw(row.body)
    parsed = json.loads(body)
    return Entry(
        index=row.leaf_index,
        row_id=row.id,
        event_id=EventId(row.event_id),
        kind=row.kind,
        at=row.at,
        actor_kind=row.actor_kind,
        actor_id=row.actor_id,
        data=parsed["data"],
        body=body,
    )
