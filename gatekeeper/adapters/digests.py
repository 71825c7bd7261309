"""Digests of blobs: computed while bytes pass by, checked before a name is made of one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from gatekeeper.domain.errors import IntegrityBroken, invalid

CHUNK_BYTES = 1 << 20
_DIGEST = re.compile("[0-9a-f]{64}")
_UPLOAD_ID = re.compile(r"upl_[0-9a-f]{24}")


class Source(Protocol):
    """What can be read to its end."""

    def read(self, size: int = -1, /) -> bytes: ...


class Readable(Source, Protocol):
    """What can be read to its end and closed."""

    def close(self) -> None: ...


def check_digest(sha256: str) -> str:
    """Return a digest that may become part of a name; raises IntegrityBroken for anything else."""
    if not _DIGEST.fullmatch(sha256):
        raise IntegrityBroken(f"{sha256[:80]!r} is no digest")
    return sha256


def check_upload_id(upload_id: str) -> str:
    """Return an upload's id that may become a name; raises IntegrityBroken for anything else."""
    if not _UPLOAD_ID.fullmatch(upload_id):
        raise IntegrityBroken(f"{upload_id[:80]!r} is no upload's id")
    return upload_id


def check_announced(sha256: str, announced_sha256: str) -> None:
    """Raise Invalid when bytes have another digest than the one announced, if one was."""
    if announced_sha256 not in {"", sha256}:
        raise invalid("sha256", f"{announced_sha256} was announced; what came has {sha256}")


def copy_exactly(
    source: Source,
    write: Callable[[bytes], object],
    size_bytes: int,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Read exactly `size_bytes` in megabytes and give each to `write`.

    Raises Invalid when the source has more bytes or fewer.
    """
    done = 0
    while chunk := source.read(CHUNK_BYTES):
        done += len(chunk)
        if done > size_bytes:
            break
        write(chunk)
        if progress is not None:
            progress(done)
    if done != size_bytes:
        raise invalid(
            "size_bytes", f"{size_bytes} bytes were announced; the file changed meanwhile"
        )


def copy_hashed(
    source: Source,
    write: Callable[[bytes], object],
    size_bytes: int,
    progress: Callable[[int], None] | None = None,
) -> tuple[str, str]:
    """Copy as `copy_exactly` does; return SHA-256 and git SHA-1. Raises Invalid.

    SHA-256 takes as long as all the rest, which is done by a second thread meanwhile.
    """
    sha256 = hashlib.sha256()
    git_sha1 = hashlib.sha1(b"blob %d\x00" % size_bytes, usedforsecurity=False)

    def do_rest(chunk: bytes) -> None:
        git_sha1.update(chunk)
        write(chunk)

    with ThreadPoolExecutor(1) as beside:

        def take(chunk: bytes) -> None:
            rest = beside.submit(do_rest, chunk)
            sha256.update(chunk)
            rest.result()

        copy_exactly(source, take, size_bytes, progress)
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
