"""Xet's two formats, as far as an upload needs them: how files are put together, and of what.

A xorb is a sequence of chunks, each packed by itself behind a header of 8 bytes. A shard says of
which ranges of chunks each file is made, and what SHA-256 it has. No length and no count is
believed before it was compared with what came.
Source: hub-docs docs/xet/shard.md, xorb.md and api.md; hf-wire.md 4.5.

Not here: unpacking (services/uploads/unpacking), whose xorbs they are (services/uploads/xet).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from gatekeeper.domain.errors import Invalid, invalid

# hf_xet 1.8 fills a xorb with 64 MiB of chunks; their headers, and a footer, come on top.
LARGEST_XORB_BYTES = 65 << 20
LARGEST_SHARD_BYTES = 64 << 20
LARGEST_CHUNK_BYTES = 128 << 10
MOST_CHUNKS = 1 << 16  # of a xorb; the clients put 8,192 into one
MOST_FILES = 10_000  # of a shard; the clients commit at most 1,000 at once
# Chunks have 8 KiB or more, but for a file's last: one made of crumbs would cost hours to unpack.
LEAST_MEAN_BYTES = 4 << 10
FEW_CHUNKS = 64

_TAG = b"HFRepoMetaData\x00" + bytes.fromhex("5569 6745 6a7b 8157 83a5 bdd9 5ccd d14a a9")
_VERSION = 2
_HEAD = struct.Struct("<32sQQ")
_FILE = struct.Struct("<32sII8x")
_TERM = struct.Struct("<32s4xIII")
_ENTRY_BYTES = 48
_END = b"\xff" * 32
_IS_VERIFIED, _HAS_SHA256 = 1 << 31, 1 << 30

_CHUNK_BYTES = 8
_FOOTER = b"XETBLOB"
_SLACK_BYTES = 64  # what a frame may cost; the clients leave unpacked what would grow


class Packing(IntEnum):
    """How a chunk is packed."""

    RAW = 0
    LZ4 = 1
    GROUPED_LZ4 = 2  # the first of each four bytes, then the second of each, and so on


@dataclass(frozen=True, slots=True)
class Term:
    """Chunks [start, end) of a xorb, `size_bytes` when they are unpacked."""

    xorb: str
    size_bytes: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a file is put together, and what comes of it; its terms are read from `entries`."""

    sha256: str
    size_bytes: int
    entries: memoryview

    def terms(self) -> Iterator[Term]:
        """Go through the terms, in the order of their bytes in the file."""
        for xorb, size_bytes, start, end in _TERM.iter_unpack(self.entries):
            yield Term(hash_text(xorb), size_bytes, start, end)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of a xorb: how it is packed, and its bytes packed and unpacked."""

    packing: Packing
    packed_bytes: int
    size_bytes: int


def hash_text(raw: bytes) -> str:
    """Return a digest as Xet writes it: four numbers of eight bytes, the lowest byte first."""
    return "{:016x}{:016x}{:016x}{:016x}".format(*struct.unpack("<4Q", raw))


def read_shard(body: bytes) -> list[Recipe]:
    """Return the files of a shard; what it says of xorbs is left unread.

    Raises: Invalid for what is no shard, breaks off, or has a file that could not be.
    """
    entries = _Entries(body)
    tag, version, _ = _HEAD.unpack(entries.take(1))
    if tag != _TAG or version != _VERSION:
        raise _no_shard(f"it does not begin as one of version {_VERSION} does")
    found: list[Recipe] = []
    while (recipe := _recipe(entries)) is not None:
        found.append(recipe)
        if len(found) > MOST_FILES:
            raise _no_shard(f"it has more than {MOST_FILES} files")
    return found


def _recipe(entries: _Entries) -> Recipe | None:
    file, flags, count = _FILE.unpack(entries.take(1))
    if file == _END:
        return None
    terms = entries.take(count)
    if flags & _IS_VERIFIED:
        entries.take(count)
    if not flags & _HAS_SHA256:
        raise _no_shard("a file has no SHA-256")
    sha256 = hash_text(bytes(entries.take(1)[:32]))
    size_bytes = chunks = 0
    for _, term_bytes, start, end in _TERM.iter_unpack(terms):
        if not start < end <= MOST_CHUNKS or not term_bytes:
            raise _no_shard("a term of a file has no chunks")
        size_bytes, chunks = size_bytes + term_bytes, chunks + end - start
    if chunks > size_bytes // LEAST_MEAN_BYTES + FEW_CHUNKS:
        raise _no_shard(f"a file of {size_bytes} bytes has {chunks} chunks")
    return Recipe(sha256, size_bytes, terms)


class _Entries:
    """The entries of a shard, all of one size, one after another."""

    def __init__(self, body: bytes) -> None:
        self._left = memoryview(body)

    def take(self, count: int) -> memoryview:
        """Return the next ones; raises Invalid where there are fewer."""
        size_bytes = count * _ENTRY_BYTES
        if size_bytes > len(self._left):
            raise _no_shard("it breaks off")
        taken, self._left = self._left[:size_bytes], self._left[size_bytes:]
        return taken


def offsets_of(xorb: memoryview) -> array[int]:
    """Return where each chunk of a xorb begins, and at last where the last one ends.

    Raises: Invalid for what is no xorb.
    """
    offsets, at = array("I", [0]), 0
    while at < len(xorb) and xorb[at : at + len(_FOOTER)] != _FOOTER:
        at += _CHUNK_BYTES + chunk_at(xorb, at).packed_bytes
        offsets.append(at)
        if at > len(xorb) or len(offsets) > MOST_CHUNKS + 1:
            raise _no_xorb("it breaks off, or has too many chunks")
    return offsets


def chunk_at(xorb: memoryview, at: int) -> Chunk:
    """Read the header of a chunk; raises Invalid for one that could not be."""
    head = bytes(xorb[at : at + _CHUNK_BYTES])
    if len(head) < _CHUNK_BYTES or head[0] or head[4] not in set(Packing):
        raise _no_xorb("a chunk does not begin as one does")
    packed_bytes, size_bytes = (int.from_bytes(head[i : i + 3], "little") for i in (1, 5))
    chunk = Chunk(Packing(head[4]), packed_bytes, size_bytes)
    slack = 0 if chunk.packing is Packing.RAW else _SLACK_BYTES
    if not 0 < size_bytes <= LARGEST_CHUNK_BYTES or packed_bytes > size_bytes + slack:
        raise _no_xorb(f"a chunk of {size_bytes} bytes is packed into {packed_bytes}")
    return chunk


def packed_of(xorb: memoryview, at: int, chunk: Chunk) -> memoryview:
    """Return the packed bytes of a chunk whose header is at `at`."""
    return xorb[at + _CHUNK_BYTES : at + _CHUNK_BYTES + chunk.packed_bytes]


def _no_shard(why: str) -> Invalid:
    return invalid("shard", f"this is no shard: {why}")


def _no_xorb(why: str) -> Invalid:
    return invalid("xorb", f"this is no xorb: {why}")
