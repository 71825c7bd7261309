"""What a bucket adds to the store's contract: parts, conditions, addresses, strangers.

Every proof is the answer of a real S3 server. Source: security.md 2.6.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.adapters.objects_s3 import S3Objects, uploads
from gatekeeper.adapters.objects_s3 import client as module
from gatekeeper.domain.errors import Exposed, IntegrityBroken, Unavailable
from tests.seaweed import (
    KEY_ID,
    LISTED_BUCKET,
    OPEN_BUCKET,
    SECRET,
    Seaweed,
    s3_client,
    s3_objects,
)

MIB = 1 << 20
BODY = bytes(range(256)) * 48 * 1024  # 12 MiB
DIGEST = hashlib.sha256(BODY).hexdigest()
KEY = f"sha256/{DIGEST[:2]}/{DIGEST}"
SMALL = BODY[: 64 * 1024]
SMALL_DIGEST = hashlib.sha256(SMALL).hexdigest()
SMALL_KEY = f"sha256/{SMALL_DIGEST[:2]}/{SMALL_DIGEST}"
DISPOSITION = "attachment; filename=\"model.safetensors\"; filename*=UTF-8''model.safetensors"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where streams are kept that can be read only once."""
    return tmp_path / "spool"


@pytest.fixture
def store(seaweed: Seaweed, bucket: str, spool: Path) -> S3Objects:
    """A store over an empty bucket."""
    return s3_objects(seaweed.url, bucket, spool)


@pytest.fixture
def client(seaweed: Seaweed) -> Any:
    """A client of the tests' own."""
    return s3_client(seaweed.url)


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send what is longer than 5 MiB, the least S3 takes, in parts."""
    monkeypatch.setattr(uploads, "PART_BYTES", 5 * MIB)


def status(url: str, method: str = "GET") -> int:
    """Return what the server answers."""
    return ask(url, method)[0]


def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Send one request without credentials; return status, headers and body."""
    request = urllib.request.Request(url, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}, error.read()


# --- uploading ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_parts")
def test_a_long_blob_goes_in_parts_with_their_digests(
    store: S3Objects, client: Any, bucket: str, tmp_path: Path
) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(BODY)
    seen: list[int] = []
    with file.open("rb") as source:
        stored = store.put(source, len(BODY), seen.append)
    assert (stored.sha256, stored.is_new) == (DIGEST, True)
    head = client.head_object(Bucket=bucket, Key=KEY, ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"].endswith("-3")
    assert client.get_object(Bucket=bucket, Key=KEY)["Body"].read() == BODY
    assert seen == sorted(seen)
    assert seen[-1] == len(BODY)


def test_keys_come_from_digests_alone(store: S3Objects, client: Any, bucket: str) -> None:
    store.put(io.BytesIO(b"../etc/passwd"), 13)
    digest = hashlib.sha256(b"../etc/passwd").hexdigest()
    keys = [item["Key"] for item in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == [f"sha256/{digest[:2]}/{digest}"]


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("size", [MIB, 12 * MIB], ids=["in one piece", "in parts"])
def test_a_file_that_changes_after_it_was_hashed_is_refused_by_the_store(
    store: S3Objects, client: Any, bucket: str, tmp_path: Path, size: int
) -> None:
    file = tmp_path / "changing"
    file.write_bytes(BODY[:size])

    def change(done: int) -> None:
        if done == size // 2:  # everything was hashed and nothing sent
            with file.open("r+b") as target:
                target.seek(size - 10)
                target.write(b"other bytes"[:10])

    with file.open("rb") as source, pytest.raises(Unavailable):
        store.put(source, size, change)
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


@pytest.mark.usefixtures("in_parts")
def test_of_two_who_upload_the_same_in_parts_one_is_first_and_nothing_is_left(
    store: S3Objects, client: Any, bucket: str
) -> None:
    start, found = threading.Barrier(2), []

    def one() -> None:
        start.wait()
        found.append(store.put(io.BytesIO(BODY), len(BODY)).sha256)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [DIGEST, DIGEST]
    assert store.verify(DIGEST)
    begun = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    assert store.sweep(0) == len(begun)
    assert store.verify(DIGEST)


def test_a_blob_of_another_length_than_its_digest_says_is_replaced(
    store: S3Objects, client: Any, bucket: str
) -> None:
    client.put_object(Bucket=bucket, Key=KEY, Body=b"cut off")
    assert not store.verify(DIGEST)
    assert store.put(io.BytesIO(BODY), len(BODY)).is_new
    assert store.verify(DIGEST)


def test_uploads_that_were_left_are_given_up_and_younger_ones_are_not(
    store: S3Objects, client: Any, bucket: str
) -> None:
    begun = client.create_multipart_upload(Bucket=bucket, Key=KEY)
    client.upload_part(
        Bucket=bucket, Key=KEY, UploadId=begun["UploadId"], PartNumber=1, Body=b"left"
    )
    assert store.sweep(3600) == 0
    assert store.sweep(0) == 1
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_a_stream_that_can_be_read_once_is_spooled_and_the_spool_is_empty_after(
    store: S3Objects, spool: Path
) -> None:
    class Once(io.RawIOBase):
        left = BODY

        def read(self, size: int | None = -1, /) -> bytes:
            chunk, self.left = self.left[: size or -1], self.left[size or -1 :]
            return chunk

    assert store.put(Once(), len(BODY)).sha256 == DIGEST  # type: ignore[arg-type]
    assert store.verify(DIGEST)
    assert list(spool.iterdir()) == []


def test_a_bucket_that_is_gone_is_no_missing_blob(
    store: S3Objects, client: Any, bucket: str
) -> None:
    assert store.size(DIGEST) is None
    client.delete_bucket(Bucket=bucket)
    for call in (lambda: store.size(DIGEST), lambda: store.open(DIGEST, 0, 9)):
        with pytest.raises(Unavailable):
            call()
    assert not store.is_ready()


# --- addresses ------------------------------------------------------------------------------------


@pytest.fixture
def url(store: S3Objects) -> str:
    """An address of a blob."""
    store.put(io.BytesIO(SMALL), len(SMALL))
    return store.presign(SMALL_DIGEST, 300, DISPOSITION)


def test_an_address_gives_the_blob_under_the_name_it_was_signed_with(url: str) -> None:
    code, headers, body = ask(url)
    assert (code, body) == (200, SMALL)
    assert headers["content-disposition"] == DISPOSITION
    assert headers["content-type"] == "application/octet-stream"
    assert headers["cache-control"] == "private, no-transform, max-age=0"
    assert ask(url, Range="bytes=100-199")[::2] == (206, SMALL[100:200])


def test_an_address_is_signed_with_sigv4_over_the_host_alone(url: str) -> None:
    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert query["X-Amz-Expires"] == ["300"]


def _swap(old: str, new: str) -> Callable[[str], str]:
    return lambda url: url.replace(old, new)


def _flip_signature(url: str) -> str:
    head, _, last = url.rpartition("X-Amz-Signature=")
    return f"{head}X-Amz-Signature={'0' if last[0] != '0' else '1'}{last[1:]}"


TAMPERED: dict[str, Callable[[str], str]] = {
    "another signature": _flip_signature,
    "a longer life": _swap("X-Amz-Expires=300", "X-Amz-Expires=900"),
    "another name": _swap("model.safetensors", "model.html"),
    "another type": _swap("application%2Foctet-stream", "text%2Fhtml"),
    "another key": _swap(f"/{SMALL_DIGEST}", f"/{hashlib.sha256(b'other').hexdigest()}"),
    "another identity": _swap(KEY_ID, "SOMESMALLELSE"),
    "one more parameter": lambda url: f"{url}&versionId=null",
    "no signature": lambda url: url.partition("?")[0],
    "no name": lambda url: url.replace("response-content-disposition=", "x-disposition="),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_the_server_refuses_an_address_that_was_changed(
    url: str, change: Callable[[str], str]
) -> None:
    changed = change(url)
    assert changed != url
    code, _, body = ask(changed)
    assert code == 403
    assert SMALL[:64] not in body


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "POST"])
def test_an_address_is_for_reading_alone(store: S3Objects, url: str, method: str) -> None:
    """Also why a HEAD is never sent to the store: its method is signed, too."""
    assert status(url, method) in {400, 403, 405}
    assert store.verify(SMALL_DIGEST)


def test_an_address_that_somebody_else_signed_is_refused(
    seaweed: Seaweed, url: str, bucket: str
) -> None:
    foreign = s3_client(seaweed.url, secret="not the secret").generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": SMALL_KEY}, ExpiresIn=300
    )
    assert status(foreign) == 403
    own = s3_client(seaweed.url, secret=SECRET).generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": SMALL_KEY}, ExpiresIn=300
    )
    assert status(own) == 200


def test_an_address_that_has_ended_is_refused(
    store: S3Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHORTEST_SECONDS", 1)
    store.put(io.BytesIO(SMALL), len(SMALL))
    url = store.presign(SMALL_DIGEST, 1, DISPOSITION)
    deadline = time.monotonic() + 20
    while (code := status(url)) == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert code == 403


@settings(deadline=None)
@given(seconds=st.integers(-(10**9), 10**9))
def test_no_address_holds_longer_than_fifteen_minutes_or_less_than_one(seconds: int) -> None:
    address = _unasked().presign(DIGEST, seconds, DISPOSITION)
    (holds,) = parse_qs(urlsplit(address).query)["X-Amz-Expires"]
    assert 60 <= int(holds) <= 900
    assert int(holds) == seconds or not 60 <= seconds <= 900


@pytest.mark.parametrize("name", ["", "..", "A" * 64, "0" * 63, "../../x", "0" * 63 + "/"])
def test_no_address_is_made_of_anything_but_a_digest(name: str) -> None:
    with pytest.raises(IntegrityBroken):
        _unasked().presign(name, 300, DISPOSITION)


def test_addresses_name_the_host_that_people_reach_in_either_form() -> None:
    path = _unasked(public_endpoint_url="https://files.example.org")
    assert path.presign(DIGEST, 60, DISPOSITION).startswith(
        f"https://files.example.org/weights/{KEY}?"
    )
    virtual = _unasked(public_endpoint_url="https://s3.example.org", addressing="virtual")
    assert virtual.presign(DIGEST, 60, DISPOSITION).startswith(
        f"https://weights.s3.example.org/{KEY}?"
    )
    aws = _unasked(endpoint_url=None, addressing="virtual", region="eu-central-1")
    assert aws.presign(DIGEST, 60, DISPOSITION).startswith(
        f"https://weights.s3.eu-central-1.amazonaws.com/{KEY}?"
    )


_STORES: dict[str, S3Objects] = {}


def _unasked(**about: Any) -> S3Objects:
    """Return a store that is never asked: addresses are signed here."""
    if str(about) not in _STORES:
        url = about.pop("endpoint_url", "http://127.0.0.1:9")
        _STORES[str(about)] = s3_objects(url, "weights", Path("/nowhere"), **about)
    return _STORES[str(about)]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


# --- credentials ----------------------------------------------------------------------------------


@pytest.fixture
def passing_credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[timedelta], None]]:
    """Credentials that a host gives out and that end, as those of a role do."""
    lasts = [timedelta(hours=1)]

    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ends = datetime.now(UTC) + lasts[0]
            found = {
                "AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "Token": "t",
                "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }  # fmt: skip
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    where = f"http://127.0.0.1:{server.server_port}/credentials"
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", where)
    yield lambda span: lasts.__setitem__(0, span)
    server.shutdown()
    server.server_close()


def test_no_address_is_made_that_its_credentials_would_not_outlive(
    passing_credentials: Callable[[timedelta], None], tmp_path: Path
) -> None:
    store = s3_objects("http://127.0.0.1:9", "weights", tmp_path)
    passing_credentials(timedelta(minutes=16))
    assert store.presign(DIGEST, 840, DISPOSITION)
    with pytest.raises(Unavailable, match="end before"):
        store.presign(DIGEST, 900, DISPOSITION)


@pytest.mark.usefixtures("_credentials")
def test_without_credentials_no_address_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Unavailable):
        s3_objects("http://127.0.0.1:9", "weights", tmp_path).presign(DIGEST, 300, DISPOSITION)


# --- strangers ------------------------------------------------------------------------------------


def test_a_bucket_closed_to_strangers_passes_the_check(store: S3Objects, url: str) -> None:
    store.check()
    assert status(url.partition("?")[0]) == 403


@pytest.mark.parametrize("name", [OPEN_BUCKET, LISTED_BUCKET])
def test_a_bucket_that_anybody_may_read_or_list_stops_the_start(
    seaweed: Seaweed, client: Any, spool: Path, name: str
) -> None:
    client.create_bucket(Bucket=name)
    with pytest.raises(Exposed, match=name):
        s3_objects(seaweed.url, name, spool).check()


def test_the_check_does_not_pass_where_the_store_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        s3_objects("http://127.0.0.1:9", "weights", tmp_path).check()
