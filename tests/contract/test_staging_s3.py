"""What a bucket adds to uploads in parts: addresses of one part, and copies of what was read.

Every proof is the answer of a real S3 server. Source: security.md 2.6, 6.1 F9.
"""

from __future__ import annotations

import hashlib
import io
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gatekeeper.adapters.objects_s3 import S3Objects, staging
from gatekeeper.adapters.objects_s3 import client as module
from gatekeeper.domain.errors import Invalid, NotFound, Unavailable
from gatekeeper.domain.uploads import Staging, UploadId
from tests.contract.test_staging import BODY, DIGEST, ID, OTHER, PART, begun, cut, send
from tests.seaweed import Seaweed, s3_client, s3_objects

STAGED = f"staging/{ID}"


@pytest.fixture
def store(seaweed: Seaweed, bucket: str, tmp_path: Path) -> S3Objects:
    """A store over an empty bucket."""
    return s3_objects(seaweed.url, bucket, tmp_path / "spool")


@pytest.fixture
def client(seaweed: Seaweed) -> Any:
    """A client of the tests' own."""
    return s3_client(seaweed.url)


@pytest.fixture
def open_upload(store: S3Objects) -> Staging:
    """An upload of two parts."""
    return begun(store)


def put(url: str, body: bytes, method: str = "PUT") -> int:
    """Send a body without credentials, as a browser does; return what the server answers."""
    request = urllib.request.Request(url, body, method=method)
    request.add_header("Content-Type", "application/octet-stream")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            status: int = answer.status
    except urllib.error.HTTPError as error:
        error.close()
        status = error.code
    return status


def test_parts_go_to_the_store_by_their_addresses(store: S3Objects, open_upload: Staging) -> None:
    for number in (2, 1):
        url = store.staging.address(open_upload, number, 300)
        assert put(url, cut(number)) == 200
    assert store.staging.parts(open_upload) == {1, 2}
    assert store.staging.finish(open_upload, DIGEST).sha256 == DIGEST


def test_an_address_is_bound_to_host_and_length_and_lives_for_minutes(
    store: S3Objects, open_upload: Staging
) -> None:
    query = parse_qs(urlsplit(store.staging.address(open_upload, 2, 10**6)).query)
    assert query["X-Amz-SignedHeaders"] == ["content-length;host"]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["900"]
    assert (query["partNumber"], query["uploadId"]) == (["2"], [open_upload.key])
    assert not {key for key in query if "checksum" in key.lower()}


def _other_upload(url: str, store: S3Objects) -> str:
    other = begun(store, upload_id=OTHER)
    return url.replace(parse_qs(urlsplit(url).query)["uploadId"][0], other.key)


ALTERED: dict[str, Callable[[str, S3Objects], str]] = {
    "another number": lambda url, _: url.replace("partNumber=1", "partNumber=2"),
    "another key": lambda url, _: url.replace(STAGED, f"staging/{OTHER}"),
    "a blob's key": lambda url, _: url.replace(STAGED, f"sha256/{DIGEST[:2]}/{DIGEST}"),
    "another upload": _other_upload,
    "no upload: a plain object": lambda url, _: url.replace("partNumber=1&", "").replace(
        "uploadId=", "x="
    ),
    "a longer life": lambda url, _: url.replace("Expires=300", "Expires=900"),
    "no signature": lambda url, _: url.partition("&X-Amz-Algorithm")[0],
    "fewer signed headers": lambda url, _: url.replace("content-length%3Bhost", "host"),
}


def test_an_altered_address_takes_nothing(
    store: S3Objects, client: Any, bucket: str, open_upload: Staging
) -> None:
    url = store.staging.address(open_upload, 1, 300)
    for what, alter in ALTERED.items():
        altered = alter(url, store)
        assert (what, altered != url, put(altered, cut(1))) == (what, True, 403)
    assert store.staging.parts(open_upload) == frozenset()
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)
    assert put(url, cut(1)) == 200


def test_an_address_takes_a_body_of_its_part_s_length_and_nothing_else(
    store: S3Objects, open_upload: Staging
) -> None:
    url = store.staging.address(open_upload, 1, 300)
    for length in (0, 1, PART - 1, PART + 1):
        assert put(url, bytes(length)) == 403
    for method in ("GET", "DELETE", "POST"):
        assert put(url, cut(1), method) == 403
    assert store.staging.parts(open_upload) == frozenset()
    assert put(url, cut(1)) == 200


def test_an_address_ends_with_its_upload(
    store: S3Objects, client: Any, bucket: str, open_upload: Staging
) -> None:
    url = store.staging.address(open_upload, 1, 300)
    store.staging.give_up(open_upload)
    assert put(url, cut(1)) == 404
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)


def test_no_part_is_replaced_once_the_parts_were_read(
    store: S3Objects, open_upload: Staging
) -> None:
    url = store.staging.address(open_upload, 1, 300)
    send(store, open_upload, 1, 2)
    store.staging.finish(open_upload, "")
    assert put(url, bytes(PART)) == 404
    assert store.verify(DIGEST)


def test_an_address_that_has_ended_takes_nothing(
    store: S3Objects, open_upload: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHORTEST_SECONDS", 1)
    url = store.staging.address(open_upload, 1, 1)
    deadline = time.monotonic() + 20
    while (code := put(url, cut(1))) == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert code == 403


def test_nobody_reads_what_is_staged(
    store: S3Objects, seaweed: Seaweed, bucket: str, open_upload: Staging
) -> None:
    send(store, open_upload, 1, 2)
    store.staging.finish(open_upload, "")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{seaweed.url}/{bucket}/{STAGED}", timeout=20)


def test_a_staged_object_that_changed_after_it_was_read_becomes_no_blob(
    store: S3Objects, client: Any, bucket: str, open_upload: Staging
) -> None:
    send(store, open_upload, 1, 2)

    def replace(done: int) -> None:
        if done == len(BODY):  # all was read, nothing was copied
            client.put_object(Bucket=bucket, Key=STAGED, Body=bytes(len(BODY)))

    with pytest.raises(Unavailable):
        store.staging.finish(open_upload, "", replace)
    assert list(store.walk()) == []
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)
    with pytest.raises(Invalid, match="was announced"):
        store.staging.finish(open_upload, DIGEST)


def test_a_staged_object_of_another_length_becomes_no_blob(
    store: S3Objects, client: Any, bucket: str, open_upload: Staging
) -> None:
    send(store, open_upload, 1, 2)
    store.staging.finish(open_upload, "")
    client.put_object(Bucket=bucket, Key=STAGED, Body=BODY + b"more")
    with pytest.raises(Invalid, match="announced"):
        store.staging.finish(open_upload, "")


def test_a_large_object_is_copied_in_ranges(
    store: S3Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts of 5 MiB, the least that AWS takes of all but the last."""
    monkeypatch.setattr(staging, "COPY_BYTES", PART)
    body = BODY * 2
    large = store.staging.begin(ID, len(body), PART)
    for number in range(1, 4):
        part = io.BytesIO(body[(number - 1) * PART : number * PART])
        store.staging.receive(large, number, part)
    stored = store.staging.finish(large, hashlib.sha256(body).hexdigest())
    assert stored.is_new
    assert store.verify(stored.sha256)


def test_finishing_goes_on_after_the_parts_were_put_together(
    store: S3Objects, open_upload: Staging
) -> None:
    """As when the worker dies right after; the store takes no part any more."""
    send(store, open_upload, 1, 2)
    store.staging._put_together(open_upload)
    with pytest.raises(NotFound):
        send(store, open_upload, 1)
    assert store.staging.parts(open_upload) == {1, 2}
    assert store.staging.finish(open_upload, DIGEST).is_new


def test_an_id_that_was_guessed_opens_no_upload(store: S3Objects, open_upload: Staging) -> None:
    guessed = Staging(UploadId("upl_" + "0c" * 12), len(BODY), PART, open_upload.key)
    with pytest.raises(NotFound):
        store.staging.parts(guessed)
    with pytest.raises(NotFound):
        send(store, guessed, 1)
    assert store.staging.parts(open_upload) == frozenset()
