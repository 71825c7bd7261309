"""Unpacking a chunk of a xorb: never more than it says it has, whatever its frame would become.

The only home of lz4. Source: hub-docs docs/xet/xorb.md (compression schemes).
"""

from __future__ import annotations

from lz4.frame import LZ4FrameDecompressor

from gatekeeper.domain.errors import invalid
from gatekeeper.domain.xet import Chunk, Packing


def unpack(chunk: Chunk, packed: memoryview) -> bytes:
    """Return a chunk's bytes; raises Invalid when they are not as many as it says."""
    match chunk.packing:
        case Packing.RAW:
            found = bytes(packed)
        case Packing.LZ4:
            found = _unframed(packed, chunk.size_bytes)
        case Packing.GROUPED_LZ4:
            found = _ungrouped(_unframed(packed, chunk.size_bytes))
    if len(found) != chunk.size_bytes:
        raise invalid("xorb", f"a chunk has {len(found)} bytes, not {chunk.size_bytes}")
    return found


def _unframed(packed: memoryview, size_bytes: int) -> bytes:
    """Return what one whole frame holds; it is left after the first byte that is too many."""
    frame = LZ4FrameDecompressor()
    try:
        found: bytes = frame.decompress(packed, max_length=size_bytes + 1)
    except RuntimeError as error:  # all that lz4 raises for a frame that is none
        raise invalid("xorb", "a chunk is no LZ4 frame") from error
    if not frame.eof or frame.unused_data:
        raise invalid("xorb", f"a chunk is not one LZ4 frame of {size_bytes} bytes")
    return found


def _ungrouped(grouped: bytes) -> bytes:
    found, at = bytearray(len(grouped)), 0
    for place in range(4):
        count = len(found[place::4])
        found[place::4] = grouped[at : at + count]
        at += count
    return bytes(found)
