"""Bodies that are larger than a form: parts and whole objects by PUT, xorbs, shards and commits.

None is in memory as it comes. Its length must be said, is judged before a byte is read, and takes
one of the places that downloads have, so that slow bodies leave pages alive. How long a part, an
object or a xorb may be is judged by who keeps it (services/uploads), of the others here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from flask import request
from werkzeug.exceptions import LengthRequired, UnsupportedMediaType

from gatekeeper.domain.errors import TooLarge
from gatekeeper.domain.xet import LARGEST_SHARD_BYTES
from gatekeeper.web.wiring import house, wiring

# The method alone says so: sessions are opened before the route is known.
METHOD = "PUT"
PARTS = frozenset(
    {"api.uploads.send_part", "uploads.send_part", "hub_lfs.send_part", "hub_lfs.send_whole"}
)
LARGEST_COMMIT_BYTES = 1 << 30
STALL_SECONDS = 60.0
READ_BYTES = 1 << 20


def may_be_part() -> bool:
    """Say whether the body may be a part: then nobody reads it but who keeps it."""
    return request.method == METHOD


def admit() -> None:
    """Let a part's body be as long as it says, once its route is known.

    Raises: UnsupportedMediaType for a form: somebody would parse it, and keep it on the disk.
    """
    if request.endpoint in PARTS and request.method == METHOD:
        if request.mimetype not in {"", "application/octet-stream"}:
            raise UnsupportedMediaType("send the bytes of the part, as application/octet-stream")
        _allow(request.content_length or 0)


def _allow(size_bytes: int) -> None:
    # One more: at the very limit werkzeug answers 413 to whoever looks for the end.
    request.max_content_length = size_bytes + 1


@contextmanager
def incoming(most_bytes: int | None = None) -> Iterator[tuple[int, BinaryIO]]:
    """Give the length of the body and the body, within a place for it.

    Without `most_bytes` its keeper judges the length. Who sends nothing for a minute has left.
    Raises: LengthRequired, TooLarge, Busy.
    """
    length = request.content_length
    if length is None:
        raise LengthRequired("say how long the body is: Content-Length")
    if most_bytes is not None and length > most_bytes:
        raise TooLarge(f"this is sent in at most {most_bytes} bytes")
    _allow(length)
    give_back = wiring().downloads.take()
    try:
        # Our server reads from the socket in this thread (gunicorn's own timeout is about workers).
        socket = request.environ.get("gunicorn.socket")
        if socket is not None:
            socket.settimeout(STALL_SECONDS)
        yield length, request.stream  # type: ignore[misc]
    finally:
        give_back()


@contextmanager
def incoming_commit(person_id: str) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Give the body of a commit, and a file on the store's disk for what is in it.

    Raises: as `incoming`; Unavailable, also for what the disk refuses later.
    """
    with incoming(LARGEST_COMMIT_BYTES) as (length, body), _spool(person_id, length) as file:
        yield body, file


@contextmanager
def incoming_shard(person_id: str) -> Iterator[BinaryIO]:
    """Give a shard once all of it has come, from a file; raises as `incoming_commit`."""
    with incoming(LARGEST_SHARD_BYTES) as (length, body), _spool(person_id, length) as file:
        shutil.copyfileobj(body, file)
        file.seek(0)
        yield file


@contextmanager
def _spool(person_id: str, size_bytes: int) -> Iterator[BinaryIO]:
    with wiring().spooling.taken(person_id, size_bytes), house().objects.staging.spool() as file:
        yield file


def ignore() -> None:
    """Read a body to its end and keep nothing: who is still sending would hear no answer."""
    with incoming() as (_, body):
        while body.read(READ_BYTES):
            pass
