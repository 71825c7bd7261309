"""Putting a file together from chunks of xorbs that lie in the staging area, as one stream.

Memory holds one xorb, where the chunks of others begin, and the megabyte that is asked for. A xorb
is read once from its beginning to its end; who comes back to it later is read what it names alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping

from gatekeeper.domain.errors import invalid
from gatekeeper.domain.uploads import Staging
from gatekeeper.domain.xet import Recipe, Term, chunk_at, offsets_of, packed_of
from gatekeeper.services.ports import StagingArea
from gatekeeper.services.uploads.unpacking import unpack

# Of the xorbs that one shard names, together: those of 256 GiB, and 16 MiB of memory.
MOST_KNOWN_CHUNKS = 1 << 22


class Xorbs:
    """The xorbs that a shard may name, by their names."""

    def __init__(self, area: StagingArea, there: Mapping[str, Staging]) -> None:
        self._area = area
        self._there = there
        self._offsets: dict[str, array[int]] = {}
        self._known_chunks = 0
        self._last: tuple[str, bytes] = ("", b"")

    def chunks(self, term: Term) -> Iterator[bytes]:
        """Go through the chunks of a term, unpacked; they are as many bytes as it says.

        Raises: Invalid for chunks that are not there or broken, NotFound for a xorb that was given
        up, Unavailable.
        """
        offsets = self._known(term.xorb)
        if term.end >= len(offsets):
            raise invalid("shard", f"xorb {term.xorb} has {len(offsets) - 1} chunks")
        begin = offsets[term.start]
        body = self._read(term.xorb, begin, offsets[term.end])
        left = term.size_bytes
        for offset in offsets[term.start : term.end]:
            chunk = chunk_at(body, offset - begin)
            left -= chunk.size_bytes
            if left < 0:
                break
            yield unpack(chunk, packed_of(body, offset - begin, chunk))
        if left:
            raise invalid("shard", f"these chunks are not {term.size_bytes} bytes")

    def _known(self, xorb: str) -> array[int]:
        found = self._offsets.get(xorb)
        if found is None:
            whole = self._area.read(self._there[xorb], 0, self._there[xorb].size_bytes)
            found = self._offsets[xorb] = offsets_of(memoryview(whole))
            self._last = (xorb, whole)
            self._known_chunks += len(found)
            if self._known_chunks > MOST_KNOWN_CHUNKS:
                raise invalid("shard", "its xorbs have too many chunks; upload fewer files at once")
        return found

    def _read(self, xorb: str, start: int, end: int) -> memoryview:
        name, whole = self._last
        if name == xorb:
            return memoryview(whole)[start:end]
        return memoryview(self._area.read(self._there[xorb], start, end))


class Assembled:
    """A file as its recipe has it, to be read once."""

    def __init__(self, recipe: Recipe, xorbs: Xorbs) -> None:
        self._chunks = (chunk for term in recipe.terms() for chunk in xorbs.chunks(term))
        self._buffer = bytearray()

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, fewer than `size` only at the end; raises as `Xorbs.chunks`."""
        while size < 0 or len(self._buffer) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._buffer += chunk
        end = len(self._buffer) if size < 0 else size
        found = bytes(self._buffer[:end])
        del self._buffer[:end]
        return found
