"""Bytes of one file as an HTTP answer: HEAD, GET, one range, conditions; and who sends them.

`direct`: the response is the server's own `wsgi.file_wrapper` over a slice of the blob, so that a
kernel sendfile moves the bytes and no Python loop does; the download's place is given back when the
server closes it. `x-accel`: nginx in front sends the file with the headers given here
(config/nginx.conf.template). `redirect`: the client is sent to an address of the store. HEAD, 304,
412 and 416 are answered here in every mode. Ranges are parsed by Werkzeug; an unknown unit is
ignored, several ranges are refused. A Range means something to GET alone, so HEAD always tells of
the whole file. Source: RFC 9110 sections 13 and 14, RFC 9530, performance.md A, security.md 2.6.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Response
from werkzeug.http import parse_etags, parse_if_range_header, parse_range_header, unquote_etag
from werkzeug.wsgi import wrap_file

from gatekeeper.domain.catalogue import File
from gatekeeper.domain.errors import IntegrityBroken
from gatekeeper.domain.links import DeliveryMode
from gatekeeper.services import downloads
from gatekeeper.services.downloads import Ready
from gatekeeper.services.ports import ByteSource, House
from gatekeeper.web.wiring import Wiring

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BLOCK_BYTES = 1 << 18
ACCEL_PREFIX = "/-/blobs/"  # an internal location of nginx: nobody can ask for it


class HeldSlice:
    """A slice of a blob that gives its download place back when the server closes it."""

    def __init__(self, source: ByteSource, give_back: Callable[[], None]) -> None:
        self._source = source
        self._give_back = give_back
        self.fileno = source.fileno
        self.read = source.read
        self.seek = source.seek

    def close(self) -> None:
        """Close the blob and give the place back."""
        try:
            self._source.close()
        finally:
            self._give_back()


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: the body, where there is one, is for `wsgi.file_wrapper`'s own way."""

    status: int
    headers: dict[str, str]
    body: Iterable[bytes] | None = None


def respond(answer: Answer) -> Response:
    """Return the answer as Flask's response."""
    if answer.body is None:
        return Response(status=answer.status, headers=answer.headers)
    return Response(answer.body, answer.status, answer.headers, direct_passthrough=True)


def send(wiring: Wiring, environ: WSGIEnvironment, ready: Ready, etag: str) -> Answer:
    """Answer this GET or HEAD with the file, or the part of it the Range header names.

    `etag` is without quotes. Raises: Busy when every download place is taken.
    """
    file = ready.file
    headers = file_headers(file, etag)
    settled = _settled(environ, etag)
    if settled is not None:
        return Answer(settled, headers)
    span = _span(environ, file.size_bytes, etag)
    if span is None:
        headers["Content-Range"] = f"bytes */{file.size_bytes}"
        return Answer(416, headers)
    start, end, status = span
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size_bytes}"
        del headers["Accept-Ranges"]  # it goes without saying, and nginx does not say it either
    headers["Content-Length"] = str(end - start)
    if environ["REQUEST_METHOD"] == "HEAD":
        return Answer(status, headers)
    answer = _sent_elsewhere(wiring, environ, ready, headers)
    if answer is None:
        answer = Answer(status, headers, _sent_here(wiring, environ, file, start, end))
    downloads.count(wiring.house, ready, end - start)
    return answer


def _sent_here(
    wiring: Wiring, environ: WSGIEnvironment, file: File, start: int, end: int
) -> Iterable[bytes]:
    """Send the bytes by this server; raises Busy when every download place is taken."""
    give_back = wiring.downloads.take()
    try:
        source = wiring.house.objects.open(file.sha256, start, end)
    except BaseException:
        give_back()
        raise
    return wrap_file(environ, HeldSlice(source, give_back), BLOCK_BYTES)  # type: ignore[arg-type]


def _sent_elsewhere(
    wiring: Wiring, environ: WSGIEnvironment, ready: Ready, headers: dict[str, str]
) -> Answer | None:
    """Answer that nginx or the store sends the bytes; None where this server does."""
    match wiring.house.policy.delivery_mode:
        case DeliveryMode.X_ACCEL:
            # nginx would judge these by the time of the file on its disk.
            is_ours = "HTTP_IF_MATCH" in environ or "HTTP_IF_UNMODIFIED_SINCE" in environ
            return None if is_ours else _sent_by_nginx(wiring.house, ready.file, headers)
        case DeliveryMode.REDIRECT:
            # A store has tags of its own, and some ignore If-Range: a condition is judged here.
            is_ours = ready.model.tier.self_served or "HTTP_IF_RANGE" in environ
            return None if is_ours else _sent_by_store(wiring.house, ready.file, headers)
        case DeliveryMode.DIRECT:
            return None


def _sent_by_nginx(house: House, file: File, headers: dict[str, str]) -> Answer:
    """Name the blob to nginx, which reads the Range itself and puts the headers back."""
    path = house.objects.path(file.sha256)
    if path is None or house.objects.size(file.sha256) != file.size_bytes:
        raise IntegrityBroken(f"blob {file.sha256} is recorded and not held")
    nginx_says = {"Accept-Ranges", "Content-Length", "Content-Range"}
    kept = {name: value for name, value in headers.items() if name not in nginx_says}
    return Answer(200, {**kept, "Content-Length": "0", "X-Accel-Redirect": f"{ACCEL_PREFIX}{path}"})


def _sent_by_store(house: House, file: File, headers: dict[str, str]) -> Answer | None:
    """Send the client to an address of the store, with what the Hub's client wants to know."""
    seconds = house.policy.address_seconds
    address = house.objects.presign(file.sha256, seconds, headers["Content-Disposition"])
    if address is None:
        return None
    linked = {"X-Linked-ETag": headers["ETag"], "X-Linked-Size": str(file.size_bytes)}
    return Answer(302, {"Location": address, "Content-Length": "0", **linked})


def file_headers(file: File, etag: str) -> dict[str, str]:
    """Return the headers of every answer about a file's bytes, without its length."""
    return {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-transform, max-age=0",
        "Content-Disposition": disposition(file.path),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Content-Type": "application/octet-stream",
        "ETag": f'"{etag}"',
        "Repr-Digest": _repr_digest(file.sha256),
        "X-Robots-Tag": "none",
    }


@lru_cache(maxsize=1024)
def _repr_digest(sha256: str) -> str:
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


@lru_cache(maxsize=1024)
def disposition(path: str) -> str:
    """Return an attachment header for the last part of a path (RFC 6266, RFC 8187)."""
    name = path.rpartition("/")[2]
    clean = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", clean) or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"


def _settled(environ: WSGIEnvironment, etag: str) -> int | None:
    """Return the status of a request whose conditions end it (RFC 9110, 13.2.2)."""
    wanted, known = environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_NONE_MATCH")
    if wanted is not None and not parse_etags(wanted).contains(etag):
        return 412
    is_known = known is not None and parse_etags(known).contains(etag)
    return 304 if is_known and _asked_range(environ) is None else None


def _asked_range(environ: WSGIEnvironment) -> str | None:
    """Return the Range header of a GET, when its unit is bytes (RFC 9110, 14.2)."""
    header: str | None = environ.get("HTTP_RANGE")
    if header is None or environ["REQUEST_METHOD"] != "GET":
        return None
    return header if header.partition("=")[0].strip().lower() == "bytes" else None


def _span(environ: WSGIEnvironment, size_bytes: int, etag: str) -> tuple[int, int, int] | None:
    """Return (start, end, status) of what to send; None when the range cannot be satisfied."""
    whole = (0, size_bytes, 200)
    header, condition = _asked_range(environ), environ.get("HTTP_IF_RANGE")
    if header is None or (condition is not None and not _same_version(condition, etag)):
        return whole
    wanted = parse_range_header(header)
    if wanted is None or len(wanted.ranges) != 1:
        return None
    if wanted.ranges[0][0] < -size_bytes < 0:
        return (0, size_bytes, 206)  # a suffix longer than the file is the file (RFC 9110, 14.1.2)
    span = wanted.range_for_length(size_bytes)
    return (span[0], span[1], 206) if span is not None else None


def _same_version(condition: str, etag: str) -> bool:
    # A weak tag never matches for ranges; a date never does, for our files have none.
    if condition.startswith(("W/", "w/")):
        return False
    tag = parse_if_range_header(condition).etag
    return tag is not None and unquote_etag(tag)[0] == etag
