"""What stands around every request: ids, security headers, limits on size, and the last frame.

Not here: identity (identity), who may do what (services), how a dialect words an error.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Callable, Iterator

from flask import Flask, Response, g, request
from limits.errors import StorageError
from werkzeug.exceptions import HTTPException, InternalServerError

from gatekeeper.domain.errors import GatekeeperError, Unavailable
from gatekeeper.web import watch
from gatekeeper.web.wiring import wiring

log = logging.getLogger("gatekeeper.web")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:=;-]{1,128}")
CSP = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

_VARY = ("Authorization", "Cookie")
_PERSONAL = {"Cache-Control": "private, no-store", "Vary": ", ".join(_VARY)}
_ONLY_TLS = {"Strict-Transport-Security": "max-age=63072000; includeSubDomains"}

ErrorAnswer = Callable[[Exception], Response]


def install(app: Flask, fresh: Callable[[int], bytes], answer: ErrorAnswer) -> None:
    """Put request ids, headers and the outermost error frame into the application.

    `answer` gives the dialect's response to any exception; it must not raise.
    """

    mine, numbers = fresh(5).hex(), itertools.count()  # names, not secrets: made without a call

    @app.before_request
    def name_request() -> None:
        given = request.headers.get("X-Request-Id") or request.headers.get("X-Amzn-Trace-Id") or ""
        known = _REQUEST_ID.fullmatch(given)
        g.request_id = given if known else f"{mine}{next(numbers):06x}"

    @app.after_request
    def protect(response: Response) -> Response:
        headers = response.headers
        present = {name.lower() for name, _ in headers}  # once: each look-up would go through all
        for name, value in _owed(request.path):
            if name.lower() not in present:
                headers.add(name, value)
        headers["X-Request-Id"] = g.get("request_id") or ""
        if "vary" in present and not request.path.startswith("/static/"):
            response.vary.update(_VARY)
        return response

    @app.errorhandler(Exception)
    def last_frame(error: Exception) -> Response:
        meant = _meant(error)
        watch.note_refusal(meant)
        if not isinstance(error, HTTPException):
            _log(meant)
        return answer(meant)


def _meant(error: Exception) -> Exception:
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        error = error.original_exception  # Flask's wrapping of what no handler had seen
    if isinstance(error, StorageError):
        # Where nothing can be counted, nothing that is limited is done.
        return Unavailable("requests cannot be counted just now; nothing was changed")
    return error


def _owed(path: str) -> Iterator[tuple[str, str]]:
    """Go through the headers of every answer that does not set them itself."""
    yield from _HEADERS.items()
    if wiring().secure_cookie:
        yield from _ONLY_TLS.items()
    if not path.startswith("/static/"):
        yield from _PERSONAL.items()


def _log(error: Exception) -> None:
    known = {"fields": {"request_id": g.get("request_id")}}
    if isinstance(error, GatekeeperError):
        what = type(error).__name__
        log.info("%s %s: %s", request.method, request.url_rule, what, extra=known)
    else:
        where = (request.method, request.url_rule)
        log.error("%s %s failed", *where, exc_info=error, extra=known)
