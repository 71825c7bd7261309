"""Releases, models and their files, with the caller's access to each."""

from __future__ import annotations

from flask import Blueprint, Response

from gatekeeper.services import catalogue, contents
from gatekeeper.web.api.exchange import caller, query, say
from gatekeeper.web.api.present import catalogue as present
from gatekeeper.web.api.wire import answers, queries
from gatekeeper.web.api.wire.shapes import parts
from gatekeeper.web.wiring import house

blueprint = Blueprint("catalogue", __name__)


@blueprint.get("/releases")
def list_releases() -> Response:
    """Return releases with a model the caller may see, last changed first, a page at a time."""
    asked = query(queries.Releases)
    views, place = catalogue.releases(house(), caller(), after=asked.after, limit=asked.limit)
    page = answers.Page[answers.ReleaseRow](
        items=tuple(map(present.release_row, views)),
        next=queries.write_place(*place) if place is not None else None,
    )
    return say(page)


@blueprint.get("/releases/<owner>/<name>")
def show_release(owner: str, name: str) -> Response:
    """Return one release with risk analysis, detection guide and stage plan."""
    query(queries.NoQuery)
    return say(present.release(catalogue.release(house(), caller(), owner, name)))


@blueprint.get("/models")
def list_models() -> Response:
    """Return models by name, a page at a time."""
    asked = query(queries.Models)
    found, place = catalogue.list_models(
        house(),
        caller(),
        author=asked.author,
        search=asked.search,
        gated=asked.gated,
        after=parts(asked.after) if asked.after is not None else None,
        limit=asked.limit,
    )
    page = answers.Page[answers.ModelRow](
        items=tuple(map(present.model_row, found)),
        next="/".join(place) if place is not None else None,
    )
    return say(page)


@blueprint.get("/models/<owner>/<name>")
def show_model(owner: str, name: str) -> Response:
    """Return one model: what it asks of the caller, and the files of its main branch."""
    query(queries.NoQuery)
    return say(present.model(catalogue.model(house(), caller(), owner, name)))


@blueprint.get("/models/<owner>/<name>/revisions/<segment:revision>/files")
def list_files(owner: str, name: str, revision: str) -> Response:
    """Return the files of a branch, a tag or a commit; a slash in its name is sent as %2F."""
    query(queries.NoQuery)
    return say(present.contents(contents.show(house(), caller(), owner, name, revision)))
