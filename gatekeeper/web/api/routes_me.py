"""Who calls."""

from __future__ import annotations

from flask import Blueprint, Response

from gatekeeper.services import profile
from gatekeeper.web.api.exchange import caller, query, say
from gatekeeper.web.api.present import catalogue as present
from gatekeeper.web.api.wire import queries
from gatekeeper.web.wiring import house

blueprint = Blueprint("me", __name__)


@blueprint.get("/me")
def show_me() -> Response:
    """Return the caller's account, roles, and what their token may do."""
    query(queries.NoQuery)
    return say(present.me(profile.show(house(), caller())))
