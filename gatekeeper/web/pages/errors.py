"""Every exception as a page that says what happened and what to do next; one table.

Words about access come from web/wording. A visitor who must sign in first is sent there and back.
Not here: forms that keep what was typed (each page answers its own Invalid and Conflict).
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from flask import Response, g, render_template, request
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from gatekeeper.domain import errors as e
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.web import limits, wording

log = logging.getLogger("gatekeeper.web")


@dataclass(frozen=True, slots=True)
class Action:
    """Where to go from here."""

    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """One error page: status, code (a reason of interface.md), what happened, what to do."""

    status: int
    code: str
    title: str
    text: str
    actions: Sequence[Action] = ()
    headers: dict[str, str] = field(default_factory=dict)


_HOME = Action("/", "See the releases")
_ACCOUNT = Action("/account", "Your account")
_STATUS = {Reason.NO_ACCOUNT: 401, Reason.NOT_VISIBLE: 404, Reason.MODEL_WITHDRAWN: 410}
_LABELS = {
    "": "See the releases",
    "access": "My access",
    "account": "Your account",
    "applications": "Open the application",
    "sign-in": "Sign in",
}
_NOT_FOUND = Said(
    404, "not_found", "There is no such page", "Search for it, or start at the releases.", [_HOME]
)
_HTTP = {
    400: (
        "bad_request",
        "This request could not be read",
        "Go back, and type it again without unusual characters.",
    ),
    405: ("bad_request", "This address does not take that", "Go back and use the page's buttons."),
    413: ("too_large", "This is too large", "Send less at once; files are published differently."),
    415: ("bad_request", "This is not a form", "Send the form of the page."),
}


def answer(error: Exception) -> Response:
    """Answer an exception with a page; never raises."""
    said = _FAILED
    try:
        if isinstance(error, HTTPException) and (error.code or 500) < 400:
            return _redirected(error)
        if _asks_to_sign_in(error):
            return _to_sign_in()
        said = _said(error)
        return _page(said, error)
    except Exception:  # the outermost frame: some answer must leave
        log.exception("the error page failed (%s)", g.get("request_id"))
        text = f"{said.title}. {said.text}\n"
        return Response(text, said.status, said.headers, content_type="text/plain; charset=utf-8")


def _wants_json() -> bool:
    """Say whether a script of a page asks, not a person who looks at the answer."""
    return request.accept_mimetypes.best == "application/json"


def _page(said: Said, error: Exception) -> Response:
    if _wants_json():
        told = {"code": said.code, "title": said.title, "text": said.text}
        if isinstance(error, e.Busy):  # what is down or full, for whoever waits for it
            told["detail"] = f"{str(error)[:1].upper()}{str(error)[1:]}."
        return Response(
            json.dumps(told), said.status, said.headers, content_type="application/json"
        )
    if isinstance(error, e.Busy):
        g.viewer = None  # what is down must not be asked once more
    body = render_template(
        "errors/error.html",
        status=said.status,
        code=said.code,
        title=said.title,
        text=said.text,
        actions=said.actions,
        reference=g.get("request_id") if said.status >= 500 else None,
    )
    return Response(body, said.status, {**said.headers, "X-Error-Code": said.code})


def _redirected(error: HTTPException) -> Response:
    response = error.get_response(request.environ)
    return Response(response.get_data(), response.status_code, response.headers)


def _asks_to_sign_in(error: Exception) -> bool:
    """Say whether a browser would be better off at the sign-in page; a signed link's is not one."""
    return (
        isinstance(error, Refused)
        and error.reason is Reason.NO_ACCOUNT
        and request.method == "GET"
        and request.blueprint != "files"
        and not _wants_json()
    )


def _to_sign_in() -> Response:
    query = request.query_string.decode("ascii", "ignore")
    path = quote(request.path) + (f"?{query}" if query else "")
    return Response(status=302, headers={"Location": f"/sign-in?next={quote(path, safe='/')}"})


def _said(error: Exception) -> Said:  # noqa: C901  the one table of this dialect
    match error:
        case Refused():
            return _refused(error)
        case e.NotFound():
            return _NOT_FOUND
        case e.Invalid():
            wrong = " ".join(f"{one.field}: {one.detail}." for one in error.errors)
            return Said(422, "invalid", "Something in this form is not right", wrong, [_HOME])
        case e.Conflict():
            text = f"{error}. Go back, reload the page and look at it again."
            return Said(409, "conflict", "Somebody was faster", text, [_HOME])
        case e.TermsOutdated():
            text = "Read the new version, and accept that."
            return Said(409, "terms_outdated", "The terms have changed meanwhile", text, [_HOME])
        case e.NotAllowed():
            text = f"{str(error)[:1].upper()}{str(error)[1:]}."
            return Said(403, "wrong_scope", "You may not do this", text, [_ACCOUNT])
        case e.BadCredentials():
            text = "Sign in again, or use another token."
            again = Action("/sign-in", "Sign in")
            return Said(401, "token_invalid", "We do not know you by that", text, [again])
        case e.BadLink():
            return _bad_link(error)
        case e.TooLarge():
            text = f"{str(error)[:1].upper()}{str(error)[1:]}."
            return Said(413, "too_large", "This is too large", text, [_HOME])
        case e.Busy():
            return _busy(error)
        case HTTPException():
            return _http(error)
    return _FAILED


_FAILED = Said(
    500,
    "internal",
    "This page failed",
    "It is our fault, and it is written down. Try again; if it stays, write to the site's contact.",
    [_HOME],
)


def _refused(error: Refused) -> Said:
    if error.reason is Reason.NOT_VISIBLE:
        return _NOT_FOUND
    step = wording.step(error)
    happened, _, more = step.said.partition(". ")
    label = _LABELS.get(step.page[1:].partition("/")[0].partition("?")[0], "Open its page")
    return Said(
        _STATUS.get(error.reason, 403),
        error.reason,
        happened.rstrip("."),
        f"{more} {step.do}".strip(),
        [Action(step.page, label)],
    )


def _bad_link(error: e.BadLink) -> Said:
    code = Reason.LINK_EXPIRED if error.expired else Reason.LINK_INVALID
    title = "This link has expired" if error.expired else "This link does not work"
    text = "Links in mails and for downloads live shortly and are good once. Ask for a new one."
    return Said(403, code, title, text, [_ACCOUNT])


def _busy(error: e.Busy) -> Said:
    headers = {"Retry-After": str(error.retry_after_seconds)}
    text = f"Nothing was lost. Try again in {error.retry_after_seconds} seconds."
    if isinstance(error, e.Unavailable):
        return Said(503, "unavailable", "We cannot answer just now", text, [_HOME], headers)
    return Said(503, "busy", "Too much at once", text, [_HOME], headers)


def _http(error: HTTPException) -> Said:
    status = error.code or 500
    if isinstance(error, CSRFError):
        text = "It was open too long or is not ours. Go back, reload the page and send it again."
        return Said(400, "bad_request", "This form could not be taken", text, [_HOME])
    if isinstance(error, RateLimitExceeded):
        seconds = limits.seconds_left()
        minutes = math.ceil(seconds / 60)
        text = f"Try again in {'a minute' if minutes == 1 else f'{minutes} minutes'}."
        return Said(429, "rate_limited", "Too many tries", text, [], {"Retry-After": str(seconds)})
    if status == 404:
        return _NOT_FOUND
    if status >= 500:
        return _FAILED
    code, title, text = _HTTP.get(status, ("bad_request", error.name, error.description or ""))
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return Said(status, code, title, text, [_HOME], headers)
