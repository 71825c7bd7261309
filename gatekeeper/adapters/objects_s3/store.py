"""The port over one bucket. Keys come from digests alone, so what a key names never changes.

A blob is hashed first and uploaded then, under checksums that the store verifies, on the condition
that its key is free: it is there whole or not at all. Addresses are signed with SigV4 over the host
alone, and name type and file name so that nobody can change either.

Known gap: an address that was given out opens its blob until it ends; only a bucket policy or
turning off the signing key ends it earlier (docs/operating.md, S3).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.exceptions import ClientError

from gatekeeper.adapters.digests import Source, check_announced, copy_hashed, has_digest
from gatekeeper.adapters.objects_s3.client import (
    SHORTEST_SECONDS,
    Bucket,
    Clients,
    again,
    asking,
    code_of,
    moment,
    status_of,
)
from gatekeeper.adapters.objects_s3.keys import BLOBS, PROBE, blob_key, last_step
from gatekeeper.adapters.objects_s3.slices import S3Slice
from gatekeeper.adapters.objects_s3.staging import S3Staging
from gatekeeper.adapters.objects_s3.uploads import Part, PartDigests, part_size, upload
from gatekeeper.domain.catalogue import Stored
from gatekeeper.domain.errors import Exposed, IntegrityBroken, Unavailable


class S3Objects:
    """An `ObjectStore` in one bucket.

    `spool` is a folder for streams that can be read only once; what lies there goes with its put.
    """

    def __init__(self, bucket: Bucket, spool: Path) -> None:
        self._bucket = bucket.name
        self._clients = Clients(bucket)
        self.staging = S3Staging(self._clients, bucket.name, spool, self)

    def put(
        self,
        source: Source,
        size_bytes: int,
        progress: Callable[[int], None] | None = None,
        announced_sha256: str = "",
    ) -> Stored:
        """Hash a stream of exactly `size_bytes`, then upload it; durable on return.

        Half of the progress is hashing, half uploading. A file is read twice; should it change in
        between, the store refuses it, for it is told the digests of the first time.
        """
        report = progress if progress is not None else _say_nothing
        parts = PartDigests(part_size(size_bytes))
        with self._kept(source) as (file, keep):
            start = file.tell()

            def take(chunk: bytes) -> None:
                parts.update(chunk)
                keep(chunk)

            hashed = copy_hashed(source, take, size_bytes, lambda done: report(done // 2))
            check_announced(hashed[0], announced_sha256)
            file.flush()
            pieces = parts.parts(file.fileno(), start)
            is_new = self._upload(hashed[0], pieces, size_bytes, report)
            report(size_bytes)
        return Stored(*hashed, size_bytes, is_new)

    def _upload(
        self, sha256: str, pieces: list[Part], size_bytes: int, report: Callable[[int], None]
    ) -> bool:
        """Upload what is not held yet; False when it was held, or somebody else was first."""
        held = self.size(sha256)
        if held == size_bytes:
            return False
        sent = size_bytes

        def tell(part_bytes: int) -> None:
            nonlocal sent
            sent += part_bytes
            report(sent // 2)

        where = {"Bucket": self._bucket, "Key": blob_key(sha256)}
        # What lies there in another length is broken and is replaced.
        free = {"IfNoneMatch": "*"} if held is None else {}
        return upload(self._clients.patient, where, pieces, tell, condition=free)

    @contextmanager
    def _kept(self, source: Source) -> Iterator[tuple[Any, Callable[[bytes], object]]]:
        """Give a file that can be read again, and what a stream that is none is written with."""
        if isinstance(source, io.BufferedReader) and isinstance(source.raw, io.FileIO):
            yield source, _say_nothing
            return
        with self.staging.spool() as file:
            yield file, file.write

    def size(self, sha256: str) -> int | None:
        """Return the blob's size in bytes, None when it is not held."""
        key = blob_key(sha256)
        with asking("head"):
            try:
                head = again(self._clients.quick.head_object, Bucket=self._bucket, Key=key)
            except ClientError as error:
                # A bucket that is gone answers alike, and that is no missing blob.
                if status_of(error) == 404 and self.is_ready():
                    return None
                raise
        size: int = head["ContentLength"]
        return size

    def open(self, sha256: str, start: int = 0, end: int | None = None) -> S3Slice:
        """Open bytes [start, end) of a blob; the store has begun to answer on return."""
        key = blob_key(sha256)
        if end is None or end <= start:
            size = self.size(sha256)
            if size is None:
                raise IntegrityBroken(f"blob {sha256} is recorded and not held")
            end = size if end is None else end
        found = S3Slice(lambda at, to: self._get(key, at, to), start, end)
        found.ask()
        return found

    def _get(self, key: str, start: int, end: int) -> tuple[Any, int]:
        part = f"bytes={start}-{end - 1}"
        try:
            answer = again(self._clients.quick.get_object, Bucket=self._bucket, Key=key, Range=part)
        except ClientError as error:
            if status_of(error) == 416:
                return None, 0
            if code_of(error) == "NoSuchKey":
                raise IntegrityBroken(f"{key} is recorded and not held") from error
            raise
        return answer["Body"], answer["ContentLength"]

    def verify(self, sha256: str, progress: Callable[[int], None] | None = None) -> bool:
        """Read the blob and say whether its bytes still have this digest."""
        return has_digest(self.open(sha256), sha256, progress)

    def walk(self) -> Iterator[tuple[str, int]]:
        """Go through (sha256, bytes) of every blob held."""
        for item in self._clients.listed("list_objects_v2", "Contents", BLOBS):
            yield last_step(item["Key"]), item["Size"]

    def sweep(self, older_than_seconds: int) -> int:
        """Give up uploads in parts that began longer ago; return how many."""
        before = moment() - timedelta(seconds=older_than_seconds)
        begun = self._clients.listed("list_multipart_uploads", "Uploads", BLOBS)
        old = [item for item in begun if item["Initiated"] <= before]
        return sum(self._clients.give_up(item["Key"], item["UploadId"]) for item in old)

    def path(self, sha256: str) -> None:
        """Name no path: the blobs lie on no disk of ours."""

    def presign(self, sha256: str, seconds: int, disposition: str) -> str:
        """Return an address that opens this one blob for 60 to 900 seconds."""
        asked = {
            "Key": blob_key(sha256),
            "ResponseContentDisposition": disposition,
            "ResponseContentType": "application/octet-stream",
            "ResponseCacheControl": "private, no-transform, max-age=0",
        }
        return self._clients.sign("get_object", asked, seconds)

    def check(self) -> None:
        """Prove that addresses are signed as they must be and that a stranger reads nothing.

        Raises: Exposed, Unavailable.
        """
        query = parse_qs(urlsplit(self.presign("0" * 64, SHORTEST_SECONDS, "attachment")).query)
        signed = query.get("X-Amz-Algorithm"), query.get("X-Amz-SignedHeaders")
        if signed != (["AWS4-HMAC-SHA256"], ["host"]):
            raise Exposed(f"addresses are not signed with SigV4 over the host alone: {signed}")
        bucket, stranger = self._bucket, self._clients.stranger()
        with asking("probe"):
            self._clients.patient.put_object(Bucket=bucket, Key=PROBE, Body=b"for nobody\n")
            reads = _may(lambda: stranger.get_object(Bucket=bucket, Key=PROBE))
            lists = _may(lambda: stranger.list_objects_v2(Bucket=bucket, MaxKeys=1))
        if reads or lists:
            raise Exposed(
                f"anybody can {'read' if reads else 'list'} bucket {bucket} without credentials: "
                "block public access before serving"
            )

    def is_ready(self) -> bool:
        """Say whether the bucket answers us."""
        try:
            with asking("bucket"):
                self._clients.quick.head_bucket(Bucket=self._bucket)
        except Unavailable:
            return False
        return True


def _may(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except ClientError as error:
        if status_of(error) in {401, 403}:
            return False
        raise
    return True


def _say_nothing(_: object) -> None:
    pass
