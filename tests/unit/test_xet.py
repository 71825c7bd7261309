"""Xet's formats, read with suspicion: what is altered or cut off is refused, or is another one."""

from __future__ import annotations

import hashlib
import itertools
from contextlib import suppress

import pytest

from gatekeeper.domain.errors import Invalid
from gatekeeper.domain.xet import (
    MOST_CHUNKS,
    MOST_FILES,
    chunk_at,
    hash_text,
    offsets_of,
    packed_of,
    read_shard,
)
from gatekeeper.services.uploads.unpacking import unpack
from tests.http.hub import xet_builder as x

TEXT = b"".join(b"line %d\n" % n for n in range(20_000))[:150_003]
XORB = x.xorb_of(TEXT, x.GROUPED, x.LZ4, x.RAW)
SHARD = x.shard(x.file(TEXT, x.term(x.named("a"), TEXT)), x.file(b"b", x.term(x.named("b"), b"b")))


def unpacked(xorb: bytes) -> bytes:
    """Return all that is in a xorb."""
    view = memoryview(xorb)
    chunks = [(at, chunk_at(view, at)) for at in offsets_of(view)[:-1]]
    return b"".join(unpack(chunk, packed_of(view, at, chunk)) for at, chunk in chunks)


def test_a_digest_is_written_as_the_documentation_has_it() -> None:
    """Source: hub-docs docs/xet/api.md, the example of converting hashes to strings."""
    written = "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918"
    assert hash_text(bytes(range(32))) == written
    assert x.raw(written) == bytes(range(32))


def test_what_was_written_is_read() -> None:
    assert unpacked(XORB) == TEXT
    first, second = read_shard(SHARD)
    assert (first.sha256, first.size_bytes) == (hashlib.sha256(TEXT).hexdigest(), len(TEXT))
    [term] = first.terms()
    assert (term.xorb, term.size_bytes, term.start, term.end) == (x.named("a"), len(TEXT), 0, 3)
    assert second.size_bytes == 1


def test_a_shard_that_is_cut_off_anywhere_is_none() -> None:
    for end in range(len(SHARD) - 95):  # what follows the files is not read
        with pytest.raises(Invalid, match="no shard"):
            read_shard(SHARD[:end])


def test_altered_bytes_are_refused_or_read_as_what_they_say() -> None:
    """And nothing else happens: no other exception, and no more bytes than were declared."""
    for at, flip in itertools.product(range(len(SHARD)), (0x01, 0x80, 0xFF)):
        with suppress(Invalid):
            read_shard(SHARD[:at] + bytes([SHARD[at] ^ flip]) + SHARD[at + 1 :])
    for at, flip in itertools.product(range(0, len(XORB), 97), (0x01, 0x80, 0xFF)):
        with suppress(Invalid):
            altered = unpacked(XORB[:at] + bytes([XORB[at] ^ flip]) + XORB[at + 1 :])
            assert len(altered) <= 3 * (128 << 10)


def test_a_xorb_has_so_many_chunks_and_a_shard_so_many_files() -> None:
    one = x.chunk(b"1")
    assert len(offsets_of(memoryview(one * MOST_CHUNKS))) == MOST_CHUNKS + 1
    with pytest.raises(Invalid, match="too many chunks"):
        offsets_of(memoryview(one * (MOST_CHUNKS + 1)))
    files = [x.file(b"1", x.term(x.named("a"), b"1"))] * (MOST_FILES + 1)
    with pytest.raises(Invalid, match="files"):
        read_shard(x.shard(*files))
    assert len(read_shard(x.shard(*files[1:]))) == MOST_FILES
