"""fsck: every blob a revision names is held, whole and unaltered; nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gatekeeper.db.readers import Readers
from gatekeeper.services.ports import House


@dataclass(frozen=True, slots=True)
class BlobFault:
    """One blob that is missing, of another size or altered."""

    sha256: str
    detail: str


@dataclass(frozen=True, slots=True)
class Subset:
    """The n-th of t parts of all blobs, by digest; 1/1 is all."""

    part: int = 1
    of: int = 1

    def holds(self, sha256: str) -> bool:
        """Say whether a digest belongs to this part."""
        return int(sha256[:8], 16) % self.of == self.part - 1


def fsck(
    house: House,
    *,
    read_data: bool = False,
    subset: Subset | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[BlobFault]:
    """Check each blob a revision names; `read_data` hashes every byte. Yields what is wrong."""
    part = subset or Subset()
    for sha256, size_bytes in _named(house):
        if not part.holds(sha256):
            continue
        fault = fault_of(house, sha256, size_bytes)
        if fault is not None:
            yield fault
        elif read_data and not house.objects.verify(sha256, progress):
            yield BlobFault(sha256, "its bytes have another digest")


def fault_of(house: House, sha256: str, size_bytes: int) -> BlobFault | None:
    """Return what is wrong with a blob by its name and size, None when nothing is."""
    held = house.objects.size(sha256)
    if held is None:
        return BlobFault(sha256, "missing")
    if held != size_bytes:
        return BlobFault(sha256, f"{held} bytes are held, {size_bytes} were recorded")
    return None


def size_of(house: House, subset: Subset | None = None) -> int:
    """Return how many bytes the blobs have that revisions name: what `read_data` reads."""
    part = subset or Subset()
    return sum(size_bytes for sha256, size_bytes in _named(house) if part.holds(sha256))


def unnamed(house: House) -> Iterator[str]:
    """Go through blobs no revision names: a publish that was never finished, or is running."""
    named = {sha256 for sha256, _ in _named(house)}
    return (sha256 for sha256, _ in house.objects.walk() if sha256 not in named)


def _named(house: House) -> Iterator[tuple[str, int]]:
    after = ""
    while True:
        with house.db.reading() as read:
            rows = read.catalogue.blobs(after)
        yield from rows
        if not rows:
            return
        after = rows[-1][0]


def named_in(read: Readers) -> Iterator[tuple[str, int]]:
    """Go through (sha256, bytes) of the blobs that revisions name in one snapshot, by digest."""
    after = ""
    while rows := read.catalogue.blobs(after):
        yield from rows
        after = rows[-1][0]
