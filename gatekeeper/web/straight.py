"""The straight way to a file's bytes: what the doors of files answer, without Flask around it.

Most requests are for bytes, and Flask's contexts cost as much as the whole decision. So a signed
link, and a file of a revision asked for by a token or by nobody, is answered here when the answer
is the file: the same services decide, record and send. Everything else goes on to Flask as it came,
which decides anew: refusals, conditions that end a request, cookies, odd addresses. A fault is only
worded there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from gatekeeper.domain.errors import Busy, GatekeeperError
from gatekeeper.domain.people import ANONYMOUS, Context
from gatekeeper.web import files, guard, watch
from gatekeeper.web.hub import parse
from gatekeeper.web.hub import routes as hub
from gatekeeper.web.identity import bearer
from gatekeeper.web.streaming import Answer
from gatekeeper.web.wiring import Wiring

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# A segment that means itself: printable, and the routes of Flask would read nothing else in it.
_SEGMENT = "[!-.0-~]+"
_SIGNED = re.compile(f"/d/({_SEGMENT})/{_SEGMENT}")
_PATH = f"{_SEGMENT}(?:/{_SEGMENT})*"
_RESOLVE = re.compile(f"/({_SEGMENT})/({_SEGMENT})/resolve/({_SEGMENT})/({_PATH})")
_STATUS = {s.value: f"{s.value} {s.phrase.upper()}" for s in HTTPStatus if s in {200, 206, 302}}


def straight(app: WSGIApplication, wiring: Wiring) -> Callable[..., Iterable[bytes]]:
    """Wrap a WSGI application so that files that may be fetched do not go through it."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        found = None
        if environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
            try:
                found = _answer(wiring, environ)
            except Exception as error:  # noqa: BLE001  Flask's last frame tells it, and logs it
                if isinstance(error, Busy) or not isinstance(error, GatekeeperError):
                    guard.carry(environ, error)  # what does not answer is waited for once
        if found is None or found.status not in _STATUS:
            return app(environ, start_response)
        headers = {**guard.owed(is_secure=wiring.secure_cookie), **found.headers}
        headers["X-Request-Id"] = wiring.request_ids.of(environ)
        start_response(_STATUS[found.status], list(headers.items()))
        return found.body or ()

    return answer


def _answer(wiring: Wiring, environ: WSGIEnvironment) -> Answer | None:
    path = environ["PATH_INFO"]
    signed = _SIGNED.fullmatch(path)
    if signed is not None:
        ctx = _named(wiring, environ, files.SIGNED, "files", None)
        return files.answer(wiring, environ, ctx, signed[1])
    named = _RESOLVE.fullmatch(path)
    if named is None or "HTTP_COOKIE" in environ:
        return None
    ref = parse.file_ref(*named.groups())
    ctx = _named(wiring, environ, hub.RESOLVE, "hub", environ.get("HTTP_AUTHORIZATION"))
    return hub.answer(wiring, environ, ctx, ref)


def _named(
    wiring: Wiring, environ: WSGIEnvironment, route: str, dialect: str, header: str | None
) -> Context:
    """Make the request's Context, and say which route it took and for whom."""
    request_id = wiring.request_ids.of(environ)
    ctx = wiring.context(ANONYMOUS, request_id)
    if header is not None:
        ctx = wiring.context(bearer(wiring.house, ctx, header), request_id)
    seen = watch.seen_of(environ)
    if seen is not None:
        seen.route, seen.dialect, seen.request_id = route, dialect, request_id
        watch.note_actor(seen, ctx)
    return ctx
