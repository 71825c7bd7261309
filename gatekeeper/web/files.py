"""GET and HEAD /d/<token>/<filename>: a signed link, decided by the database on every request.

The file name in the address is cosmetic. An expired link sends its own signed-in holder to a new
one; everybody else learns how to get one.
"""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.errors import BadLink
from gatekeeper.services import downloads
from gatekeeper.web import streaming
from gatekeeper.web.identity import session_context
from gatekeeper.web.wiring import house

blueprint = Blueprint("files", __name__)


@blueprint.get("/d/<token>/<path:filename>")
def signed_file(token: str, filename: str) -> Response:  # noqa: ARG001  cosmetic
    """Serve one file by its signed link."""
    ctx = session_context()
    try:
        ready = downloads.redeem(house(), ctx, token, serves=request.method == "GET")
    except BadLink as error:
        if not error.expired:
            raise Refused(Reason.LINK_INVALID) from error
        if ctx.actor.person_id is None:
            raise Refused(Reason.LINK_EXPIRED) from error
        fresh = downloads.renew(house(), ctx, token)
        response = redirect(fresh, 302)
        assert isinstance(response, Response)  # noqa: S101  Flask's redirect gives its own
        return response
    return streaming.send(ready, ready.file.sha256)
