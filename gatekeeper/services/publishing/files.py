"""The files of a folder that is published: found, hashed while stored, skipped when known.

Bytes and hashing stay outside of any transaction. Not here: the model and its revision (revisions).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gatekeeper.domain.catalogue import File, check_path
from gatekeeper.domain.errors import invalid
from gatekeeper.domain.people import Context
from gatekeeper.services.ports import House

MAX_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a publish is; `skipped` when the file was stored before."""

    path: str
    size_bytes: int
    done_bytes: int
    skipped: bool


def paths_in(directory: Path) -> list[str]:
    """Return the path of each file to publish, in order; raises Invalid for what is none."""
    if not directory.is_dir():
        raise invalid("directory", f"{directory} is not a folder")
    paths = sorted(_walk(directory, directory))
    if not 1 <= len(paths) <= MAX_FILES:
        raise invalid("directory", f"a revision has 1 to {MAX_FILES} files; this has {len(paths)}")
    return [check_path(path) for path in paths]


def _walk(directory: Path, top: Path) -> Iterator[str]:
    """Go through regular files, never following a link out of the folder."""
    with os.scandir(directory) as found:
        entries = list(found)
    for entry in entries:
        if entry.is_symlink():
            raise invalid("directory", f"{entry.path} is a link; publish the file itself")
        if entry.is_dir():
            if entry.name not in {".git", ".cache"}:
                yield from _walk(Path(entry.path), top)
        elif stat.S_ISREG(entry.stat().st_mode):
            yield Path(entry.path).relative_to(top).as_posix()
        else:
            raise invalid("directory", f"{entry.path} is not a regular file")


def store(
    house: House,
    ctx: Context,
    directory: Path,
    path: str,
    on_progress: Callable[[Progress], None],
) -> File:
    """Store one file, unless this very file was stored before; durable on return."""
    source = directory / path
    with source.open("rb") as stream:
        status = os.fstat(stream.fileno())
        mark = _mark(source, status)
        with house.db.reading() as read:
            known = read.ephemeral.publish_mark(mark)
        if known is not None and house.objects.size(known[0]) == known[2] == status.st_size:
            on_progress(Progress(path, status.st_size, status.st_size, skipped=True))
            return file_of(house, path, *known)
        stored = house.objects.put(
            stream,
            status.st_size,
            lambda done: on_progress(Progress(path, status.st_size, done, skipped=False)),
        )
    with house.db.acting(ctx) as act:
        act.ephemeral.keep_publish_mark(
            mark, stored.sha256, stored.git_sha1, stored.size_bytes, ctx.now
        )
    return file_of(house, path, stored.sha256, stored.git_sha1, stored.size_bytes)


def _mark(source: Path, status: os.stat_result) -> str:
    parts = (source.resolve(), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return hashlib.sha256("\x00".join(map(str, parts)).encode()).hexdigest()


def file_of(house: House, path: str, sha256: str, git_sha1: str, size_bytes: int) -> File:
    """Make a stored blob a file of a path: of LFS from the size on that the settings say."""
    if size_bytes < house.policy.lfs_threshold_bytes:
        return File(path, size_bytes, sha256, git_sha1, lfs=False)
    return File(path, size_bytes, sha256, git_sha1_of(lfs_pointer(sha256, size_bytes)), lfs=True)


def lfs_pointer(sha256: str, size_bytes: int) -> bytes:
    """Write the git-LFS pointer of a blob. Source: git-lfs specification, version 1."""
    lines = ("version https://git-lfs.github.com/spec/v1", f"oid sha256:{sha256}")
    return "\n".join((*lines, f"size {size_bytes}", "")).encode()


def git_sha1_of(blob: bytes) -> str:
    """Return the git object id of a small blob."""
    return hashlib.sha1(b"blob %d\x00" % len(blob) + blob, usedforsecurity=False).hexdigest()
