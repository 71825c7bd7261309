"""Errors as the Hub's clients understand them: status, X-Error-Code, X-Error-Message, JSON body.

One table. Every refusal of a visible model is GatedRepo with this person's next step; hidden and
missing are the same answer. A denial without its code would be taken for a network fault.
Source: hf-wire.md 0 and 2; huggingface_hub, `utils/_http.py` (hf_raise_for_status).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from flask import Response, jsonify, request
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound as NoSuchAddress

from gatekeeper.domain import errors as e
from gatekeeper.domain import requests as r
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.services.downloads import NoSuchFile, NoSuchRevision
from gatekeeper.web import limits
from gatekeeper.web.hub.parse import base
from gatekeeper.web.identity import context_for
from gatekeeper.web.wording import step

_OURS = re.compile(
    r"/api/(?!v1(?:/|$))|/oauth/"
    r"|/(?!d/)(?:datasets/|spaces/)?[^/]+(?:/[^/]+)?/resolve/"
    r"|/[^/]+/[^/]+/(?:info/|git-(?:upload|receive)-pack$|ask-access$|user-access-report$)"
)
LONGEST_LINE = 1000  # of a header: a client refuses longer ones
# The very words by which a client tells a bad token from a missing repository.
BAD_TOKEN = "Invalid credentials in Authorization header"  # noqa: S105  no password
CHALLENGE = 'Bearer realm="Authentication required", charset="UTF-8"'


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client is told: `code` is the class of its exception, '' for a plain HTTP error."""

    status: int
    message: str
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def is_ours(path: str) -> bool:
    """Say whether a path belongs to the Hub dialect."""
    return _OURS.match(path) is not None


def answer(error: Exception) -> Response:
    """Answer an exception."""
    reply = _request_reply(error) or _domain_reply(error) or _http_reply(error)
    response = jsonify({"error": reply.message})
    response.status_code = reply.status
    response.headers["X-Error-Message"] = one_line(reply.message)
    if reply.code:
        response.headers["X-Error-Code"] = reply.code
    if reply.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = CHALLENGE
    response.headers.update(reply.headers)
    return response


def one_line(text: str) -> str:
    """Return the text as a header may carry it: one line of printable ASCII."""
    plain = " ".join(text.split()).encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() else "?" for c in plain)[:LONGEST_LINE]


def _request_reply(error: Exception) -> Reply | None:
    """Answer what is said of requests for access alone; the clients know these sentences."""
    match error:
        case r.NoSuchPerson():
            return Reply(404, "User not found")
        case r.NoSuchRequest():
            return Reply(404, "No access request found matching your criteria")
        case r.HasAccess():
            return Reply(400, "That user already has access to the repo")
        case r.NotGated():
            return Reply(400, str(error), "RepoNotGated")
        case _:
            return None


def _domain_reply(error: Exception) -> Reply | None:
    match error:
        case Refused():
            return _refused(error)
        case NoSuchFile():
            commit = {"X-Repo-Commit": error.revision_id} if error.revision_id else {}
            return Reply(404, "Entry not found", "EntryNotFound", commit)
        case NoSuchRevision():
            return Reply(404, "Invalid rev id", "RevisionNotFound")
        case e.NotFound():
            return _missing(error)
        case e.BadCredentials():
            return Reply(401, BAD_TOKEN)
        case e.Busy():
            message = f"The server cannot answer this now: {error}. Try again in a moment."
            return Reply(503, message, headers={"Retry-After": str(error.retry_after_seconds)})
        case e.GatekeeperError():
            return Reply(_STATUSES.get(type(error), 500), _words(error))
        case _:
            return None


_STATUSES: Mapping[type[Exception], int] = {
    e.Invalid: 400,
    e.NotAllowed: 403,
    e.BadLink: 403,
    e.Conflict: 409,
    e.TermsOutdated: 409,
    e.TooLarge: 413,
}


def _words(error: e.GatekeeperError) -> str:
    return str(error) if type(error) in _STATUSES else "The server failed; its operator can see why"


def _refused(error: Refused) -> Reply:
    if error.reason is Reason.NOT_VISIBLE:
        return _not_found()
    said = step(error)
    message = f"{said.said} {said.do} {base()}{said.page}"
    status = 401 if error.reason is Reason.NO_ACCOUNT else 403
    return Reply(status, message, "GatedRepo" if error.model else "")


def _not_found() -> Reply:
    if _is_anonymous():
        return Reply(401, "Invalid username or password.", "RepoNotFound")
    return Reply(404, "Repository not found", "RepoNotFound")


def _missing(error: e.NotFound) -> Reply:
    if isinstance(error, e.Moved):
        return Reply(404, str(error), "RepoNotFound")
    if request.path.startswith(("/api/lfs/", "/api/xet/")):
        return Reply(404, str(error))  # a ticket speaks and no person: there is nothing to hide
    return _not_found()


def _is_anonymous() -> bool:
    try:
        return context_for().actor.person_id is None
    except e.BadCredentials:
        return True


def _http_reply(error: Exception) -> Reply:
    if not isinstance(error, HTTPException) or error.code is None:
        return Reply(500, "The server failed; its operator can see why")
    if error.description == NoSuchAddress.description:
        return Reply(404, "There is nothing at this address")
    if isinstance(error, RateLimitExceeded):
        return _too_many()
    kept = {k: v for k, v in error.get_headers() if k in {"Allow", "Retry-After", "Content-Range"}}
    return Reply(error.code, error.description or error.name, headers=kept)


def _too_many() -> Reply:
    """Answer in both ways in which clients look for how long to wait.

    Source: huggingface_hub from 1.6 on, `utils/_http.py` (parse_ratelimit_headers); RFC 9110.
    """
    seconds = limits.seconds_left()
    wait = {"RateLimit": f'"logins";r=0;t={seconds}', "Retry-After": str(seconds)}
    return Reply(429, f"Too many tries: wait {seconds} seconds, and try again", headers=wait)
