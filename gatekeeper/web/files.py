"""GET and HEAD /d/<token>/<filename>: a signed link, decided by the database on every request.

The file name in the address is cosmetic. An expired link sends its own signed-in holder to a new
one; everybody else learns how to get one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, redirect, request

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.errors import BadLink
from gatekeeper.domain.people import Context
from gatekeeper.services import downloads
from gatekeeper.web import streaming
from gatekeeper.web.identity import session_context
from gatekeeper.web.wiring import Wiring, house, wiring

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

blueprint = Blueprint("files", __name__)

SIGNED = "/d/<token>/<path:filename>"


@blueprint.get(SIGNED)
def signed_file(token: str, filename: str) -> Response:  # noqa: ARG001  cosmetic
    """Serve one file by its signed link."""
    ctx = session_context()
    try:
        return streaming.respond(answer(wiring(), request.environ, ctx, token))
    except BadLink as error:
        if not error.expired:
            raise Refused(Reason.LINK_INVALID) from error
        if ctx.actor.person_id is None:
            raise Refused(Reason.LINK_EXPIRED) from error
        fresh = downloads.renew(house(), ctx, token)
        response = redirect(fresh, 302)
        assert isinstance(response, Response)  # noqa: S101  Flask's redirect gives its own
        return response


def answer(wiring: Wiring, environ: WSGIEnvironment, ctx: Context, token: str) -> streaming.Answer:
    """Answer with the file behind a signed link; raises as `downloads.redeem` and `Busy`."""
    serves = environ["REQUEST_METHOD"] == "GET"
    ready = downloads.redeem(wiring.house, ctx, token, serves=serves)
    return streaming.send(wiring, environ, ready, ready.file.sha256)
