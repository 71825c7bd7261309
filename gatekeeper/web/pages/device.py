"""Letting a program in: a person types the code it shows, sees what that means, and decides.

Not here: what the program asks and is given (web/hub/device), tokens made by hand (account).
"""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.people import Scope
from gatekeeper.services import devices, profile
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages.account import SCOPES, useful_scopes
from gatekeeper.web.pages.frame import notify, page, see, signed_in
from gatekeeper.web.wiring import house

blueprint = Blueprint("device", __name__)


@blueprint.get("/device")
@signed_in
def show() -> ResponseReturnValue:
    """Ask for the code; with one, ask whether to let its program in."""
    code = request.args.get("code", "")
    if not devices.typed(code):
        return page("device/index.html", code="", scopes=(), wrong="")
    try:
        found = devices.find(house(), session_context(), code)
    except NotFound:
        return page("device/index.html", code="", scopes=(), wrong=_NONE), 404
    useful = useful_scopes(profile.show(house(), session_context()))
    scopes = [(scope, *SCOPES[scope]) for scope in useful]
    return page("device/index.html", code=devices.written(found.user_code), scopes=scopes, wrong="")


@blueprint.post("/device")
@signed_in
def answer() -> ResponseReturnValue:
    """Let the program in, or turn it away."""
    form = request.form
    allows = form.get("act") == "allow"
    scope = next((s for s in Scope if s == form.get("scope")), Scope.READ)
    try:
        devices.answer(house(), session_context(), form.get("code", ""), scope, allows=allows)
    except NotFound:
        return page("device/index.html", code="", scopes=(), wrong=_NONE), 404
    if allows:
        notify("ok", "The program is let in.", "Go back to it: its token will stand in this list.")
    else:
        notify("ok", "The program is turned away.", "It acts for nobody.")
    return see("/account#tokens")


_NONE = "No program waits with this code. It is good for 15 minutes and once: begin again."
