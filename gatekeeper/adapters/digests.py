"""Digests of blobs: computed while bytes pass by, checked before a name is made of one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import BinaryIO, Protocol

from gatekeeper.domain.errors import IntegrityBroken, invalid

CHUNK_BYTES = 1 << 20
_DIGEST = re.compile("[0-9a-f]{64}")


class Readable(Protocol):
    """What can be read to its end and closed."""

    def read(self, size: int = -1, /) -> bytes: ...
    def close(self) -> None: ...


def check_digest(sha256: str) -> str:
    """Return a digest that may become part of a name; raises IntegrityBroken for anything else."""
    if not _DIGEST.fullmatch(sha256):
        raise IntegrityBroken(f"{sha256[:80]!r} is no digest")
    return sha256


def copy_hashed(
    source: BinaryIO,
    write: Callable[[bytes], object],
    size_bytes: int,
    progress: Callable[[int], None] | None = None,
) -> tuple[str, str]:
    """Read exactly `size_bytes` in megabytes, give each to `write`; return SHA-256 and git SHA-1.

    Raises Invalid when the source has more bytes or fewer.
    """
    sha256 = hashlib.sha256()
    git_sha1 = hashlib.sha1(b"blob %d\x00" % size_bytes, usedforsecurity=False)
    done = 0
    while chunk := source.read(CHUNK_BYTES):
        done += len(chunk)
        if done > size_bytes:
            break
        sha256.update(chunk)
        git_sha1.update(chunk)
        write(chunk)
        if progress is not None:
            progress(done)
    if done != size_bytes:
        raise invalid(
            "size_bytes", f"{size_bytes} bytes were announced; the file changed meanwhile"
        )
    return sha256.hexdigest(), git_sha1.hexdigest()


def has_digest(source: Readable, sha256: str, progress: Callable[[int], None] | None) -> bool:
    """Read a blob to its end, close it, and say whether its bytes have this digest."""
    hashed = hashlib.sha256()
    try:
        while chunk := source.read(CHUNK_BYTES):
            hashed.update(chunk)
            if progress is not None:
                progress(len(chunk))
    finally:
        source.close()
    return hashed.hexdigest() == sha256
