"""What the local disk adds to the store's contract: order of durability, full disks, links.

Source: security.md 6.2.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.adapters.objects_local import LocalObjects
from gatekeeper.domain.errors import IntegrityBroken, Unavailable
from gatekeeper.domain.uploads import UploadId

BODY = b"weights" * 1000
UPLOAD = UploadId("upl_" + "0a" * 12)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the store lies."""
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> LocalObjects:
    """A store on the local disk."""
    return LocalObjects(root)


@pytest.fixture
def steps(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Watch what is made durable, and when a name appears; the real calls still happen."""
    seen: list[str] = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        seen.append(f"sync {path.relative_to(root).parts[0]}/{len(path.relative_to(root).parts)}")
        fsync(descriptor)

    def watched_rename(source: Any, target: Any, **rest: Any) -> None:
        shelf = Path(target).relative_to(root).parts[0]
        seen.append(f"name {shelf}")
        assert shelf == "staging" or Path(source).stat().st_mode & 0o777 == 0o440
        rename(source, target, **rest)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "rename", watched_rename)
    return seen


def test_bytes_are_durable_before_their_name_and_the_name_before_the_answer(
    store: LocalObjects, steps: list[str]
) -> None:
    store.put(io.BytesIO(BODY), len(BODY))
    file, shelf, names, directory = "sync tmp/2", "sync blobs/1", "name blobs", "sync blobs/2"
    assert steps == [file, shelf, names, directory]


def test_a_part_of_an_upload_is_durable_before_its_name_and_the_name_before_the_answer(
    store: LocalObjects, steps: list[str]
) -> None:
    staging = store.staging.begin(UPLOAD, len(BODY), len(BODY))
    assert steps == ["sync staging/1"]
    store.staging.receive(staging, 1, io.BytesIO(BODY))
    assert steps[1:] == ["sync tmp/2", "name staging", "sync staging/2"]


def test_a_blob_that_is_held_has_its_name_made_durable_again(
    store: LocalObjects, steps: list[str]
) -> None:
    store.put(io.BytesIO(BODY), len(BODY))
    steps.clear()
    store.put(io.BytesIO(BODY), len(BODY))
    assert steps == ["sync tmp/2", "sync blobs/1", "sync blobs/2"]


def test_a_directory_that_a_dead_put_left_behind_is_made_durable(
    store: LocalObjects, root: Path, steps: list[str]
) -> None:
    (root / "blobs" / hashlib.sha256(BODY).hexdigest()[:2]).mkdir()
    store.put(io.BytesIO(BODY), len(BODY))
    assert steps == ["sync tmp/2", "sync blobs/1", "name blobs", "sync blobs/2"]


def test_a_blob_is_read_only_and_is_not_rewritten(store: LocalObjects, root: Path) -> None:
    sha256 = store.put(io.BytesIO(BODY), len(BODY)).sha256
    blob = root / "blobs" / sha256[:2] / sha256
    before = blob.stat()
    store.put(io.BytesIO(BODY), len(BODY))
    assert blob.stat().st_ino == before.st_ino
    assert before.st_mode & 0o777 == 0o440


@pytest.mark.parametrize("fault", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_sync_that_fails_is_final_and_nothing_is_named(
    store: LocalObjects, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    calls = []

    def fails(descriptor: int) -> None:
        calls.append(descriptor)
        raise OSError(fault, "planted")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(Unavailable):
        store.put(io.BytesIO(BODY), len(BODY))
    assert len(calls) == 1
    monkeypatch.undo()
    assert list(store.walk()) == []
    assert store.put(io.BytesIO(BODY), len(BODY)).is_new


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one mebibyte; skipped where mounting is not allowed."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_keeps_nothing_and_what_was_held_before(small_disk: Path) -> None:
    store = LocalObjects(small_disk)
    held = store.put(io.BytesIO(BODY), len(BODY)).sha256
    with pytest.raises(Unavailable, match="the disk is full"):
        store.put(io.BytesIO(bytes(1 << 20)), 1 << 20)
    assert dict(store.walk()) == {held: len(BODY)}
    assert store.sweep(0) == 0
    assert store.verify(held)
    assert store.put(io.BytesIO(b"small"), 5).is_new


def test_an_upload_that_fills_the_disk_goes_on_once_there_is_room(small_disk: Path) -> None:
    store, half = LocalObjects(small_disk), 300_000
    staging = store.staging.begin(UPLOAD, 2 * half, half)
    store.staging.receive(staging, 1, io.BytesIO(bytes(half)))
    filler = small_disk / "filler"
    filler.write_bytes(bytes(500_000))
    with pytest.raises(Unavailable, match="the disk is full"):
        store.staging.receive(staging, 2, io.BytesIO(bytes(half)))
    assert store.staging.parts(staging) == {1}
    filler.unlink()
    store.staging.receive(staging, 2, io.BytesIO(bytes(half)))
    with pytest.raises(Unavailable, match="the disk is full"):
        store.staging.finish(staging, "")  # a blob needs its room once more
    assert list(store.walk()) == []
    assert store.staging.parts(staging) == {1, 2}


def test_what_is_spooled_lies_on_the_stores_disk_without_a_name(small_disk: Path) -> None:
    """So a process that is killed leaves nothing."""
    store = LocalObjects(small_disk)

    def spool(size_bytes: int) -> None:
        with store.staging.spool() as file:
            file.write(bytes(size_bytes))
            assert list((small_disk / "tmp").iterdir()) == []

    spool(900_000)
    with pytest.raises(Unavailable, match="the disk is full"):
        spool(2 << 20)
    assert store.put(io.BytesIO(bytes(900_000)), 900_000).is_new


WRITER = """
import io, resource, signal, sys
from pathlib import Path
from gatekeeper.adapters.objects_local import LocalObjects
from gatekeeper.domain.errors import Unavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
store = LocalObjects(Path(sys.argv[1]))
try:
    store.put(io.BytesIO(bytes(2 << 20)), 2 << 20)
except Unavailable as error:
    print("refused", store.sweep(0), len(list(store.walk())), store.put(io.BytesIO(b"x"), 1).is_new)
"""


def test_a_file_that_may_not_grow_keeps_nothing(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITER, root], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["refused", "0", "0", "True"]


def test_a_torn_blob_is_replaced_by_putting_it_again(store: LocalObjects, root: Path) -> None:
    sha256 = store.put(io.BytesIO(BODY), len(BODY)).sha256
    blob = root / "blobs" / sha256[:2] / sha256
    blob.chmod(0o640)
    blob.write_bytes(BODY[:100])
    assert not store.verify(sha256)
    assert store.put(io.BytesIO(BODY), len(BODY)).is_new
    assert store.verify(sha256)


def test_altered_bytes_of_the_same_length_do_not_verify(store: LocalObjects, root: Path) -> None:
    sha256 = store.put(io.BytesIO(BODY), len(BODY)).sha256
    blob = root / "blobs" / sha256[:2] / sha256
    blob.chmod(0o640)
    blob.write_bytes(BODY[:-1] + b"X")
    assert store.size(sha256) == len(BODY)
    assert not store.verify(sha256)


def test_a_link_in_the_place_of_a_blob_is_not_followed(store: LocalObjects, root: Path) -> None:
    secret = root.parent / "secret"
    secret.write_bytes(b"s" * len(BODY))
    sha256 = store.put(io.BytesIO(BODY), len(BODY)).sha256
    blob = root / "blobs" / sha256[:2] / sha256
    blob.unlink()
    blob.symlink_to(secret)
    with pytest.raises(IntegrityBroken):
        store.open(sha256)
    assert store.size(sha256) is None
    assert store.put(io.BytesIO(BODY), len(BODY)).is_new
    assert secret.read_bytes() == b"s" * len(BODY)
    assert store.verify(sha256)


def test_a_sweep_takes_old_leftovers_and_nothing_else(store: LocalObjects, root: Path) -> None:
    sha256 = store.put(io.BytesIO(BODY), len(BODY)).sha256
    old, new = root / "tmp" / "old", root / "tmp" / "new"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1_000_000_000, 1_000_000_000))
    assert store.sweep(3600) == 1
    assert (old.exists(), new.exists()) == (False, True)
    assert dict(store.walk()) == {sha256: len(BODY)}


def test_a_store_over_two_file_systems_is_refused(root: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == root.parent.stat().st_dev:
        pytest.skip("there is no second file system here")
    root.mkdir()
    (root / "blobs").symlink_to(elsewhere)
    with pytest.raises(Unavailable, match="different file systems"):
        LocalObjects(root)


def test_a_store_that_cannot_be_written_is_not_ready(store: LocalObjects, root: Path) -> None:
    (root / "tmp").rmdir()
    assert not store.is_ready()
    with pytest.raises(Unavailable):
        store.put(io.BytesIO(b"x"), 1)
