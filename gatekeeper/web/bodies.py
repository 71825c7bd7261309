"""Parts of uploads: the only bodies that are larger than a form, streamed and never in memory.

A part comes by PUT, raw. Its length must be said, is checked against the part's own before a byte
is read, and takes one of the places that downloads have, so that slow bodies leave pages alive.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from flask import request
from werkzeug.exceptions import LengthRequired, UnsupportedMediaType

from gatekeeper.web.wiring import wiring

# The method alone says so: sessions are opened before the route is known.
METHOD = "PUT"
ENDPOINTS = frozenset(
    {"api.uploads.send_part", "uploads.send_part", "hub_lfs.send_part", "hub_lfs.send_whole"}
)
STALL_SECONDS = 60.0


def may_be_part() -> bool:
    """Say whether the body may be a part: then nobody reads it but who keeps it."""
    return request.method == METHOD


def admit() -> None:
    """Let a part's body be as long as it says, once its route is known.

    Raises: UnsupportedMediaType for a form: somebody would parse it, and keep it on the disk.
    """
    if request.endpoint in ENDPOINTS and request.method == METHOD:
        if request.mimetype not in {"", "application/octet-stream"}:
            raise UnsupportedMediaType("send the bytes of the part, as application/octet-stream")
        # One more: at the very limit werkzeug answers 413 to whoever looks for the end.
        request.max_content_length = (request.content_length or 0) + 1


@contextmanager
def incoming() -> Iterator[tuple[int, BinaryIO]]:
    """Give the length of the body and the body, within a place for it.

    Who sends nothing for a minute has left. Raises: LengthRequired, Busy.
    """
    length = request.content_length
    if length is None:
        raise LengthRequired("say how long the part is: Content-Length")
    give_back = wiring().downloads.take()
    try:
        # Our server reads from the socket in this thread (gunicorn's own timeout is about workers).
        socket = request.environ.get("gunicorn.socket")
        if socket is not None:
            socket.settimeout(STALL_SECONDS)
        yield length, request.stream  # type: ignore[misc]
    finally:
        give_back()
