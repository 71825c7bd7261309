"""What a person holds, and fetching it: commands with their token, links made by a button.

A link is made by a POST alone, so that no other site's picture makes one; it is shown in the answer
and kept nowhere. Not here: whether somebody may fetch (services/downloads), bytes (web/files).
"""

from __future__ import annotations

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.catalogue import check_path
from gatekeeper.domain.errors import Invalid, NotFound
from gatekeeper.domain.grants import GrantCommand
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import Scope
from gatekeeper.services import downloads, grants, tokens
from gatekeeper.services.downloads import FileRef
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import access_page, holdings_page
from gatekeeper.web.pages.catalogue import find
from gatekeeper.web.pages.frame import notify, page, see, signed_in, viewer
from gatekeeper.web.wiring import house

blueprint = Blueprint("access", __name__)

TOKEN_DAYS = 30


@blueprint.get("/access")
@signed_in
def index() -> ResponseReturnValue:
    """Show the viewer's grants, live and ended."""
    return page("access/index.html", **holdings_page.values(house(), session_context()))


@blueprint.post("/access/grants/<grant_id>/relinquish")
@signed_in
def relinquish(grant_id: str) -> ResponseReturnValue:
    """Give a grant back."""
    grants.change(house(), session_context(), GrantId(grant_id), GrantCommand.RELINQUISH)
    notify("ok", "You gave the access back.", "Its links and tokens fetch nothing any more.")
    return see("/access")


@blueprint.get("/access/<owner>/<name>")
def model(owner: str, name: str) -> ResponseReturnValue:
    """Show how to fetch a model; without an account only an open one."""
    return _show(owner, name, request.args.get("revision") or "main")


@blueprint.post("/access/<owner>/<name>/links")
@signed_in
def make_link(owner: str, name: str) -> ResponseReturnValue:
    """Make a signed link for one file: to follow at once (`download`), or to copy (`copy`)."""
    path = request.form.get("download") or request.form.get("copy") or abort(400)
    revision = request.form.get("revision") or "main"
    view = find(owner, name, revision)
    ref = FileRef(view.model.namespace, view.model.name, revision, _known(path))
    link = downloads.issue_link(house(), session_context(), ref)
    if request.form.get("download"):
        return see(link.path)
    return _show(owner, name, request.args.get("revision") or "main", link=link)


@blueprint.post("/access/<owner>/<name>/token")
@signed_in
def make_token(owner: str, name: str) -> ResponseReturnValue:
    """Make a read token and put it into the commands, this once."""
    view, me = find(owner, name), viewer()
    assert me is not None  # noqa: S101  signed_in asked
    days = min(TOKEN_DAYS, house().policy.token_longest_days)
    label = f"For {view.model.name}"[:80]
    token, text = tokens.create(house(), session_context(), me.person.id, label, Scope.READ, days)
    return _show(owner, name, "main", made=access_page.Made(token, text))


def _show(
    owner: str,
    name: str,
    revision: str,
    *,
    link: downloads.IssuedLink | None = None,
    made: access_page.Made | None = None,
) -> ResponseReturnValue:
    view = find(owner, name, revision)
    if view.judged.verdict.reason is Reason.NO_ACCOUNT:
        raise Refused(Reason.NO_ACCOUNT, model=view.model.full_name)
    values = access_page.values(house(), session_context(), view, revision, link, made)
    return page("access/model.html", **values), 403 if values["closed"] else 200


def _known(path: str) -> str:
    try:
        return check_path(path)
    except Invalid as error:
        raise NotFound("no such file") from error
