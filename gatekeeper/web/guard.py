"""What stands around every request: ids, security headers, limits on size, and the last frame.

Not here: identity (identity), who may do what (services), how a dialect words an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request
from limits.errors import StorageError
from werkzeug.exceptions import HTTPException, InternalServerError

from gatekeeper.domain.errors import GatekeeperError, Unavailable
from gatekeeper.web import bodies, watch
from gatekeeper.web.wiring import wiring

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger("gatekeeper.web")

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

_FAULT = "gatekeeper.fault"

ErrorAnswer = Callable[[Exception], Response]


def install(app: Flask, answer: ErrorAnswer) -> None:
    """Put request ids, headers and the outermost error frame into the application.

    `answer` gives the dialect's response to any exception; it must not raise.
    """

    app.before_request(_name_request)
    app.before_request(bodies.admit)

    @app.after_request
    def protect(response: Response) -> Response:
        headers = response.headers
        present = {name.lower() for name, _ in headers}  # once: each look-up would go through all
        is_static = request.path.startswith("/static/")
        for name, value in owed(is_secure=wiring().secure_cookie, is_static=is_static).items():
            if name.lower() not in present:
                headers.add(name, value)
        headers["X-Request-Id"] = g.get("request_id") or ""
        if "vary" in present and not is_static:
            response.vary.update(_VARY)
        return response

    @app.errorhandler(Exception)
    def last_frame(error: Exception) -> Response:
        meant = _meant(error)
        watch.note_refusal(meant)
        if not isinstance(error, HTTPException):
            _log(meant)
        return answer(meant)


def _name_request() -> None:
    g.request_id = wiring().request_ids.of(request.environ)
    if _FAULT in request.environ:
        raise request.environ[_FAULT]


def carry(environ: WSGIEnvironment, fault: Exception) -> None:
    """Let a request that failed before Flask had it be answered as one that failed in it."""
    environ[_FAULT] = fault


@cache
def owed(*, is_secure: bool, is_static: bool = False) -> Mapping[str, str]:
    """Return the headers of every answer that does not set them itself; not to be changed."""
    tls, personal = _ONLY_TLS if is_secure else {}, {} if is_static else _PERSONAL
    return _HEADERS | tls | personal


def _meant(error: Exception) -> Exception:
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        error = error.original_exception  # Flask's wrapping of what no handler had seen
    if isinstance(error, StorageError):
        # Where nothing can be counted, nothing that is limited is done.
        return Unavailable("requests cannot be counted just now; nothing was changed")
    return error


def _log(error: Exception) -> None:
    known = {"fields": {"request_id": g.get("request_id")}}
    if isinstance(error, GatekeeperError):
        what = type(error).__name__
        log.info("%s %s: %s", request.method, request.url_rule, what, extra=known)
    else:
        where = (request.method, request.url_rule)
        log.error("%s %s failed", *where, exc_info=error, extra=known)
