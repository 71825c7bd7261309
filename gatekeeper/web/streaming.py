"""Bytes of one file as an HTTP answer: HEAD, GET, one range, If-Range, 416; sent by the server.

The response is the server's own `wsgi.file_wrapper` over a slice of the blob, so that a kernel
sendfile moves the bytes and no Python loop does; the download's place is given back when the server
closes it. Ranges are parsed by Werkzeug; an unknown unit is ignored, several ranges are refused. A
Range means something to GET alone, so HEAD always tells of the whole file.
Source: RFC 9110 sections 13 and 14, RFC 9530, performance.md A.
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
from gatekeeper.services import downloads
from gatekeeper.services.downloads import Ready
from gatekeeper.services.ports import ByteSource
from gatekeeper.web.wiring import house, wiring

BLOCK_BYTES = 1 << 18


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
    if _is_known(etag):
        return Response(status=304, headers=headers)
    span = _span(file.size_bytes, etag)
    if span is None:
        headers["Content-Range"] = f"bytes */{file.size_bytes}"
        return Response(status=416, headers=headers)
    start, end, status = span
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size_bytes}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status=status, headers=headers)
    give_back = wiring().downloads.take()
    try:
        source = house().objects.open(file.sha256, start, end)
    except BaseException:
        give_back()
        raise
    downloads.count(house(), ready, end - start)
    held = HeldSlice(source, give_back)
    body = wrap_file(request.environ, held, BLOCK_BYTES)  # type: ignore[arg-type]
    return Response(body, status=status, headers=headers, direct_passthrough=True)


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


def _is_known(etag: str) -> bool:
    return _asked_range() is None and request.if_none_match.contains(etag)


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
