"""Blobs on a local disk, under their SHA-256.

A blob is whole and durable before anybody may name it: written to `tmp/`, hashed as it streams,
fsynced, made read-only, renamed into `blobs/ab/`, and the directory fsynced. An fsync that fails is
final for that put (never retried on the same data). Names come from digests alone. Source:
security.md 6.2. Known gap: network file systems that lie about fsync are not detected.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from gatekeeper.adapters import disk
from gatekeeper.adapters.digests import (
    Source,
    check_announced,
    check_digest,
    copy_hashed,
    has_digest,
)
from gatekeeper.adapters.staging_local import LocalStaging
from gatekeeper.domain.catalogue import Stored
from gatekeeper.domain.errors import IntegrityBroken, Unavailable


class LocalObjects:
    """An `ObjectStore` in one directory; `tmp/` and `blobs/` must share a file system."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._held = str(self._blobs)  # a path joined anew costs more than the open itself
        self._tmp = root / "tmp"
        for directory in (self._blobs, self._tmp):
            directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        if self._blobs.stat().st_dev != self._tmp.stat().st_dev:
            raise Unavailable(f"{self._blobs} and {self._tmp} are on different file systems")
        self.staging = LocalStaging(root / "staging", self._tmp, self.put)

    def put(
        self,
        source: Source,
        size_bytes: int,
        progress: Callable[[int], None] | None = None,
        announced_sha256: str = "",
    ) -> Stored:
        """Hash and store a stream of exactly `size_bytes`; durable on return."""
        with disk.new_file(self._tmp) as (target, part):
            sha256, git_sha1 = copy_hashed(source, target.write, size_bytes, progress)
            check_announced(sha256, announced_sha256)
            disk.sync(target)
            return Stored(sha256, git_sha1, size_bytes, self._keep(part, sha256, size_bytes))

    def _keep(self, part: Path, sha256: str, size_bytes: int) -> bool:
        blob = self._path(sha256)
        blob.parent.mkdir(exist_ok=True, mode=0o750)
        disk.sync_directory(
            self._blobs
        )  # also when it was there: its maker may have died before this
        is_new = self.size(sha256) != size_bytes
        if is_new:
            part.chmod(0o440)
            part.rename(blob)
        # Also for a blob that is held: its first writer may have died before this line.
        disk.sync_directory(blob.parent)
        return is_new

    def size(self, sha256: str) -> int | None:
        """Return the blob's size in bytes, None when it is not held."""
        try:
            status = self._path(sha256).lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable("the store cannot be read") from error
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def open(self, sha256: str, start: int = 0, end: int | None = None) -> FileSlice:
        """Open bytes [start, end) of a blob, standing at the first."""
        try:
            blob = f"{self._held}/{self.path(sha256)}"
            descriptor = os.open(blob, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            # A link (ELOOP) is no blob of ours; without `blobs/` the store itself is gone.
            if error.errno in {errno.ENOENT, errno.ELOOP} and self._blobs.is_dir():
                raise IntegrityBroken(f"blob {sha256} is recorded and not held") from error
            raise Unavailable("the store cannot be read") from error
        return FileSlice(descriptor, start, os.fstat(descriptor).st_size if end is None else end)

    def verify(self, sha256: str, progress: Callable[[int], None] | None = None) -> bool:
        """Read the blob and say whether its bytes still have this digest."""
        return has_digest(self.open(sha256), sha256, progress)

    def walk(self) -> Iterator[tuple[str, int]]:
        """Go through (sha256, bytes) of every blob held."""
        for blob in self._blobs.glob("??/*"):
            yield blob.name, blob.lstat().st_size

    def sweep(self, older_than_seconds: int) -> int:
        """Delete what unfinished puts left longer ago; return how many."""
        before = time.time() - older_than_seconds  # noqa: TID251  against the file system's clock
        swept = 0
        for part in self._tmp.iterdir():
            with suppress(FileNotFoundError):  # its own put may finish meanwhile
                if part.stat().st_mtime < before:
                    part.unlink()
                    swept += 1
        return swept

    def path(self, sha256: str) -> str:
        """Return where a blob lies below `blobs/`, for a server that reads the same disk."""
        return f"{check_digest(sha256)[:2]}/{sha256}"

    def presign(self, sha256: str, seconds: int, disposition: str) -> None:
        """Give no address: a disk has none."""

    def check(self) -> None:
        """Find nothing to check: who may read the disk is the system's to say."""

    def is_ready(self) -> bool:
        """Say whether its folders are there and may be used; nothing is read or written."""
        return os.access(self._blobs, os.R_OK | os.X_OK) and os.access(self._tmp, os.W_OK)

    def _path(self, sha256: str) -> Path:
        return self._blobs / self.path(sha256)


class FileSlice:
    """Bytes [start, end) of an open file, as a server's sendfile and a plain reader see them."""

    def __init__(self, descriptor: int, start: int, end: int) -> None:
        self._descriptor = descriptor
        self._end = end
        self._left = end
        if start:
            self.seek(start)

    def fileno(self) -> int:
        """Return the descriptor, standing at the first byte; who sends it counts the bytes."""
        return self._descriptor

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes of what is left of the slice."""
        wanted = self._left if size < 0 else min(size, self._left)
        chunk = os.read(self._descriptor, wanted) if wanted else b""
        self._left -= len(chunk)
        return chunk

    def seek(self, offset: int, /) -> None:
        """Stand at a byte of the whole file; a server asks when the kernel could not send."""
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        self._left = max(0, self._end - offset)

    def close(self) -> None:
        """Close the descriptor; twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
