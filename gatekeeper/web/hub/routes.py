"""Routes of the Hub dialect, reading: what `hf download` and huggingface_hub ask with HF_ENDPOINT.

Each parses, calls one service and presents. Bytes leave from this origin without a redirect, and
carry no Xet hash. Metadata of a gated model is public; of a hidden one nothing is. Who acts is
asked first, so that a dead token is told so even where anybody may read.
Source: hf-wire.md 1, 5 and 6.

Not here: publishing over this protocol (refused below), deciding on requests, datasets and spaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.exceptions import NotFound as NoSuchAddress

from gatekeeper.domain.catalogue import File, Revision
from gatekeeper.domain.errors import BadCredentials, NotAllowed, NotFound
from gatekeeper.domain.people import Context, Role
from gatekeeper.services import access, catalogue, contents, downloads, profile
from gatekeeper.services.contents import Contents, Head
from gatekeeper.services.downloads import FileRef
from gatekeeper.web import streaming
from gatekeeper.web.hub import card as cards
from gatekeeper.web.hub import parse, rawpath, wire
from gatekeeper.web.hub.tree import Tree
from gatekeeper.web.identity import context_for
from gatekeeper.web.wiring import Wiring, house, wiring

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

blueprint = Blueprint("hub", __name__)
blueprint.record(rawpath.add_converters)

RESOLVE = "/<segment:namespace>/<segment:name>/resolve/<segment:revision>/<rest:path>"
MODEL = "/api/models/<segment:namespace>/<segment:name>"
TREE_PAGE = 1000
# Filters on what no model here has: they match nothing, and are not passed over in silence.
UNKNOWN_FILTERS = ("apps", "inference", "inference_provider", "num_parameters")
UPLOADS = ("/api/models/", "/api/repos/", "/api/validate-yaml")
NO_UPLOADS = "uploading over this protocol is not supported here: use `gatekeeper publish`"


@blueprint.get(RESOLVE)
def resolve_file(namespace: str, name: str, revision: str, path: str) -> Response:
    """Serve one file, or its metadata to a HEAD."""
    ref = parse.file_ref(namespace, name, revision, path)
    return streaming.respond(answer(wiring(), request.environ, context_for(), ref))


def answer(
    wiring: Wiring, environ: WSGIEnvironment, ctx: Context, ref: FileRef
) -> streaming.Answer:
    """Answer with a file of a revision; raises as `downloads.request_file` and `Busy`."""
    fetch = downloads.look if environ["REQUEST_METHOD"] == "HEAD" else downloads.request_file
    ready = fetch(wiring.house, ctx, ref)
    found = streaming.send(wiring, environ, ready, ready.file.hub_etag)
    found.headers["X-Repo-Commit"] = ready.revision.id
    return found


@blueprint.get("/<segment:name>/resolve/<segment:revision>/<rest:path>")
@blueprint.get("/datasets/<segment:name>/resolve/<segment:revision>/<rest:path>")
@blueprint.get("/api/models/<segment:name>")
@blueprint.get("/api/models/<segment:name>/revision/<segment:revision>")
@blueprint.get("/api/datasets/<rest:path>")
@blueprint.get("/api/spaces/<rest:path>")
def no_such_repository(**_: str) -> Response:
    """Answer for names without an owner, datasets and spaces: there are none here."""
    context_for()
    raise NotFound("only models, owner/name, live here")


@blueprint.get(MODEL)
@blueprint.get(f"{MODEL}/revision/<segment:revision>")
def model_info(namespace: str, name: str, revision: str = "main") -> Response:
    """Describe a model at a revision."""
    found = _contents(namespace, name, revision)
    size = sum(file.size_bytes for file in found.files)
    card = _card(contents.readme_of(found.files))
    info = wire.model_info(found.model, found.revision, size, card)
    info["siblings"] = wire.siblings(found.files, blobs=parse.flag("blobs"))
    if parse.flag("securityStatus"):
        info["securityRepoStatus"] = {"scansDone": False, "filesWithIssues": []}
    expand = parse.texts("expand")
    return jsonify(wire.narrowed(info, expand) if expand else info)


@blueprint.get("/api/models")
def list_models() -> Response:
    """List models, a page at a time."""
    ctx = context_for()
    order = parse.order()
    gated = parse.flag("gated") if "gated" in request.args else None
    models, after = catalogue.list_models(
        house(),
        ctx,
        author=parse.text("author"),
        search=parse.text("search"),
        gated=gated,
        order=order,
        after=parse.place(order),
        limit=parse.limit(),
    )
    shows_files = parse.flag("full") or "siblings" in parse.texts("expand")
    heads = contents.heads(house(), models, with_files=shows_files)
    listed = [info for found in heads if (info := _listed(found)) is not None]
    response = jsonify(listed)
    if after is not None:
        response.headers["Link"] = parse.next_link(after)
    return response


def _listed(found: Head) -> wire.Json | None:
    """Describe a model as an item of a list; None when a filter leaves it out."""
    info = wire.model_info(
        found.judged.model, found.revision, found.size_bytes, _card(found.readme)
    )
    task = parse.text("pipeline_tag")
    wanted = {*parse.texts("filter"), *([task] if task else [])}
    if not wanted <= set(info["tags"]) or any(name in request.args for name in UNKNOWN_FILTERS):
        return None
    expand = parse.texts("expand")
    if parse.flag("full") or "siblings" in expand:
        info["siblings"] = wire.siblings(found.files, blobs=False)
    if not parse.flag("full") and not parse.flag("cardData") and not expand:
        del info["cardData"]
    return wire.narrowed(info, expand) if expand else info


@blueprint.get(f"{MODEL}/tree/<segment:revision>")
@blueprint.get(f"{MODEL}/tree/<segment:revision>/")
@blueprint.get(f"{MODEL}/tree/<segment:revision>/<rest:path>")
def list_tree(namespace: str, name: str, revision: str, path: str = "") -> Response:
    """List what a folder of a revision holds."""
    found = _contents(namespace, name, revision)
    tree = _tree(found)
    at = found.revision.id if found.revision is not None else ""
    folder = parse.path(path.rstrip("/"), at) if path.strip("/") else ""
    if not tree.has_folder(folder):
        raise downloads.NoSuchFile(f"no folder {folder}", at)
    after = "".join(parse.cursor() or [])
    paths = tree.paths(folder, recursive=parse.flag("recursive"))
    rest = [path for path in paths if path > after]
    size = parse.limit(TREE_PAGE)
    response = jsonify(tree.entries(rest[:size]))
    if len(rest) > size:
        response.headers["Link"] = parse.next_link([rest[size - 1]])
    response.headers["X-Repo-Commit"] = at
    return response


@blueprint.post(f"{MODEL}/paths-info/<segment:revision>")
def paths_info(namespace: str, name: str, revision: str) -> Response:
    """Describe the paths of a form; what does not exist is left out."""
    found = _contents(namespace, name, revision)
    return jsonify(_tree(found).entries([path.strip("/") for path in parse.texts("paths")]))


@blueprint.get(f"{MODEL}/refs")
def list_refs(namespace: str, name: str) -> Response:
    """List branches and tags."""
    found = contents.refs(house(), context_for(), *parse.repository(namespace, name))
    return jsonify(wire.refs(found, with_requests=parse.flag("include_prs")))


@blueprint.get(f"{MODEL}/commits/<segment:revision>")
def list_commits(namespace: str, name: str, revision: str) -> Response:
    """List the line of revisions, newest first; the next page is that of the last one's parent."""
    found = _contents(namespace, name, (parse.cursor() or [revision])[0])
    line = contents.history(house(), found)
    shown: list[Revision] = line[: parse.limit()]
    response = jsonify([wire.commit(revision) for revision in shown])
    parent = shown[-1].parent_id if shown else None
    if parent is not None:
        response.headers["Link"] = parse.next_link([parent])
    return response


@blueprint.get(f"{MODEL}/auth-check")
@blueprint.get(f"{MODEL}/auth-check/<any(read, write):what>")
def auth_check(namespace: str, name: str, what: str = "read") -> Response:
    """Say whether the caller may fetch the model's files."""
    judged = catalogue.find(house(), context_for(), *parse.repository(namespace, name))
    if not judged.verdict.allowed:
        raise access.refusal(judged)
    if what == "write" and not judged.standing.roles & {Role.OWNER, Role.PUBLISHER}:
        raise NotAllowed("G-role", "You have read access but not the required permissions")
    return jsonify({})


@blueprint.get("/api/whoami-v2")
def whoami() -> Response:
    """Say who the token's owner is."""
    ctx = context_for()
    if ctx.actor.person_id is None:
        raise BadCredentials("a token is needed")
    return jsonify(wire.whoami(profile.show(house(), ctx)))


@blueprint.route("/api/telemetry/<rest:topic>", methods=["GET", "POST"])
def telemetry(topic: str) -> Response:  # noqa: ARG001  nothing is kept
    """Take a client's telemetry and keep nothing of it."""
    return jsonify({})


@blueprint.get("/api/agent-harnesses")
def agent_harnesses() -> Response:
    """Name no agents; an answer is cached for a day by the client, a failure is asked again."""
    return jsonify({"standardEnvVars": [], "harnesses": {}})


_ANY = ("GET", "POST", "PUT", "PATCH", "DELETE")


@blueprint.route("/api/<segment:path>", methods=_ANY)
@blueprint.route("/api/models/<rest:path>", methods=_ANY)
@blueprint.route("/api/repos/<rest:path>", methods=_ANY)
@blueprint.route("/api/validate-yaml", methods=_ANY)
@blueprint.route("/<segment:namespace>/<segment:name>/info/<rest:path>", methods=_ANY)
@blueprint.route("/<segment:namespace>/<segment:name>/git-upload-pack", methods=_ANY)
@blueprint.route("/<segment:namespace>/<segment:name>/git-receive-pack", methods=_ANY)
def not_spoken(path: str = "", **_: str) -> Response:
    """Refuse what this server does not speak, and say what to use instead."""
    if "user-access-request" in path:
        raise NoSuchAddress(f"requests for access are decided at {parse.base()}/review")
    if not request.path.startswith("/api/"):
        raise NoSuchAddress("git is not spoken here: use `hf download` or `gatekeeper publish`")
    is_write = request.method not in {"GET", "HEAD"}
    if is_write and request.path.startswith(UPLOADS):
        raise MethodNotAllowed(["GET", "HEAD"], NO_UPLOADS)
    raise NoSuchAddress("this server does not speak this part of the protocol")


def _contents(namespace: str, name: str, revision: str) -> Contents:
    ctx = context_for()
    return contents.show(house(), ctx, *parse.repository(namespace, name), parse.revision(revision))


def _card(readme: File | None) -> cards.Card:
    return cards.read(contents.front_matter(house(), readme))


def _tree(found: Contents) -> Tree:
    changed = contents.last_changes(house(), found) if parse.flag("expand") else {}
    return Tree(found.files, changed)
