"""What every staging area keeps: uploads in parts, seen by nobody until they are blobs."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from gatekeeper.domain.errors import IntegrityBroken, Invalid, NotFound, Unavailable
from gatekeeper.domain.uploads import Staging, UploadId
from gatekeeper.services.ports import ObjectStore

PART = 5 << 20  # the least that S3 takes of all but the last
BODY = bytes(range(256)) * (20_480 + 256)  # parts of 5 MiB and of 64 KiB
DIGEST = hashlib.sha256(BODY).hexdigest()
ID = UploadId("upl_" + "0a" * 12)
OTHER = UploadId("upl_" + "0b" * 12)


def cut(number: int, body: bytes = BODY) -> bytes:
    """Return the bytes of one part."""
    return body[(number - 1) * PART : number * PART]


def send(store: ObjectStore, staging: Staging, *numbers: int, body: bytes = BODY) -> None:
    """Send some parts through the server."""
    for number in numbers:
        store.staging.receive(staging, number, io.BytesIO(cut(number, body)))


def begun(store: ObjectStore, body: bytes = BODY, upload_id: UploadId = ID) -> Staging:
    """Begin an upload of some bytes."""
    return store.staging.begin(upload_id, len(body), PART)


def sees_nothing(store: ObjectStore) -> bool:
    """Say whether the store has no blob, and nothing of its own to sweep."""
    return list(store.walk()) == [] and store.sweep(0) == 0 and store.size(DIGEST) is None


def test_parts_in_any_order_become_one_blob_and_then_the_upload_is_gone(store: ObjectStore) -> None:
    staging = begun(store)
    send(store, staging, 2, 1)
    seen: list[int] = []
    stored = store.staging.finish(staging, DIGEST, seen.append)
    assert (stored.sha256, stored.size_bytes, stored.is_new) == (DIGEST, len(BODY), True)
    assert stored.git_sha1 == hashlib.sha1(b"blob %d\x00" % len(BODY) + BODY).hexdigest()
    assert (seen == sorted(seen), seen[-1]) == (True, len(BODY))
    store.staging.give_up(staging)
    assert dict(store.walk()) == {DIGEST: len(BODY)}
    assert store.verify(DIGEST)
    with pytest.raises(NotFound):
        store.staging.parts(staging)
    assert store.staging.sweep(0, ()) == 0


def test_an_upload_is_no_blob_before_it_is_finished(store: ObjectStore) -> None:
    staging = begun(store)
    assert sees_nothing(store)
    send(store, staging, 1, 2)
    assert store.staging.parts(staging) == {1, 2}
    assert sees_nothing(store)
    assert store.staging.parts(staging) == {1, 2}, "sweeping unfinished puts took parts"


def test_which_parts_came_is_known_to_whoever_goes_on(store: ObjectStore) -> None:
    staging = begun(store)
    assert store.staging.parts(staging) == frozenset()
    send(store, staging, 2)
    assert store.staging.parts(staging) == {2}
    again = Staging(staging.id, staging.size_bytes, staging.part_bytes, staging.key)
    send(store, again, 1)
    assert store.staging.finish(again, "").sha256 == DIGEST


def test_a_part_that_is_sent_again_replaces_the_first(store: ObjectStore) -> None:
    staging = begun(store)
    send(store, staging, 1, 2, body=bytes(len(BODY)))
    send(store, staging, 2, 1)
    deadline = time.monotonic() + 20
    while (missing := {1, 2} - store.staging.parts(staging)) and time.monotonic() < deadline:
        send(store, staging, *missing)  # both came in one second, and the store cannot tell
    assert store.staging.finish(staging, DIGEST).sha256 == DIGEST


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1])
def test_a_file_of_any_length_may_be_uploaded(store: ObjectStore, size: int) -> None:
    body = BODY[:size]
    staging = begun(store, body)
    send(store, staging, *range(1, staging.parts + 1), body=body)
    assert len(store.staging.parts(staging)) == staging.parts == -(-size // PART)
    assert store.staging.finish(staging, "").sha256 == hashlib.sha256(body).hexdigest()
    store.staging.give_up(staging)
    assert dict(store.walk()) == {hashlib.sha256(body).hexdigest(): size}


def test_what_has_come_whole_is_read_before_it_is_a_blob(store: ObjectStore) -> None:
    """Any range of it, more than once, and it may become a blob after that."""
    staging = begun(store)
    send(store, staging, 2)
    with pytest.raises(Invalid, match="1 of 2 parts"):
        store.staging.read(staging, 0, 1)
    send(store, staging, 1)
    size = len(BODY)
    for start, end in ((0, size), (0, 1), (PART - 3, PART + 3), (PART, size), (7, 7), (0, size)):
        assert store.staging.read(staging, start, end) == BODY[start:end]
    assert sees_nothing(store)
    assert store.staging.finish(staging, DIGEST).sha256 == DIGEST
    store.staging.give_up(staging)
    with pytest.raises(NotFound):
        store.staging.read(staging, 0, 1)


@pytest.mark.parametrize("missing", [1, 2])
def test_an_upload_with_a_missing_part_is_not_finished(store: ObjectStore, missing: int) -> None:
    staging = begun(store)
    send(store, staging, *({1, 2} - {missing}))
    with pytest.raises(Invalid, match="1 of 2 parts"):
        store.staging.finish(staging, "")
    assert sees_nothing(store)
    send(store, staging, missing)
    assert store.staging.finish(staging, "").sha256 == DIGEST


@pytest.mark.parametrize("body", [BODY, b""], ids=["two parts", "empty"])
def test_bytes_of_another_digest_than_announced_become_no_blob(
    store: ObjectStore, body: bytes
) -> None:
    staging = begun(store, body)
    send(store, staging, *range(1, staging.parts + 1), body=body)
    with pytest.raises(Invalid, match="was announced"):
        store.staging.finish(staging, "0" * 64)
    assert sees_nothing(store)


def test_finishing_may_be_repeated_until_the_upload_is_given_up(store: ObjectStore) -> None:
    staging = begun(store)
    send(store, staging, 1, 2)
    assert [store.staging.finish(staging, "").is_new for _ in range(3)] == [True, False, False]
    assert store.staging.parts(staging) == {1, 2}
    store.staging.give_up(staging)
    store.staging.give_up(staging)
    with pytest.raises((NotFound, Invalid)):
        store.staging.finish(staging, "")
    assert store.verify(DIGEST)


def test_what_was_read_is_what_is_kept_when_a_part_comes_late(store: ObjectStore) -> None:
    staging = begun(store)
    send(store, staging, 1, 2)

    def replace(done: int) -> None:
        if done == PART:  # on a disk the first part was read, the second was not
            with suppress(NotFound):  # a store that put the parts together takes none any more
                send(store, staging, 1, 2, body=bytes(len(BODY)))

    stored = store.staging.finish(staging, "", replace)
    assert store.verify(stored.sha256)
    mixed = BODY[:PART] + bytes(len(BODY) - PART)
    assert stored.sha256 in {DIGEST, hashlib.sha256(mixed).hexdigest()}


def test_there_are_no_parts_but_those_of_the_upload(store: ObjectStore) -> None:
    staging = begun(store)
    for number in (0, 3, -1, 10_001):
        with pytest.raises(NotFound):
            store.staging.receive(staging, number, io.BytesIO(b"x"))
        with pytest.raises(NotFound):
            store.staging.address(staging, number, 300)
    assert store.staging.parts(staging) == frozenset()


def test_a_part_of_another_length_is_not_kept(store: ObjectStore) -> None:
    staging = begun(store)
    send(store, staging, 2)
    for number, length in itertools.product((1, 2), (0, 1, PART - 1, PART + 1)):
        with pytest.raises(Invalid, match="announced"):
            store.staging.receive(staging, number, io.BytesIO(bytes(length)))
    assert store.staging.parts(staging) == {2}


def test_a_part_whose_source_fails_is_not_kept(store: ObjectStore) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if not (chunk := super().read(size)):
                raise KeyError("the sender left")
            return chunk

    staging = begun(store)
    with pytest.raises(KeyError):
        store.staging.receive(staging, 1, Broken(cut(1)))
    assert store.staging.parts(staging) == frozenset()
    assert store.sweep(0) == 0


def test_what_was_given_up_takes_nothing_any_more(store: ObjectStore) -> None:
    staging = begun(store)
    send(store, staging, 1)
    store.staging.give_up(staging)
    asks: list[Callable[[], Any]] = [
        lambda: store.staging.parts(staging),
        lambda: send(store, staging, 2),
    ]
    for ask in asks:
        with pytest.raises(NotFound):
            ask()
    assert store.staging.sweep(0, ()) == 0


def test_uploads_that_nobody_knows_are_swept_and_active_ones_never(store: ObjectStore) -> None:
    kept, left = begun(store), begun(store, upload_id=OTHER)
    send(store, kept, 1)
    send(store, left, 1)
    assert store.staging.sweep(3600, ()) == 0
    assert store.staging.sweep(0, {ID}) == 1
    assert store.staging.parts(kept) == {1}
    with pytest.raises(NotFound):
        store.staging.parts(left)


def test_uploads_that_died_after_their_parts_were_read_are_swept(store: ObjectStore) -> None:
    staging = begun(store)
    send(store, staging, 1, 2)
    store.staging.finish(staging, "")
    assert store.staging.sweep(0, {ID}) == 0
    assert store.staging.sweep(0, ()) == 1
    assert store.staging.sweep(0, ()) == 0
    assert store.verify(DIGEST)


def test_uploads_at_once_do_not_meet(store: ObjectStore) -> None:
    first, second = begun(store), begun(store, upload_id=OTHER)
    zeros = bytes(len(BODY))
    work = [(first, n, BODY) for n in (1, 2)] + [(second, n, zeros) for n in (1, 2)]
    threads = [
        threading.Thread(target=lambda w=w: send(store, w[0], w[1], body=w[2])) for w in work
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.staging.finish(first, DIGEST).sha256 == DIGEST
    assert store.staging.finish(second, "").sha256 == hashlib.sha256(zeros).hexdigest()


def test_only_an_id_of_ours_names_an_upload(store: ObjectStore) -> None:
    for name in (
        "",
        "..",
        "../../x",
        "upl_",
        ID[:-1],
        ID + "0",
        ID.upper(),
        ID + "/../x",
        ID + "\n",
    ):
        with pytest.raises(IntegrityBroken):
            store.staging.begin(UploadId(name), 10, PART)
        for ask in (store.staging.parts, store.staging.give_up):
            with pytest.raises(IntegrityBroken):
                ask(Staging(UploadId(name), 10, PART, "key"))


def test_what_is_spooled_is_read_again_and_leaves_nothing(store: ObjectStore) -> None:
    with store.staging.spool() as file:
        file.write(BODY)
        file.seek(PART)
        assert file.read() == cut(2)
        assert sees_nothing(store)
    assert sees_nothing(store)


def test_what_the_disk_refuses_while_spooling_is_unavailable(store: ObjectStore) -> None:
    with pytest.raises(Unavailable), store.staging.spool():
        raise OSError(errno.EIO, "planted")
