"""Uploads in parts: what one is, how it is cut, and which way it goes from there.

An upload holds bytes for one file of one model, and nobody sees them: only a revision that is
published makes a file. Not here: where parts lie (services/ports), who may upload (services).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from gatekeeper.domain.catalogue import ModelId
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.people import PersonId

UploadId = NewType("UploadId", str)

MOST_PARTS = 10_000  # S3 takes no more
# Where xorbs lie until files are put together from them: they become none, and are counted apart.
XORBS = ".git/xet/"
# Where blobs lie until a commit names them: below it, a path ends in the digest.
BLOBS = ".git/lfs/objects/"
MOST_XORBS = 10_000  # of a person; 640 GB where they are as large as they may be
_MIB = 1 << 20


class UploadState(StrEnum):
    """How far an upload is; published or given up, it is gone."""

    OPEN = "open"  # parts may come
    VERIFYING = "verifying"  # all have come; the worker reads and hashes them
    READY = "ready"  # held under its digest, and may become a file
    FAILED = "failed"  # what came is not what was announced


@dataclass(frozen=True, slots=True)
class Staging:
    """Where a store keeps the parts of one upload; `key` is the store's own word for it."""

    id: UploadId
    size_bytes: int
    part_bytes: int
    key: str = ""

    @property
    def parts(self) -> int:
        """Return how many parts there are; an empty file has none."""
        return -(-self.size_bytes // self.part_bytes)

    def size_of(self, number: int) -> int:
        """Return the bytes of a part, counted from 1; raises NotFound for one there is not."""
        if not 1 <= number <= self.parts:
            raise NotFound("there is no such part")
        return min(self.part_bytes, self.size_bytes - (number - 1) * self.part_bytes)


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes on their way to `path` of a model; `mark` is what its person knows the source by.

    `announced_sha256` is '' when nobody said; `sha256` and `git_sha1` are what was read, '' before
    it is ready; `detail` says what went wrong. It is given up at `expires_at`, unless somebody
    comes back to it before.
    """

    staging: Staging
    person_id: PersonId
    model_id: ModelId
    path: str
    mark: str
    announced_sha256: str
    state: UploadState
    sha256: str
    git_sha1: str
    detail: str
    created_at: datetime
    expires_at: datetime

    @property
    def id(self) -> UploadId:
        """Return the random id that its addresses and its staging bear."""
        return self.staging.id


def part_size(size_bytes: int, usual_bytes: int) -> int:
    """Return how large the parts of a file are: the usual, or what makes 10,000 parts enough."""
    if size_bytes <= usual_bytes * MOST_PARTS:
        return usual_bytes
    return -(-size_bytes // (MOST_PARTS * _MIB)) * _MIB
