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
from collections.abc import Callable
from urllib.parse import quote

from flask import Response, request
from werkzeug.http import parse_if_range_header, parse_range_header, unquote_etag
from werkzeug.wsgi import wrap_file

from gatekeeper.domain.catalogue import File
from gatekeeper.domain.errors import IntegrityBroken
from gatekeeper.domain.links import DeliveryMode
from gatekeeper.services import downloads
from gatekeeper.services.downloads import Ready
from gatekeeper.services.ports import ByteSource
from gatekeeper.web.wiring import house, wiring

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


def send(ready: Ready, etag: str) -> Response:
    """Answer this GET or HEAD with the file, or the part of it the Range header names.

    `etag` is without quotes. Raises: Busy when every download place is taken.
    """
    file = ready.file
    headers = file_headers(file, etag)
    settled = _settled(etag)
    if settled is not None:
        return Response(status=settled, headers=headers)
    span = _span(file.size_bytes, etag)
    if span is None:
        headers["Content-Range"] = f"bytes */{file.size_bytes}"
        return Response(status=416, headers=headers)
    start, end, status = span
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size_bytes}"
        del headers["Accept-Ranges"]  # it goes without saying, and nginx does not say it either
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status=status, headers=headers)
    answer = _sent_elsewhere(ready, headers) or _sent_here(ready.file, start, end, status, headers)
    downloads.count(house(), ready, end - start)
    return answer


def _sent_here(file: File, start: int, end: int, status: int, headers: dict[str, str]) -> Response:
    """Send the bytes by this server; raises Busy when every download place is taken."""
    give_back = wiring().downloads.take()
    try:
        source = house().objects.open(file.sha256, start, end)
    except BaseException:
        give_back()
        raise
    held = HeldSlice(source, give_back)
    body = wrap_file(request.environ, held, BLOCK_BYTES)  # type: ignore[arg-type]
    return Response(body, status=status, headers=headers, direct_passthrough=True)


def _sent_elsewhere(ready: Ready, headers: dict[str, str]) -> Response | None:
    """Answer that nginx or the store sends the bytes; None where this server does."""
    match house().policy.delivery_mode:
        case DeliveryMode.X_ACCEL:
            # nginx would judge these by the time of the file on its disk.
            is_ours = "If-Match" in request.headers or "If-Unmodified-Since" in request.headers
            return None if is_ours else _sent_by_nginx(ready.file, headers)
        case DeliveryMode.REDIRECT:
            # A store has tags of its own, and some ignore If-Range: a condition is judged here.
            is_ours = ready.model.tier.self_served or "If-Range" in request.headers
            return None if is_ours else _sent_by_store(ready.file, headers)
        case DeliveryMode.DIRECT:
            return None


def _sent_by_nginx(file: File, headers: dict[str, str]) -> Response:
    """Name the blob to nginx, which reads the Range itself and puts the headers back."""
    objects = house().objects
    path = objects.path(file.sha256)
    if path is None or objects.size(file.sha256) != file.size_bytes:
        raise IntegrityBroken(f"blob {file.sha256} is recorded and not held")
    nginx_says = {"Accept-Ranges", "Content-Length", "Content-Range"}
    kept = {name: value for name, value in headers.items() if name not in nginx_says}
    return Response(headers={**kept, "X-Accel-Redirect": f"{ACCEL_PREFIX}{path}"})


def _sent_by_store(file: File, headers: dict[str, str]) -> Response | None:
    """Send the client to an address of the store, with what the Hub's client wants to know."""
    seconds = house().policy.address_seconds
    address = house().objects.presign(file.sha256, seconds, headers["Content-Disposition"])
    if address is None:
        return None
    linked = {"X-Linked-ETag": headers["ETag"], "X-Linked-Size": str(file.size_bytes)}
    return Response(status=302, headers={"Location": address, **linked})


def file_headers(file: File, etag: str) -> dict[str, str]:
    """Return the headers of every answer about a file's bytes, without its length."""
    digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
    return {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-transform, max-age=0",
        "Content-Disposition": disposition(file.path),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Content-Type": "application/octet-stream",
        "ETag": f'"{etag}"',
        "Repr-Digest": f"sha-256=:{digest}:",
        "X-Robots-Tag": "none",
    }


def disposition(path: str) -> str:
    """Return an attachment header for the last part of a path (RFC 6266, RFC 8187)."""
    name = path.rpartition("/")[2]
    clean = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", clean) or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"


def _settled(etag: str) -> int | None:
    """Return the status of a request whose conditions end it (RFC 9110, 13.2.2)."""
    if "If-Match" in request.headers and not request.if_match.contains(etag):
        return 412
    is_known = _asked_range() is None and request.if_none_match.contains(etag)
    return 304 if is_known else None


def _asked_range() -> str | None:
    """Return the Range header of a GET, when its unit is bytes (RFC 9110, 14.2)."""
    header = request.headers.get("Range", "") if request.method == "GET" else ""
    return header if header.partition("=")[0].strip().lower() == "bytes" else None


def _span(size_bytes: int, etag: str) -> tuple[int, int, int] | None:
    """Return (start, end, status) of what to send; None when the range cannot be satisfied."""
    whole = (0, size_bytes, 200)
    header = _asked_range()
    if header is None:
        return whole
    if "If-Range" in request.headers and not _same_version(etag):
        return whole
    wanted = parse_range_header(header)
    if wanted is None or len(wanted.ranges) != 1:
        return None
    if wanted.ranges[0][0] < -size_bytes < 0:
        return (0, size_bytes, 206)  # a suffix longer than the file is the file (RFC 9110, 14.1.2)
    span = wanted.range_for_length(size_bytes)
    return (span[0], span[1], 206) if span is not None else None


def _same_version(etag: str) -> bool:
    condition = parse_if_range_header(request.headers["If-Range"])
    # A weak tag never matches for ranges; a date never does, for our files have none.
    is_weak = request.headers["If-Range"].startswith(("W/", "w/"))
    return not is_weak and condition.etag is not None and unquote_etag(condition.etag)[0] == etag
