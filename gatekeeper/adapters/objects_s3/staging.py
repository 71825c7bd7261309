"""Uploads in parts in a bucket, under `staging/`: by signed addresses, or through this server.

Parts are put together at the staging key, read once and hashed, and copied by the store to the key
of their digest, on the condition that they are still what was read. A signed address of a part is
bound to key, upload, number and length, and ends with the upload.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Container, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from botocore.exceptions import ClientError

from gatekeeper.adapters import disk
from gatekeeper.adapters.digests import (
    CHUNK_BYTES,
    Source,
    check_announced,
    copy_exactly,
    copy_hashed,
)
from gatekeeper.adapters.objects_s3.client import Clients, again, asking, code_of, moment
from gatekeeper.adapters.objects_s3.keys import STAGING, blob_key, last_step, staging_key
from gatekeeper.adapters.objects_s3.slices import S3Slice
from gatekeeper.adapters.objects_s3.uploads import in_parts
from gatekeeper.domain.catalogue import Stored
from gatekeeper.domain.errors import NotFound, invalid
from gatekeeper.domain.uploads import Staging, UploadId

COPY_BYTES = 1 << 30  # S3 copies at most 5 GiB at once


class Blobs(Protocol):
    """What finishing needs of the store."""

    def put(self, source: BinaryIO, size_bytes: int) -> Stored: ...
    def size(self, sha256: str) -> int | None: ...


@dataclass(frozen=True, slots=True)
class _Range:
    """Some bytes of a staged object that are copied at once."""

    start: int
    size_bytes: int


class S3Staging:
    """A `StagingArea` in one bucket."""

    def __init__(self, clients: Clients, bucket: str, spool: Path, blobs: Blobs) -> None:
        self._clients = clients
        self._bucket = bucket
        self._spool = spool
        self._blobs = blobs

    def begin(self, upload_id: UploadId, size_bytes: int, part_bytes: int) -> Staging:
        """Begin an upload in parts at its staging key."""
        where = {"Bucket": self._bucket, "Key": staging_key(upload_id)}
        if not size_bytes:  # has no parts, and so nothing to begin
            return Staging(upload_id, size_bytes, part_bytes)
        with asking("begin"):
            begun = self._clients.quick.create_multipart_upload(**where)
        return Staging(upload_id, size_bytes, part_bytes, begun["UploadId"])

    def address(self, staging: Staging, number: int, seconds: int) -> str:
        """Return an address that takes this one part for 60 to 900 seconds."""
        size_bytes = staging.size_of(number)
        asked = {
            "Key": staging_key(staging.id),
            "UploadId": staging.key,
            "PartNumber": number,
            "ContentLength": size_bytes,
        }
        return self._clients.sign("upload_part", asked, seconds)

    def receive(self, staging: Staging, number: int, source: Source) -> None:
        """Keep one part; it is spooled here first, so that only a whole one goes to the store."""
        size_bytes = staging.size_of(number)
        with self.spool() as file:
            copy_exactly(source, file.write, size_bytes)
            file.seek(0)
            self.parts(staging)  # a store that is down says so sooner to a small question
            with _of_an_upload("part"):
                self._clients.patient.upload_part(
                    **self._where(staging), PartNumber=number, Body=file, ContentLength=size_bytes
                )

    def parts(self, staging: Staging) -> frozenset[int]:
        """Return the numbers of the parts that are there; all of them once they were joined."""
        try:
            return frozenset(self._tags(staging))
        except NotFound:
            self._etag(staging)
            return frozenset(range(1, staging.parts + 1))

    def _tags(self, staging: Staging) -> dict[int, str]:
        """Return the ETag of each part that has the length it must have, in their order.

        A part that came twice with different bytes is the newer one; where the store does not tell
        which that is (SeaweedFS lists both, with their second), it is not there.
        """
        if not staging.size_bytes:
            return {}
        pages = self._clients.quick.get_paginator("list_parts")
        newest: dict[int, tuple[datetime, set[str]]] = {}
        with _of_an_upload("parts"):
            for page in pages.paginate(**self._where(staging)):
                for part in page.get("Parts", ()):
                    if part["Size"] == staging.size_of(part["PartNumber"]):
                        _keep_newer(newest, part)
        return {
            number: tags.pop() for number, (_, tags) in sorted(newest.items()) if len(tags) == 1
        }

    def read(self, staging: Staging, start: int, end: int) -> bytes:
        """Read from what was put together; the first who reads does that."""
        try:
            etag = self._etag(staging)
        except NotFound:
            self._put_together(staging)
            etag = self._etag(staging)
        with closing(self._opened(staging, etag, start, end)) as source:
            return b"".join(iter(lambda: source.read(CHUNK_BYTES), b""))

    def finish(
        self, staging: Staging, sha256: str, progress: Callable[[int], None] | None = None
    ) -> Stored:
        """Put the parts together, read and hash them once, and let the store copy them."""
        if not staging.size_bytes:
            check_announced(copy_hashed(io.BytesIO(), _nothing, 0)[0], sha256)
            return self._blobs.put(io.BytesIO(), 0)
        self._put_together(staging)
        etag = self._etag(staging)
        with closing(self._opened(staging, etag, 0, staging.size_bytes)) as source:
            hashed = copy_hashed(source, _nothing, staging.size_bytes, progress)
        check_announced(hashed[0], sha256)
        is_new = self._copy(staging, etag, hashed[0])
        return Stored(*hashed, staging.size_bytes, is_new)

    def _put_together(self, staging: Staging) -> None:
        """Make the staged object, unless an earlier try did."""
        try:
            tags = self._tags(staging)
        except NotFound:
            return  # which of the two it was is seen when it is read
        if missing := staging.parts - len(tags):
            raise invalid("parts", f"{missing} of {staging.parts} parts are missing")
        done = [{"PartNumber": number, "ETag": tag} for number, tag in tags.items()]
        with asking("put together"):
            try:
                self._clients.patient.complete_multipart_upload(
                    **self._where(staging), MultipartUpload={"Parts": done}
                )
            except ClientError as error:
                if code_of(error) != _NO_UPLOAD:
                    raise

    def _etag(self, staging: Staging) -> str:
        """Ask for one byte, for a HEAD does not tell a missing object from a missing bucket."""
        with _of_an_upload("what was put together"):
            asked = {**self._object(staging), "Range": "bytes=0-0"}
            answer = again(self._clients.quick.get_object, **asked)
        answer["Body"].close()
        if int(answer["ContentRange"].rpartition("/")[2]) != staging.size_bytes:
            raise invalid("size_bytes", f"{staging.size_bytes} bytes were announced")
        etag: str = answer["ETag"]
        return etag

    def _opened(self, staging: Staging, etag: str, begin: int, until: int) -> S3Slice:
        def get(start: int, end: int) -> tuple[Any, int]:
            part = {"Range": f"bytes={start}-{end - 1}", "IfMatch": etag}
            answer = self._clients.patient.get_object(**self._object(staging), **part)
            return answer["Body"], answer["ContentLength"]

        found = S3Slice(get, begin, until)
        found.ask()
        return found

    def _copy(self, staging: Staging, etag: str, sha256: str) -> bool:
        """Copy what was read to the key of its digest; False when it is held already."""
        held = self._blobs.size(sha256)
        if held == staging.size_bytes:
            return False
        ranges = [
            _Range(start, min(COPY_BYTES, staging.size_bytes - start))
            for start in range(0, staging.size_bytes, COPY_BYTES)
        ]

        def send(begun: dict[str, str], number: int, part: _Range) -> dict[str, str]:
            said = {"CopySource": self._object(staging), "CopySourceIfMatch": etag}
            if len(ranges) > 1:  # S3 takes no range of a small object
                end = part.start + part.size_bytes - 1
                said["CopySourceRange"] = f"bytes={part.start}-{end}"
            answer = self._clients.patient.upload_part_copy(**begun, **said, PartNumber=number)
            return {"ETag": answer["CopyPartResult"]["ETag"]}

        where = {"Bucket": self._bucket, "Key": blob_key(sha256)}
        # What lies there in another length is broken and is replaced.
        free = {"IfNoneMatch": "*"} if held is None else {}
        return in_parts(self._clients.patient, where, ranges, send, _nothing, condition=free)

    def give_up(self, staging: Staging) -> None:
        """Delete an upload with its parts; one that is gone already is no error."""
        if not staging.size_bytes:
            return
        self._clients.give_up(staging_key(staging.id), staging.key)
        self._delete(staging_key(staging.id))

    def sweep(self, older_than_seconds: int, active: Container[UploadId]) -> int:
        """Give up uploads begun longer ago, put together or not, that nobody knows."""
        before = moment() - timedelta(seconds=older_than_seconds)

        def is_left(item: dict[str, Any], when: str) -> bool:
            return item[when] <= before and UploadId(last_step(item["Key"])) not in active

        begun = self._clients.listed("list_multipart_uploads", "Uploads", STAGING)
        made = self._clients.listed("list_objects_v2", "Contents", STAGING)
        swept = 0
        for item in [item for item in begun if is_left(item, "Initiated")]:
            swept += self._clients.give_up(item["Key"], item["UploadId"])
        for item in [item for item in made if is_left(item, "LastModified")]:
            self._delete(item["Key"])
            swept += 1
        return swept

    def spool(self) -> AbstractContextManager[BinaryIO]:
        """Open a file without a name in a folder of this server."""
        with disk.faults():
            self._spool.mkdir(parents=True, exist_ok=True, mode=0o750)
        return disk.spooled(self._spool)

    def _delete(self, key: str) -> None:
        with asking("delete"):
            again(self._clients.quick.delete_object, Bucket=self._bucket, Key=key)

    def _object(self, staging: Staging) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": staging_key(staging.id)}

    def _where(self, staging: Staging) -> dict[str, str]:
        return {**self._object(staging), "UploadId": staging.key}


def _keep_newer(newest: dict[int, tuple[datetime, set[str]]], part: dict[str, Any]) -> None:
    number, at = part["PartNumber"], part["LastModified"]
    known_at, tags = newest.get(number, (at, set()))
    if at >= known_at:
        newest[number] = (at, (tags if at == known_at else set()) | {part["ETag"]})


@contextmanager
def _of_an_upload(what: str) -> Iterator[None]:
    """As `asking`; raises NotFound when the upload, or what was put together, is gone."""
    with asking(what):
        try:
            yield
        except ClientError as error:
            if code_of(error) in {_NO_UPLOAD, "NoSuchKey"}:
                raise NotFound("this upload was given up; begin it again") from error
            raise


_NO_UPLOAD = "NoSuchUpload"


def _nothing(_: object) -> None:
    pass
