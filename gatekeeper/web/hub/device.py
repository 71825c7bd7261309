"""Routes of `hf auth login`: a program asks for codes, then comes for its token.

Any client id will do: what a person is asked is whether they began this themselves, and no id of a
program could answer that. Source: RFC 8628; hf-wire.md 5. Not here: the page (web/pages/device).
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from gatekeeper.domain.people import ANONYMOUS
from gatekeeper.services import devices
from gatekeeper.services.devices import NoToken, Refusal
from gatekeeper.web.hub import parse
from gatekeeper.web.wiring import house, new_context

blueprint = Blueprint("hub_device", __name__)

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SAYS = {
    Refusal.PENDING: "nobody has answered yet",
    Refusal.SLOW_DOWN: f"ask every {devices.ASK_EVERY_SECONDS} seconds",
    Refusal.DENIED: "it was turned away",
    Refusal.EXPIRED: "the code has expired; begin again",
    Refusal.UNKNOWN: "no such code, or its token was fetched already; begin again",
}


@blueprint.post("/oauth/device")
def begin() -> Response:
    """Give a program its codes."""
    codes = devices.begin(house(), new_context(ANONYMOUS))
    page = f"{parse.base()}/device"
    return jsonify(
        {
            "device_code": codes.device_code,
            "user_code": codes.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?code={codes.user_code}",
            "expires_in": devices.WAITS_SECONDS,
            "interval": devices.ASK_EVERY_SECONDS,
        }
    )


@blueprint.post("/oauth/token")
def redeem() -> Response:
    """Give a program that was let in its token."""
    if request.form.get("grant_type") != GRANT:
        # No token of ours is refreshed: one that has ended is asked for anew.
        return _refused("unsupported_grant_type", f"only {GRANT}")
    try:
        code = request.form.get("device_code", "")[:200]
        token = devices.redeem(house(), new_context(ANONYMOUS), code)
    except NoToken as error:
        return _refused(error.refusal, _SAYS[error.refusal])
    return jsonify({"access_token": token, "token_type": "bearer"})


def _refused(error: str, description: str) -> Response:
    response = jsonify({"error": error, "error_description": description})
    response.status_code = 400
    return response
