"""Routes of the Hub dialect, writing: making a repository, and committing files to it.

A token acts, never a cookie. Who acts is asked before a body is read and again after it: a token
or role that ended meanwhile writes nothing. Source: hf-wire.md 4.1 and 4.2.
"""

from __future__ import annotations

import io
from typing import cast

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest
from werkzeug.exceptions import NotImplemented as NotOffered

from gatekeeper.domain.catalogue import RefKind, Visibility
from gatekeeper.domain.errors import Invalid
from gatekeeper.services.publishing import commits, front_matter, refs, repositories, tiers
from gatekeeper.services.publishing.commits import Planned
from gatekeeper.web import bodies
from gatekeeper.web.hub import asked, ignores, ndjson, parse
from gatekeeper.web.hub.routes import MODEL
from gatekeeper.web.identity import bearer_context, bearer_now
from gatekeeper.web.wiring import house

blueprint = Blueprint("hub_writing", __name__)

BUFFER_BYTES = 256 << 10


@blueprint.post("/api/repos/create")
def create_repository() -> tuple[Response, int]:
    """Make an empty model; 409 with its address when it is there already."""
    wanted = asked.body(asked.NewRepository)
    pair = _named_by(wanted)
    made = repositories.create(house(), bearer_context(), *pair, wanted.seen_by)
    address = f"{parse.base()}/{made.model.full_name}"
    if made.is_new:
        return jsonify({"url": address, "name": made.model.full_name, "id": made.model.id}), 200
    return jsonify({"url": address, "error": "This model repo exists already"}), 409


@blueprint.delete("/api/repos/delete")
def delete_repository() -> Response:
    """Delete a model that nobody holds or has applied for."""
    pair = _named_by(asked.body(asked.OldRepository))
    repositories.remove(house(), bearer_context(), parse.repository(*pair))
    return jsonify({})


@blueprint.post("/api/repos/move")
def move_repository() -> Response:
    """Give a model another name; its former one leads to it."""
    wanted = asked.body(asked.Move)
    _check_kind(wanted.type)
    source, target = (name.partition("/") for name in (wanted.fromRepo, wanted.toRepo))
    moved = repositories.move(
        house(), bearer_context(), parse.repository(source[0], source[2]), (target[0], target[2])
    )
    return jsonify({"url": f"{parse.base()}/{moved.full_name}"})


@blueprint.post(f"{MODEL}/super-squash/<segment:branch>")
def squash(namespace: str, name: str, branch: str) -> Response:
    """Refuse to take revisions away: what was published stays as it was recorded."""
    commits.plan(
        house(), bearer_context(), parse.repository(namespace, name), parse.revision(branch), []
    )
    raise NotOffered("revisions are not squashed here: each stays, as the audit log says it was")


def _named_by(wanted: asked.OldRepository) -> tuple[str, str]:
    """Return the two parts of a name; the first is '' when the client means its own."""
    _check_kind(wanted.type)
    if wanted.organization:
        return wanted.organization, wanted.name
    owner, _, name = wanted.name.rpartition("/")
    return owner, name


def _check_kind(kind: str | None) -> None:
    if kind not in {None, "model"}:
        raise NotOffered("only models live here, no datasets and no spaces")


@blueprint.put(f"{MODEL}/settings")
def change_settings(namespace: str, name: str) -> Response:
    """Give a model another gate, or show it to others."""
    wanted = asked.body(asked.Settings)
    if not wanted.model_fields_set:
        raise BadRequest("body: say what is to change, `gated`, `visibility` or `private`")
    found = tiers.settle_gate(
        house(),
        bearer_context(),
        parse.repository(namespace, name),
        wanted.gated,
        wanted.seen_by,
    )
    return jsonify(
        {"gated": tiers.gate_of(found.tier), "private": found.visibility is Visibility.HIDDEN}
    )


@blueprint.post("/api/validate-yaml")
def validate_card() -> tuple[Response, int]:
    """Look over a card before it is sent."""
    bearer_context()
    try:
        front_matter.read(asked.body(asked.CardText).content)
    except Invalid as error:
        errors = [{"message": fault.detail} for fault in error.errors]
        return jsonify({"errors": errors, "warnings": []}), 400
    return jsonify({"errors": [], "warnings": []}), 200


@blueprint.post(f"{MODEL}/preupload/<segment:revision>")
def preupload(namespace: str, name: str, revision: str) -> Response:
    """Say how each file is to be sent, and what lies at its path already."""
    wanted = asked.body(asked.Preupload)
    planned = commits.plan(
        house(),
        bearer_context(),
        parse.repository(namespace, name),
        parse.revision(revision),
        [(file.path, file.size) for file in wanted.files],
    )
    is_ignored = ignores.matcher(wanted.gitIgnore or "")
    return jsonify({"files": [_planned(file, ignored=is_ignored(file.path)) for file in planned]})


@blueprint.post(f"{MODEL}/branch/<segment:branch>")
def create_branch(namespace: str, name: str, branch: str) -> Response:
    """Begin a branch at a revision."""
    begins = asked.body(asked.NewBranch).startingPoint if request.get_data() else None
    return _named(namespace, name, RefKind.BRANCH, branch, begins or refs.MAIN)


@blueprint.post(f"{MODEL}/tag/<segment:revision>")
def create_tag(namespace: str, name: str, revision: str) -> Response:
    """Give a revision a name that does not move."""
    return _named(namespace, name, RefKind.TAG, asked.body(asked.NewTag).tag, revision)


def _named(namespace: str, name: str, kind: RefKind, ref: str, at: str) -> Response:
    model = parse.repository(namespace, name)
    refs.create(house(), bearer_context(), model, kind, ref, parse.revision(at))
    return jsonify({})


@blueprint.delete(f"{MODEL}/<any(branch, tag):kind>/<segment:ref>")
def remove_ref(namespace: str, name: str, kind: str, ref: str) -> Response:
    """Take a branch's or tag's name away."""
    model = parse.repository(namespace, name)
    refs.remove(house(), bearer_context(), model, RefKind(kind), parse.revision(ref))
    return jsonify({})


def _planned(file: Planned, *, ignored: bool) -> dict[str, object]:
    found: dict[str, object] = {
        "path": file.path,
        "uploadMode": "lfs" if file.is_lfs else "regular",
        "shouldIgnore": ignored,
    }
    is_same_kind = file.now is not None and file.now.lfs == file.is_lfs
    return found | ({"oid": file.now.hub_etag} if file.now is not None and is_same_kind else {})


@blueprint.post(f"{MODEL}/commit/<segment:revision>")
def commit(namespace: str, name: str, revision: str) -> Response:
    """Record a commit as one revision."""
    if parse.flag("create_pr"):
        raise NotOffered("there are no pull requests here: commit to a branch")
    model, branch = parse.repository(namespace, name), parse.revision(revision)
    ctx = bearer_now()
    commits.plan(house(), ctx, model, branch, [])
    with bodies.incoming_commit(str(ctx.actor.person_id)) as (body, files):
        # Buffered: the server's own stream looks for the end of a line byte by byte.
        lines = io.BufferedReader(cast("io.RawIOBase", body), BUFFER_BYTES)
        wanted = ndjson.read(lines, files, house().policy.lfs_threshold_bytes)
        published = commits.commit(house(), bearer_now(), model, branch, wanted)
    address = f"{parse.base()}/{'/'.join(model)}/commit/{published.revision_id}"
    return jsonify(
        {
            "success": True,
            "commitOid": published.revision_id,
            "commitUrl": address,
            "hookOutput": "",
        }
    )
