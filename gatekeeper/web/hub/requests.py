"""Routes of the Hub dialect, gate administration: who asks for a model, who gets it, who may not.

A token acts, never a cookie; only the report may be looked at in a browser as well. Listing and
deciding need the scope `review`, asking that of `read`. Every guard is that of the review desk.
Source: hf-wire.md 3; huggingface_hub, `hf_api.py` (AccessRequest and its neighbours).

Not here: a batch of decisions; each is taken by itself.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request
from werkzeug.exceptions import BadRequest
from werkzeug.exceptions import NotImplemented as NotOffered
from werkzeug.wrappers import Response as AnyResponse

from gatekeeper.domain.requests import RequestStatus
from gatekeeper.services.applications import asking, giving, listing, requests
from gatekeeper.services.applications.listing import Listed
from gatekeeper.services.applications.requests import Handling
from gatekeeper.web.hub import asked, parse, wire
from gatekeeper.web.hub.routes import MODEL
from gatekeeper.web.identity import bearer_context, context_for
from gatekeeper.web.wiring import house

blueprint = Blueprint("hub_requests", __name__)

REQUESTS = f"{MODEL}/user-access-request"
FEWEST = 10
MOST_FIELDS = 100
_AFTER = "after"


@blueprint.get(f"{REQUESTS}/<any(pending, accepted, rejected):status>")
def list_requests(namespace: str, name: str, status: str) -> Response:
    """List requests, oldest first, a page at a time; 0.36 and 1.0 read the first page alone."""
    wanted = listing.Wanted(
        RequestStatus(status),
        username=parse.text("q") or "",
        after=parse.moment_and_id(_AFTER),
        limit=max(FEWEST, parse.limit(listing.MOST)),
    )
    model = parse.repository(namespace, name)
    found, after = listing.listed(house(), bearer_context(), model, wanted)
    response = jsonify([_item(listed) for listed in found])
    if after is not None:
        at, last = after
        response.headers["Link"] = parse.next_link([at.isoformat(), last], _AFTER)
    return response


def _item(listed: Listed) -> wire.Json:
    person, found = listed.person, listed.request
    item: wire.Json = {
        "requestId": found.id,
        "user": {
            "_id": person.id,
            "user": person.username,
            "fullname": person.name,
            "type": "user",
            "isPro": False,
        },
        "status": str(found.status),
        "timestamp": wire.moment(found.asked_at),
        "fields": dict(listed.answers),
    }
    if listed.shows_email:
        item["user"]["email"] = person.email
    if found.reviewed_at is not None:
        item["reviewedAt"] = wire.moment(found.reviewed_at)
    return item | ({"grantedBy": listed.granted_by} if listed.granted_by else {})


@blueprint.post(f"{REQUESTS}/handle")
def handle_request(namespace: str, name: str) -> Response:
    """Accept, reject or put back the request of one person.

    Accepted is an approval until the latest day the tier allows; where two are needed the first
    leaves the request pending. Rejected takes a text, which the applicant reads, and who holds
    access loses it. Pending (`cancel_access_request`) opens a decided case again and ends what it
    gave.
    """
    wanted = asked.body(asked.Handled)
    if wanted.user is None and wanted.requestId is None:
        raise BadRequest("user: name the person, or the request by requestId")
    if wanted.rejectionReason is not None and wanted.status != "rejected":
        raise BadRequest("rejectionReason: it goes with the status rejected alone")
    handling = Handling(
        RequestStatus(wanted.status),
        username=wanted.user or "",
        request_id=wanted.requestId or "",
        note=wanted.rejectionReason or "",
    )
    requests.handle(house(), bearer_context(), parse.repository(namespace, name), handling)
    return jsonify({})


@blueprint.post(f"{REQUESTS}/grant")
def grant_access(namespace: str, name: str) -> Response:
    """Give access to somebody who did not ask for it."""
    wanted = asked.body(asked.Given)
    giving.give(house(), bearer_context(), parse.repository(namespace, name), wanted.user)
    return jsonify({})


@blueprint.post(f"{REQUESTS}/cancel")
def cancel_request(namespace: str, name: str) -> Response:
    """Withdraw one's own request."""
    requests.cancel(house(), bearer_context(), parse.repository(namespace, name))
    return jsonify({})


@blueprint.post(f"{REQUESTS}/batch")
def decide_many(**_: str) -> Response:
    """Refuse to decide many at once: each person's request is looked at by itself."""
    raise NotOffered("requests are decided one by one, here by `handle` or at /review")


@blueprint.get("/<segment:namespace>/<segment:name>/user-access-report")
def report(namespace: str, name: str) -> Response:
    """Give everybody's request as one file."""
    found = listing.report(house(), context_for(), parse.repository(namespace, name))
    response = jsonify([_line(listed) for listed in found])
    response.headers["Content-Disposition"] = 'attachment; filename="user-access-report.json"'
    return response


def _line(listed: Listed) -> wire.Json:
    item = _item(listed)
    line: wire.Json = {
        "user": item["user"]["user"],
        "fullname": item["user"]["fullname"],
        "status": item["status"],
        "email": item["user"].get("email"),
        "time": item["timestamp"],
    }
    return line | {key: item[key] for key in ("reviewedAt",) if key in item}


@blueprint.post("/<segment:namespace>/<segment:name>/ask-access")
def ask_access(namespace: str, name: str) -> AnyResponse:
    """Ask for a model, by JSON or a form of answers under their labels.

    A body that names an agreement's id with the SHA-256 of its text accepts that text; nothing
    else does. Whoever asked before, holds access or was refused is sent to the page like everybody.
    """
    model = parse.repository(namespace, name)
    asking.ask(house(), bearer_context(), model, _sent())
    return redirect(f"{parse.base()}/{'/'.join(model)}", 303)


def _sent() -> dict[str, str]:
    """Read what was sent as texts; raises BadRequest for what is none."""
    if not request.is_json:
        found: Any = request.form.to_dict()
    else:
        found = asked.json() if request.content_length else {}
    if not isinstance(found, dict) or len(found) > MOST_FIELDS:
        raise BadRequest(f"body: an object of at most {MOST_FIELDS} answers by their labels")
    if not all(isinstance(value, str | bool) for value in found.values()):
        raise BadRequest("body: an answer is a text, or true or false for a box")
    sent = {k: v if isinstance(v, str) else "yes" if v else "" for k, v in found.items()}
    if not all(_is_kept(text) for text in (*sent, *sent.values())):
        raise BadRequest("body: texts are Unicode, without NUL")
    return sent


def _is_kept(text: str) -> bool:
    """Say whether every database keeps the text: JSON can write half a character, and NUL."""
    return "\x00" not in text and text == text.encode(errors="ignore").decode()
