"""Sending a blob whose digests are known, in one piece or in parts."""

from __future__ import annotations

import hashlib
import io
import os
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from gatekeeper.adapters.objects_s3.client import asking, unless_taken

PART_BYTES = 64 << 20
MOST_PARTS = 10_000
PARTS_AT_ONCE = 4


def part_size(size_bytes: int) -> int:
    """Return how large the parts of an upload are: S3 takes at most 10,000 of them."""
    return max(PART_BYTES, -(-size_bytes // MOST_PARTS))


class Sized(Protocol):
    """A part of an upload, whatever it is made of."""

    @property
    def size_bytes(self) -> int: ...


P = TypeVar("P", bound=Sized)


class Part(io.RawIOBase):
    """Some bytes of a file, read by position, so that several are sent at once; with its digest."""

    def __init__(self, descriptor: int, start: int, size_bytes: int, sha256: str) -> None:
        super().__init__()
        self.size_bytes = size_bytes
        self.sha256 = sha256
        self._descriptor = descriptor
        self._start = start
        self._at = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read again, as a second attempt does."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read the next bytes into a buffer; return how many."""
        wanted = min(len(buffer), self.size_bytes - self._at)
        chunk = os.pread(self._descriptor, wanted, self._start + self._at)
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Stand at a byte of the part."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size_bytes}[whence]
        self._at = max(0, base + offset)
        return self._at


class PartDigests:
    """The SHA-256 of each part of a stream that passes by, in base64 as S3 writes it."""

    def __init__(self, part_bytes: int) -> None:
        self._part_bytes = part_bytes
        self._digests: list[str] = []
        self._hash = hashlib.sha256()
        self._done = 0

    def update(self, chunk: bytes) -> None:
        """Take the next bytes; a chunk may end one part and begin the next."""
        view = memoryview(chunk)
        while view:
            if self._done and self._done % self._part_bytes == 0:
                self._digests.append(self._current())
                self._hash = hashlib.sha256()
            taken = view[: self._part_bytes - self._done % self._part_bytes]
            self._hash.update(taken)
            self._done += len(taken)
            view = view[len(taken) :]

    def _current(self) -> str:
        return b64encode(self._hash.digest()).decode()

    def parts(self, descriptor: int, start: int) -> list[Part]:
        """Return the parts of a file that holds the stream from `start` on; at least one."""
        return [
            Part(
                descriptor,
                start + number * self._part_bytes,
                min(self._part_bytes, self._done - number * self._part_bytes),
                sha256,
            )
            for number, sha256 in enumerate([*self._digests, self._current()])
        ]


def upload(
    client: Any,
    where: dict[str, str],
    parts: list[Part],
    sent: Callable[[int], None],
    *,
    condition: dict[str, str],
) -> bool:
    """Upload a blob under `where`, a Bucket and a Key; durable on return.

    False when `condition` does not hold: somebody else made it first.

    The store refuses a part that has not its digest. `sent` is told the bytes of each finished
    part. Raises: Unavailable; nothing is visible then, and parts are given up or left to `sweep`.
    """
    if len(parts) > 1:

        def send(begun: dict[str, str], number: int, part: Part) -> dict[str, str]:
            answer = client.upload_part(**begun, **_body(part), PartNumber=number)
            return {"ETag": answer["ETag"], "ChecksumSHA256": part.sha256}

        where = {**where, "ChecksumAlgorithm": "SHA256"}
        return in_parts(client, where, parts, send, sent, condition=condition)
    with asking("put"):
        is_new = unless_taken(client.put_object, **where, **_body(parts[0]), **condition)
    sent(parts[0].size_bytes)
    return is_new


def _body(part: Part) -> dict[str, Any]:
    return {"Body": part, "ContentLength": part.size_bytes, "ChecksumSHA256": part.sha256}


def in_parts(
    client: Any,
    where: dict[str, str],
    parts: Sequence[P],
    send: Callable[[dict[str, str], int, P], dict[str, str]],
    sent: Callable[[int], None],
    *,
    condition: dict[str, str],
) -> bool:
    """Make an object of parts, several at once; as `upload` says.

    `send` is told where, which number and the part, and returns what the store said of it.
    """
    with asking("put"):
        begun = client.create_multipart_upload(**where)
    where = {**{key: where[key] for key in ("Bucket", "Key")}, "UploadId": begun["UploadId"]}
    is_new = False
    try:
        with asking("put"):
            done = _send(partial(send, where), parts, sent)
            is_new = unless_taken(
                client.complete_multipart_upload,
                **where,
                MultipartUpload={"Parts": done},
                **condition,
            )
    finally:
        if not is_new:
            with suppress(BotoCoreError, ClientError, OSError):
                client.abort_multipart_upload(**where)
    return is_new


def _send(
    send: Callable[[int, P], dict[str, str]], parts: Sequence[P], sent: Callable[[int], None]
) -> list[dict[str, Any]]:
    done: list[dict[str, Any]] = []
    pool = ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="upload")
    numbers = range(1, len(parts) + 1)
    try:
        for number, part, said in zip(numbers, parts, pool.map(send, numbers, parts), strict=True):
            done.append({"PartNumber": number, **said})
            sent(part.size_bytes)
    finally:
        pool.shutdown(cancel_futures=True)
    return done
