"""The Merkle tree of the audit ledger: leaf and node hashes, and the compact range that grows it.

Source: RFC 6962 section 2.1 (leaf = SHA-256(0x00 || bytes), node = SHA-256(0x01 || l || r)).
Not here: canonical JSON and storage (db/ledger).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gatekeeper.domain.people import EventId

MAX_ENTRY_BYTES = 16 * 1024
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return the 32-byte hash of one entry's canonical bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class CompactRange:
    """A tree of `size` leaves as the roots of its perfect subtrees, largest first."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> CompactRange:
        """Return the range with one more leaf hash."""
        hashes = [*self.hashes, leaf]
        size = self.size
        while size & 1:
            right = hashes.pop()
            hashes.append(node_hash(hashes.pop(), right))
            size >>= 1
        return CompactRange(self.size + 1, tuple(hashes))

    def extend(self, leaves: Iterable[bytes]) -> CompactRange:
        """Return the range with more leaf hashes, in order."""
        grown = self
        for leaf in leaves:
            grown = grown.append(leaf)
        return grown

    def root(self) -> bytes:
        """Return the tree's root; SHA-256 of nothing for an empty tree."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact as stored: canonical bytes, its leaf index (None until sequenced) and its parts."""

    index: int | None
    row_id: int
    event_id: EventId
    kind: str
    at: datetime
    actor_kind: str
    actor_id: str | None
    data: dict[str, object]
    body: bytes


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries; `subjects` must all be mentioned. Pages go down from `before` (entry row)."""

    subjects: Sequence[str] = ()
    kinds: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class TreeHead:
    """Size and root of the ledger's tree."""

    size: int
    root_hex: str
