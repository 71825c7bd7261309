"""Routes of the Hub dialect, reading: what `hf download` and huggingface_hub ask with HF_ENDPOINT.

Each parses, calls one service and presents. Bytes leave from this origin without a redirect, and
carry no Xet hash. Metadata of a gated model is public; of a hidden one nothing is. Who acts is
asked first, so that a dead token is told so even where anybody may read.
Source: hf-wire.md 1, 5 and 6.

Not here: writing (writing), and what is not here at all (unspoken).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request

from gatekeeper.domain.catalogue import File, Revision
from gatekeeper.domain.errors import BadCredentials, NotFound
from gatekeeper.domain.people import Context
from gatekeeper.services import access, catalogue, contents, downloads, profile
from gatekeeper.services.contents import Contents, Head
from gatekeeper.services.downloads import FileRef
from gatekeeper.services.publishing import commits
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
MOST_SEARCHES = 8


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
@blueprint.get("/api/models/<segment:name>")
@blueprint.get("/api/models/<segment:name>/revision/<segment:revision>")
def no_such_repository(**_: str) -> Response:
    """Answer for names without an owner: there are none here."""
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


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a list is to show: of models with these tags, and what of each; read once a page."""

    tags: frozenset[str]
    expand: Sequence[str]
    files: bool
    card: bool


def _wanted() -> _Wanted:
    task, expand, full = parse.text("pipeline_tag"), parse.texts("expand"), parse.flag("full")
    return _Wanted(
        tags=frozenset([*parse.texts("filter"), *([task] if task else [])]),
        expand=expand,
        files=full or "siblings" in expand,
        card=full or parse.flag("cardData") or bool(expand),
    )


@blueprint.get("/api/models")
def list_models() -> Response:
    """List models, a page at a time.

    Tags are in the cards: of those asked for, a page shows what is among the next `PAGE` models.
    """
    ctx = context_for()
    wanted, order, limit = _wanted(), parse.order(), parse.limit()
    models, after = catalogue.list_models(
        house(),
        ctx,
        author=parse.text("author"),
        search=parse.texts("search", MOST_SEARCHES),
        gated=parse.flag("gated") if "gated" in request.args else None,
        order=order,
        after=parse.place(order),
        limit=parse.PAGE if wanted.tags else limit,
    )
    if any(name in request.args for name in UNKNOWN_FILTERS):
        return jsonify([])
    heads = contents.heads(house(), models)
    shown = list(islice(_tagged(heads, wanted.tags), limit))
    if len(shown) == limit and (last := shown[-1][0]) is not heads[-1]:
        after = catalogue.place_after(last.judged, order)
    response = jsonify(_listed(shown, wanted))
    if after is not None:
        response.headers["Link"] = parse.next_link(after)
    return response


def _tagged(heads: Sequence[Head], tags: frozenset[str]) -> Iterator[tuple[Head, wire.Json]]:
    """Describe those of the models that have these tags; a card is read when its turn comes."""
    for head in heads:
        model, card = head.judged.model, _card(head.readme)
        info = wire.model_info(model, head.revision, head.size_bytes, card)
        if tags <= set(info["tags"]):
            yield head, info


def _listed(shown: Sequence[tuple[Head, wire.Json]], wanted: _Wanted) -> list[wire.Json]:
    """Add the files of what is shown, and leave out what nobody asked for."""
    files = contents.files_of(house(), [head for head, _ in shown]) if wanted.files else {}
    for head, info in shown:
        if wanted.files:
            found = files.get(head.revision.id, ()) if head.revision else ()
            info["siblings"] = wire.siblings(found, blobs=False)
        if not wanted.card:
            del info["cardData"]
    infos = [info for _, info in shown]
    return [wire.narrowed(info, wanted.expand) for info in infos] if wanted.expand else infos


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
    return jsonify(_tree(found).entries(parse.paths("paths")))


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
    """Say whether the caller may fetch the model's files, or publish into it."""
    ctx, pair = context_for(), parse.repository(namespace, name)
    judged = catalogue.find(house(), ctx, *pair)
    if not judged.verdict.allowed:
        raise access.refusal(judged)
    if what == "write":
        commits.look(house(), ctx, pair)
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


def _contents(namespace: str, name: str, revision: str) -> Contents:
    ctx = context_for()
    return contents.show(house(), ctx, *parse.repository(namespace, name), parse.revision(revision))


def _card(readme: File | None) -> cards.Card:
    return cards.of(contents.front_matter(house(), readme))


def _tree(found: Contents) -> Tree:
    changed = contents.last_changes(house(), found) if parse.flag("expand") else {}
    return Tree(found.files, changed)
