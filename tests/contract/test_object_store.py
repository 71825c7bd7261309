"""What every `ObjectStore` keeps, whatever lies behind it: a disk, a bucket of a real S3 server."""

from __future__ import annotations

import hashlib
import io
import threading
import tracemalloc
from typing import Any

import pytest

from gatekeeper.domain.errors import IntegrityBroken, Invalid
from gatekeeper.services.ports import ObjectStore

MIB = 1 << 20


def put(store: ObjectStore, body: bytes) -> str:
    """Store some bytes; return their digest."""
    return store.put(io.BytesIO(body), len(body)).sha256


def read(store: ObjectStore, sha256: str, start: int = 0, end: int | None = None) -> bytes:
    """Read a part of a blob to its end."""
    source = store.open(sha256, start, end)
    try:
        return b"".join(iter(lambda: source.read(7), b""))
    finally:
        source.close()


def test_bytes_of_another_digest_than_announced_are_not_kept(store: ObjectStore) -> None:
    body = b"weights" * MIB
    with pytest.raises(Invalid, match="was announced"):
        store.put(io.BytesIO(body), len(body), announced_sha256="0" * 64)
    assert list(store.walk()) == []
    digest = hashlib.sha256(body).hexdigest()
    assert store.put(io.BytesIO(body), len(body), announced_sha256=digest).sha256 == digest


@pytest.mark.parametrize("size", [0, 1, 4096, MIB - 1, MIB, MIB + 1, 3 * MIB + 5])
def test_what_was_put_is_held_under_its_digest(store: ObjectStore, size: int) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    stored = store.put(io.BytesIO(body), size)
    assert stored.sha256 == hashlib.sha256(body).hexdigest()
    assert stored.git_sha1 == hashlib.sha1(b"blob %d\x00" % size + body).hexdigest()
    assert (stored.size_bytes, stored.is_new) == (size, True)
    assert store.size(stored.sha256) == size
    assert store.verify(stored.sha256)
    whole = store.open(stored.sha256)
    assert whole.read() == body
    whole.close()
    assert dict(store.walk()) == {stored.sha256: size}


def test_the_same_bytes_put_twice_are_one_blob(store: ObjectStore) -> None:
    first = store.put(io.BytesIO(b"same"), 4)
    second = store.put(io.BytesIO(b"same"), 4)
    assert (first.is_new, second.is_new) == (True, False)
    assert first.sha256 == second.sha256
    assert len(list(store.walk())) == 1


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, None, b"0123456789"), (0, 10, b"0123456789"), (0, 1, b"0"), (9, 10, b"9"),
        (3, 7, b"3456"), (3, None, b"3456789"), (5, 5, b""), (10, None, b""), (7, 3, b""),
        (3, 999, b"3456789"), (999, None, b""),
    ],
)  # fmt: skip
def test_a_part_is_opened_at_its_first_byte_and_ends_at_its_last(
    store: ObjectStore, start: int, end: int | None, expected: bytes
) -> None:
    sha256 = put(store, b"0123456789")
    assert read(store, sha256, start, end) == expected
    source = store.open(sha256, start, end)
    assert source.read(-1) == expected
    assert source.read(-1) == b""
    source.close()
    source.close()


@pytest.mark.parametrize("announced", [0, 9, 11, 10 * MIB])
def test_a_stream_of_another_length_than_announced_leaves_nothing(
    store: ObjectStore, announced: int
) -> None:
    with pytest.raises(Invalid, match="announced"):
        store.put(io.BytesIO(b"0123456789"), announced)
    assert list(store.walk()) == []
    assert store.sweep(0) == 0


def test_a_source_that_fails_leaves_nothing(store: ObjectStore) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            chunk = super().read(size)
            if not chunk:
                raise KeyError("the source failed")
            return chunk

    with pytest.raises(KeyError):
        store.put(Broken(b"x" * 100), 200)
    assert list(store.walk()) == []
    assert store.sweep(0) == 0


def test_a_blob_that_is_not_held_is_not_found(store: ObjectStore) -> None:
    absent = "0" * 64
    assert store.size(absent) is None
    for ask in (store.open, store.verify):
        with pytest.raises(IntegrityBroken):
            ask(absent)


@pytest.mark.parametrize(
    "name",
    ["", "..", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65, "/" + "0" * 63, "0" * 63 + "\n"],
)  # fmt: skip
def test_only_a_digest_names_a_blob(store: ObjectStore, name: str) -> None:
    for ask in (store.size, store.open, store.verify):
        with pytest.raises(IntegrityBroken):
            ask(name)


def test_threads_that_put_the_same_bytes_at_once_all_get_the_one_blob(store: ObjectStore) -> None:
    body = b"race" * 100_000
    start = threading.Barrier(8)
    found: list[Any] = []

    def one() -> None:
        start.wait()
        found.append(store.put(io.BytesIO(body), len(body)))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert {s.sha256 for s in found} == {hashlib.sha256(body).hexdigest()}
    assert any(s.is_new for s in found)
    assert read(store, found[0].sha256, 0, 8) == b"racerace"
    assert store.verify(found[0].sha256)
    assert len(list(store.walk())) == 1
    assert store.sweep(0) == 0


def test_progress_rises_to_the_whole_size(store: ObjectStore) -> None:
    seen: list[int] = []
    stored = store.put(io.BytesIO(b"x" * (2 * MIB + 1)), 2 * MIB + 1, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 2 * MIB + 1
    read_bytes: list[int] = []
    assert store.verify(stored.sha256, read_bytes.append)
    assert sum(read_bytes) == 2 * MIB + 1


class Zeros(io.RawIOBase):
    """A long stream that is never in memory; remembers the sizes it was read in."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.asked: list[int] = []

    def read(self, size: int = -1, /) -> bytes:
        """Give some zeros."""
        self.asked.append(size)
        chunk = bytes(min(size, self.left))
        self.left -= len(chunk)
        return chunk


def test_a_long_stream_is_read_in_megabytes_and_memory_stays_flat(store: ObjectStore) -> None:
    source = Zeros(48 * MIB)
    put(store, b"what is loaded once is loaded now")
    tracemalloc.start()
    store.put(source, 48 * MIB)  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert min(source.asked) >= MIB
    assert peak < 8 * MIB


def test_a_store_that_works_says_so(store: ObjectStore) -> None:
    assert store.is_ready()
