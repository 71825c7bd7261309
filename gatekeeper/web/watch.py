"""What is known of every request once it was answered: for the log and for /metrics.

The route's rule stands for the address, because addresses hold links, tokens and names. Times end
where the first byte leaves: a download's bytes go on from the kernel.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Flask, g, request

from gatekeeper.domain.access import Refused
from gatekeeper.domain.people import ActorKind, Context

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("gatekeeper.requests")

_KEY = "gatekeeper.seen"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_DIALECTS = frozenset({"api", "hub", "files", "machines"})


@dataclass(slots=True)
class Seen:
    """One request: every word is one of a closed list, but for the ids and the client."""

    method: str
    client: str
    dialect: str = "none"
    route: str = "unmatched"
    request_id: str = ""
    actor: str = str(ActorKind.ANONYMOUS)
    person_id: str = ""
    status: int = 500
    size_bytes: int = 0
    seconds: float = 0.0
    reason: str = ""


def watched(app: WSGIApplication, told: Callable[[Seen], None]) -> Callable[..., Iterable[bytes]]:
    """Wrap a WSGI application so that `told` hears of every request, failed ones included."""

    def watch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        seen = Seen(method if method in _METHODS else "other", environ.get("REMOTE_ADDR", ""))
        environ[_KEY] = seen
        began = time.perf_counter()

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            seen.status = int(status[:3])
            length = dict(headers).get("Content-Length", "0")
            seen.size_bytes = 0 if method == "HEAD" else int(length)
            return start_response(status, headers, exc_info)

        try:
            return app(environ, start)
        finally:
            seen.client = environ.get("REMOTE_ADDR", "")  # as the trusted proxies say
            seen.seconds = time.perf_counter() - began
            told(seen)

    return watch


def install(app: Flask) -> None:
    """Let every request say which route it took and for whom."""

    @app.before_request
    def name_route() -> None:
        if (seen := _seen()) is not None and request.url_rule is not None:
            seen.route = request.url_rule.rule
            first = re.split("[._]", request.blueprint or "")[0]  # api.links, hub_lfs
            seen.dialect = first if first in _DIALECTS else "pages"

    @app.teardown_request
    def name_actor(_error: BaseException | None) -> None:
        if (seen := _seen()) is not None:
            seen.request_id = g.get("request_id", "")
            for name in ("context", "bearer_context", "bearer_now", "page_context"):
                note_actor(seen, g.get(name))


def write_down(seen: Seen, *, personal: bool) -> None:
    """Log one request; whose it was and where it came from only where that may be kept."""
    fields: dict[str, str | int | float] = {
        "method": seen.method,
        "route": seen.route,
        "status": seen.status,
        "milliseconds": round(seen.seconds * 1000, 1),
        "bytes": seen.size_bytes,
        "dialect": seen.dialect,
        "actor": seen.actor,
        "request_id": seen.request_id,
    }
    if seen.reason:
        fields["reason"] = seen.reason
    if personal:
        fields |= {"person_id": seen.person_id, "client": seen.client}
    log.info("answered", extra={"fields": fields})


def note_actor(seen: Seen, ctx: Context | None) -> None:
    """Note who acts, if it is somebody."""
    if ctx is not None and ctx.actor.person_id is not None:
        seen.actor, seen.person_id = str(ctx.actor.kind), ctx.actor.person_id


def note_refusal(error: Exception) -> None:
    """Note why access was refused, where it was."""
    if isinstance(error, Refused) and (seen := _seen()) is not None:
        seen.reason = str(error.reason)


def _seen() -> Seen | None:
    return seen_of(request.environ)


def seen_of(environ: WSGIEnvironment) -> Seen | None:
    """Return what is known of a request, None where nobody watches."""
    found: Seen | None = environ.get(_KEY)
    return found
