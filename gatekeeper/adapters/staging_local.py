"""Uploads in parts on a local disk: a folder for each, a file for each part.

A part is written to `tmp/`, fsynced and renamed into its folder, so it is there whole or not at
all, and sending it twice is harmless. Finishing streams the parts into a new blob, hashed on the
way: the blob is a copy, so no part that comes late can change what was hashed. Until the upload is
given up its bytes lie on the disk twice.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Container, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import BinaryIO, Protocol

from gatekeeper.adapters import disk
from gatekeeper.adapters.digests import Source, check_upload_id, copy_exactly
from gatekeeper.domain.catalogue import Stored
from gatekeeper.domain.errors import NotFound, invalid
from gatekeeper.domain.uploads import Staging, UploadId


class Put(Protocol):
    """How the store makes a blob of a stream, if it has the digest that was announced."""

    def __call__(
        self,
        source: Joined,
        size_bytes: int,
        progress: Callable[[int], None] | None,
        announced_sha256: str,
    ) -> Stored: ...


class LocalStaging:
    """A `StagingArea` in one directory, on the file system of `tmp`."""

    def __init__(self, root: Path, tmp: Path, put: Put) -> None:
        self._root = root
        self._tmp = tmp
        self._put = put
        root.mkdir(parents=True, exist_ok=True, mode=0o750)

    def begin(self, upload_id: UploadId, size_bytes: int, part_bytes: int) -> Staging:
        """Make the folder of an upload."""
        staging = Staging(upload_id, size_bytes, part_bytes)
        with disk.faults():
            self._folder(staging).mkdir(mode=0o750)
            disk.sync_directory(self._root)
        return staging

    def address(self, staging: Staging, number: int, seconds: int) -> None:  # noqa: ARG002
        """Give no address: a disk has none."""
        staging.size_of(number)

    def receive(self, staging: Staging, number: int, source: Source) -> None:
        """Keep one part; durable on return, and whole or not there at all."""
        size_bytes, folder = staging.size_of(number), self._there(staging)
        with disk.new_file(self._tmp) as (target, path):
            copy_exactly(source, target.write, size_bytes)
            disk.sync(target)
            try:
                path.rename(folder / str(number))
                disk.sync_directory(folder)
            except FileNotFoundError as error:
                raise NotFound(GONE) from error

    def parts(self, staging: Staging) -> frozenset[int]:
        """Return the numbers of the parts that are there."""
        with disk.faults():
            return frozenset(int(part.name) for part in self._there(staging).iterdir())

    def read(self, staging: Staging, start: int, end: int) -> bytes:
        """Read from each part what lies in it."""
        folder, size_bytes, found = self._whole(staging), staging.part_bytes, []
        with disk.faults():
            for number in range(start // size_bytes + 1, -(-end // size_bytes) + 1):
                at = max(start, (number - 1) * size_bytes)
                try:
                    with (folder / str(number)).open("rb") as part:
                        part.seek(at - (number - 1) * size_bytes)
                        found.append(part.read(end - at))
                except FileNotFoundError as error:
                    raise NotFound(GONE) from error
        return b"".join(found)

    def finish(
        self, staging: Staging, sha256: str, progress: Callable[[int], None] | None = None
    ) -> Stored:
        """Join the parts to a blob that is hashed while it is written."""
        folder = self._whole(staging)
        numbers = range(1, staging.parts + 1)
        with closing(Joined(folder / str(number) for number in numbers)) as source:
            return self._put(source, staging.size_bytes, progress, sha256)

    def give_up(self, staging: Staging) -> None:
        """Delete an upload with its parts; one that is gone already is no error."""
        with disk.faults():
            self._remove(self._folder(staging))

    def sweep(self, older_than_seconds: int, active: Container[UploadId]) -> int:
        """Give up uploads whose last part came longer ago and that nobody knows."""
        before = time.time() - older_than_seconds  # noqa: TID251  against the file system's clock
        swept = 0
        with disk.faults():
            for folder in self._root.iterdir():
                if UploadId(folder.name) not in active and folder.stat().st_mtime < before:
                    self._remove(folder)
                    swept += 1
        return swept

    def spool(self) -> AbstractContextManager[BinaryIO]:
        """Open a file without a name where parts are written first."""
        return disk.spooled(self._tmp)

    def _remove(self, folder: Path) -> None:
        # Renamed first: a part that is just coming in must not find its folder any more.
        gone = folder.with_suffix(".gone")
        if folder != gone:
            try:
                folder.rename(gone)
            except FileNotFoundError:
                return
        shutil.rmtree(gone)

    def _whole(self, staging: Staging) -> Path:
        folder, missing = self._there(staging), staging.parts - len(self.parts(staging))
        if missing:
            raise invalid("parts", f"{missing} of {staging.parts} parts are missing")
        return folder

    def _there(self, staging: Staging) -> Path:
        folder = self._folder(staging)
        if not folder.is_dir():
            # Without the root the store itself is gone.
            with disk.faults():
                self._root.stat()
            raise NotFound(GONE)
        return folder

    def _folder(self, staging: Staging) -> Path:
        return self._root / check_upload_id(staging.id)


GONE = "this upload was given up; begin it again"


class Joined:
    """Files read one after another as one stream; only one is open at a time."""

    def __init__(self, files: Iterator[Path]) -> None:
        self._files = files
        self._open: BinaryIO | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` of the next bytes; raises NotFound when a file is gone."""
        while True:
            if self._open is None:
                path = next(self._files, None)
                if path is None:
                    return b""
                try:
                    self._open = path.open("rb")
                except FileNotFoundError as error:
                    raise NotFound(GONE) from error
            if chunk := self._open.read(size):
                return chunk
            self.close()

    def close(self) -> None:
        """Close the file that is open; twice is fine."""
        if self._open is not None:
            self._open.close()
            self._open = None
