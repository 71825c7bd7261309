"""Addresses of the catalogue: the list, a release, a model, its files and revisions.

The addresses below a model are those the Hub's clients print. Revisions are one segment of the
address with `/` encoded, as in the Hub dialect. Not here: what the pages say (releases_list,
release_page, model_page, tree_page), bytes (web/hub, web/files).
"""

from __future__ import annotations

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.access import Reason
from gatekeeper.domain.catalogue import check_ref_name, check_repo_name, is_commit_id
from gatekeeper.domain.errors import Invalid, NotFound
from gatekeeper.services import catalogue
from gatekeeper.services.catalogue import ModelView
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import model_page, release_page, releases_list, tree_page
from gatekeeper.web.pages.frame import page
from gatekeeper.web.pages.snippets import quoted
from gatekeeper.web.wiring import house

blueprint = Blueprint("catalogue", __name__)


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """List the releases."""
    return page("catalogue/index.html", **releases_list.values(house(), session_context()))


@blueprint.get("/releases/<owner>/<name>")
def release(owner: str, name: str) -> ResponseReturnValue:
    """Show a release."""
    values = release_page.values(house(), session_context(), *named(owner, name))
    return page("catalogue/release.html", **values)


@blueprint.get("/<owner>/<name>")
def model(owner: str, name: str) -> ResponseReturnValue:
    """Show a model, at `?revision=` or its main branch; a withdrawn one as 410 with its card."""
    revision = request.args.get("revision") or "main"
    view = find(owner, name, revision)
    body = page("catalogue/model.html", **model_page.values(house(), view, revision))
    return body, 410 if view.judged.verdict.reason is Reason.MODEL_WITHDRAWN else 200


@blueprint.get("/<owner>/<name>/tree/<segment:revision>")
@blueprint.get("/<owner>/<name>/tree/<segment:revision>/")
@blueprint.get("/<owner>/<name>/tree/<segment:revision>/<rest:path>")
def tree(owner: str, name: str, revision: str, path: str = "") -> ResponseReturnValue:
    """Show a directory; a file's own address is its blob."""
    view = _published(find(owner, name, revision))
    if tree_page.find(view, path) is not None:
        return redirect(f"/{view.model.full_name}/blob/{quoted(revision)}/{quoted(path, safe='/')}")
    return page("catalogue/tree.html", **tree_page.tree_values(view, revision, path))


@blueprint.get("/<owner>/<name>/blob/<segment:revision>/<rest:path>")
def blob(owner: str, name: str, revision: str, path: str) -> ResponseReturnValue:
    """Show a file: size, hash, where it is fetched, and its text when it is short and open."""
    view = _published(find(owner, name, revision))
    file = tree_page.find(view, path)
    if file is None:
        return redirect(f"/{view.model.full_name}/tree/{quoted(revision)}/{quoted(path, safe='/')}")
    values = tree_page.blob_values(house(), session_context(), view, revision, file)
    return page("catalogue/blob.html", **values)


@blueprint.get("/<owner>/<name>/commit/<revision>")
def commit(owner: str, name: str, revision: str) -> ResponseReturnValue:
    """Show what one revision changed."""
    if not is_commit_id(revision):
        raise NotFound("no such revision")
    view = _published(find(owner, name, revision))
    values = tree_page.commit_values(house(), session_context(), view)
    return page("catalogue/commit.html", **values)


def find(owner: str, name: str, revision: str = "main") -> ModelView:
    """Return a model the viewer may see; raises NotFound alike for every name that is none."""
    pair = named(owner, name)
    try:
        at = revision if is_commit_id(revision) else check_ref_name(revision)
    except Invalid as error:
        raise NotFound("no such revision") from error
    return catalogue.model(house(), session_context(), *pair, at)


def named(owner: str, name: str) -> tuple[str, str]:
    """Return the two parts of a name; raises NotFound for what could be none."""
    try:
        return check_repo_name(owner), check_repo_name(name)
    except Invalid as error:
        raise NotFound("no such model") from error


def _published(view: ModelView) -> ModelView:
    if view.revision is None:
        raise NotFound("nothing is published yet")
    return view
