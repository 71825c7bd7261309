"""What hf_xet makes of files: xorbs of chunks, and a shard that says how files are made of them.

Written from the documentation of the formats, not from the code that reads them. Names of xorbs are
not those that hf_xet would compute; nobody here compares them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import lz4.frame

TAG = b"HFRepoMetaData\0UigEj{\x81W\x83\xa5\xbd\xd9\\\xcd\xd1J\xa9"
VERIFIED, WITH_SHA256 = 0x8000_0000, 0x4000_0000
END = b"\xff" * 32 + bytes(16)
RAW, LZ4, GROUPED = 0, 1, 2
CHUNK = 64 << 10


def packed(content: bytes, kind: int) -> bytes:
    """Pack a chunk's bytes."""
    if kind == GROUPED:
        content = b"".join(content[place::4] for place in range(4))
    return content if kind == RAW else lz4.frame.compress(content)


def chunk(content: bytes, kind: int = RAW, **lies: int) -> bytes:
    """Write a chunk; `packed_bytes`, `size_bytes` and `version` may be other than they are."""
    body = packed(content, kind)
    return framed(body, lies.get("size_bytes", len(content)), kind, **lies)


def framed(body: bytes, size_bytes: int, kind: int, **lies: int) -> bytes:
    """Write a chunk of bytes that are packed already."""
    packed_bytes = lies.get("packed_bytes", len(body))
    head = bytes([lies.get("version", 0)]) + packed_bytes.to_bytes(3, "little")
    return head + bytes([kind]) + size_bytes.to_bytes(3, "little") + body


def named(label: str) -> str:
    """Name a xorb."""
    return hashlib.sha256(label.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Term:
    """Chunks of a xorb as a shard names them."""

    xorb: str
    size_bytes: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class File:
    """A file as a shard has it; '' is no SHA-256."""

    terms: Sequence[Term]
    sha256: str
    count: int | None = None  # of its terms, where it lies


def cut(content: bytes, size: int = CHUNK) -> list[bytes]:
    """Cut bytes into chunks."""
    return [content[at : at + size] for at in range(0, len(content), size)]


def xorb_of(content: bytes, *kinds: int) -> bytes:
    """Write a xorb of these bytes, its chunks packed in these ways in turn."""
    ways = kinds or (RAW,)
    return b"".join(chunk(c, ways[n % len(ways)]) for n, c in enumerate(cut(content)))


def term(xorb: str, content: bytes, start: int = 0) -> Term:
    """Name all chunks of these bytes, from one of the xorb on."""
    return Term(xorb, len(content), start, start + len(cut(content)))


def file(content: bytes, *terms: Term) -> File:
    """Write how a file is made."""
    return File(terms, hashlib.sha256(content).hexdigest())


def shard(*files: File, version: int = 2, tag: bytes = TAG) -> bytes:
    """Write a shard without a footer, as it is uploaded."""
    return struct.pack("<32sQQ", tag, version, 0) + b"".join(map(_file, files)) + END + END


def _file(file: File) -> bytes:
    flags = VERIFIED | (WITH_SHA256 if file.sha256 else 0)
    count = len(file.terms) if file.count is None else file.count
    found = struct.pack("<32sII8x", b"f" * 32, flags, count)
    for term in file.terms:
        numbers = (0, term.size_bytes, term.start, term.end)
        found += struct.pack("<32sIIII", raw(term.xorb), *numbers)
    found += b"v" * 48 * len(file.terms)
    return found + (raw(file.sha256) + bytes(16) if file.sha256 else b"")


def raw(text: str) -> bytes:
    """Return a digest's bytes as Xet writes them: each eight of them the other way round."""
    return b"".join(bytes.fromhex(text[at : at + 16])[::-1] for at in range(0, 64, 16))
