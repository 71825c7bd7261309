"""The files of a model for those who publish into it: upload, go on, remove, publish a revision.

The page's script asks the addresses below it in JSON and sends the parts; without it a small file
goes with a form. Everybody else is answered as for a model that does not exist. Not here: who may
and what is verified (services/uploads), the twin for scripts (web/api).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec

from flask import Blueprint, Response, jsonify, make_response, request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.errors import Conflict, Invalid, NotAllowed, NotFound, invalid
from gatekeeper.domain.uploads import Upload, UploadState
from gatekeeper.services.publishing import additions
from gatekeeper.services.publishing.additions import Additions, Draft
from gatekeeper.services.publishing.revisions import MAX_MESSAGE_CHARS
from gatekeeper.services.uploads import sending
from gatekeeper.services.uploads.sending import Standing, Wanted
from gatekeeper.web.bodies import incoming
from gatekeeper.web.guard import CSP
from gatekeeper.web.identity import session_context, session_now
from gatekeeper.web.pages.catalogue import named
from gatekeeper.web.pages.frame import notify, page, see, signed_in
from gatekeeper.web.pages.wrongs import Wrongs, wrongs
from gatekeeper.web.wiring import house

PARTS_AT_ONCE = 100

blueprint = Blueprint("uploads", __name__, url_prefix="/own/<owner>/<release>/<model>/files")
P = ParamSpec("P")
View = Callable[P, ResponseReturnValue]


def _publishers(view: View[P]) -> View[P]:
    """Let in who may publish into the model; others find nothing."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        try:
            return view(*args, **kwargs)
        except NotAllowed as error:
            raise NotFound("no such model") from error

    return signed_in(guarded)


@blueprint.get("")
@_publishers
def show(owner: str, release: str, model: str) -> ResponseReturnValue:
    """Show the model's files, what was uploaded, and what would change."""
    return _show(_draft(owner, release, model))


@blueprint.post("")
@_publishers
def send_small(owner: str, release: str, model: str) -> ResponseReturnValue:
    """Take one file of a form, as large as a form may be: for browsers without our script."""
    draft, sent = _draft(owner, release, model), request.files.get("file")
    if sent is None or not sent.filename:
        wrong = wrongs(invalid("file", "choose a file first"), {"file": "File"})
        return _show(draft, wrong), 422
    body = sent.stream.read()
    wanted = Wanted(_path(sent.filename.rpartition("/")[2]), len(body))
    try:
        upload = sending.begin(house(), session_context(), (owner, model), wanted).upload
    except Invalid as error:
        return _show(draft, wrongs(error, {"path": "File"})), 422
    sent.stream.seek(0)
    if body:
        whole = (len(body), sent.stream)
        sending.receive(house(), session_now, upload.id, 1, whole)  # type: ignore[arg-type]
    sending.complete(house(), session_context(), upload.id)
    return see(_base(draft))


@blueprint.post("/uploads")
@_publishers
def begin(owner: str, release: str, model: str) -> ResponseReturnValue:
    """Begin an upload, or go on with the same one."""
    _draft(owner, release, model)
    size_bytes = request.form.get("size_bytes", type=int)
    if size_bytes is None:
        raise invalid("size_bytes", "say how long the file is")
    path = _path(request.form.get("path", ""))
    digest, mark = request.form.get("sha256", ""), request.form.get("mark", "")
    wanted = Wanted(path, size_bytes, digest, mark)
    return _told(sending.begin(house(), session_context(), (owner, model), wanted))


@blueprint.get("/uploads/<upload_id>")
@_publishers
def look(owner: str, release: str, model: str, upload_id: str) -> ResponseReturnValue:
    """Tell how an upload stands, with addresses for the parts that are missing."""
    return _told(_find(owner, release, model, upload_id))


@blueprint.put("/uploads/<upload_id>/parts/<int:number>")
@_publishers
def send_part(
    owner: str, release: str, model: str, upload_id: str, number: int
) -> ResponseReturnValue:
    """Take one part through this server."""
    _find(owner, release, model, upload_id)
    with incoming() as body:
        sending.receive(house(), session_now, upload_id, number, body)
    return jsonify(number=number)


@blueprint.post("/uploads/<upload_id>/complete")
@_publishers
def complete(owner: str, release: str, model: str, upload_id: str) -> ResponseReturnValue:
    """Take note that every part was sent."""
    _find(owner, release, model, upload_id)
    return _told(sending.complete(house(), session_context(), upload_id))


@blueprint.post("/uploads/<upload_id>/give-up")
@_publishers
def give_up(owner: str, release: str, model: str, upload_id: str) -> ResponseReturnValue:
    """Give an upload up."""
    found = _find(owner, release, model, upload_id)
    sending.give_up(house(), session_context(), upload_id)
    notify("ok", f"{found.upload.path} was given up.")
    return see(f"/own/{owner}/{release}/{model}/files")


@blueprint.post("/publish")
@_publishers
def publish(owner: str, release: str, model: str) -> ResponseReturnValue:
    """Publish a revision of what was uploaded and what is removed; what was typed is kept."""
    draft = _draft(owner, release, model)
    wanted = Additions(
        base=request.form.get("base") or None,
        uploads=request.form.getlist("upload"),
        removes=request.form.getlist("remove"),
        message=request.form.get("message", "")[:MAX_MESSAGE_CHARS],
    )
    if not wanted.uploads and not wanted.removes:
        wrong = wrongs(invalid("", "upload a file or mark one to be removed first"), {})
        return _show(draft, wrong, wanted), 422
    try:
        done = additions.publish(house(), session_context(), (owner, model), wanted)
    except Invalid as error:
        return _show(draft, wrongs(error, {}), wanted), 422
    except Conflict as error:
        return _show(draft, None, wanted, stale=str(error)), 409
    if not done.is_new:
        notify("info", "Nothing has changed.", "The files are those of the last revision.")
        return see(_base(draft))
    notify("ok", f"Published: {len(done.files)} files.", "This revision is what everybody gets.")
    return see(f"/{draft.model.full_name}")


def _draft(owner: str, release: str, model: str) -> Draft:
    found = additions.draft(house(), session_context(), named(owner, model))
    if found.model.release_name != release:
        raise NotFound("no such model")
    return found


def _find(owner: str, release: str, model: str, upload_id: str) -> Standing:
    found = sending.look(house(), session_context(), upload_id)
    here = (found.model.namespace, found.model.release_name, found.model.name)
    if here != (owner, release, model):
        raise NotFound("no such upload")
    return found


def _path(name: str) -> str:
    """Put the folder that was typed before a file's name."""
    folder = request.form.get("folder", "").strip().strip("/")
    return f"{folder}/{name}" if folder else name


def _command(draft: Draft) -> str:
    model = draft.model
    into = f"--release {model.namespace}/{model.release_name} --tier {model.tier.code}"
    return f"gatekeeper publish ./FOLDER {model.full_name} {into} -m 'What changed'"


def _base(draft: Draft) -> str:
    return f"/own/{draft.model.namespace}/{draft.model.release_name}/{draft.model.name}/files"


def _told(found: Standing) -> ResponseReturnValue:
    upload, staging = found.upload, found.upload.staging
    here = f"{request.path.partition('/uploads')[0]}/uploads/{upload.id}"
    return jsonify(
        id=upload.id,
        path=upload.path,
        state=upload.state,
        detail=upload.detail,
        size_bytes=staging.size_bytes,
        part_bytes=staging.part_bytes,
        missing_bytes=sum(map(staging.size_of, found.missing)),
        parts=[
            {
                "number": number,
                "size_bytes": staging.size_of(number),
                "url": sending.address(house(), upload, number) or f"{here}/parts/{number}",
            }
            for number in found.missing[:PARTS_AT_ONCE]
        ],
    )


def _show(
    draft: Draft,
    wrong: Wrongs | None = None,
    typed: Additions | None = None,
    stale: str = "",
) -> Response:
    there = {file.path for file in draft.files}
    text = page(
        "uploads/index.html",
        model=draft.model,
        base=_base(draft),
        revision=draft.revision,
        files=draft.files,
        uploads=[_row(upload, replaces=upload.path in there) for upload in draft.uploads],
        removed=frozenset(typed.removes if typed else ()),
        message=typed.message if typed else "",
        most_chars=MAX_MESSAGE_CHARS,
        most_bytes=house().policy.uploads.max_file_bytes,
        most_form_bytes=request.max_content_length or 0,
        by_command=_command(draft),
        wrong=wrong or Wrongs(),
        stale=stale,
    )
    response = make_response(text)
    if origin := sending.store_origin(house()):
        # Parts go to the store itself, from this page alone.
        response.headers["Content-Security-Policy"] = f"{CSP}; connect-src 'self' {origin}"
    return response


_KINDS = {
    UploadState.OPEN: ("hold", "Unfinished"),
    UploadState.VERIFYING: ("hold", "Being checked"),
    UploadState.READY: ("ok", "Ready"),
    UploadState.FAILED: ("bad", "Failed"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """An upload as the page lists it."""

    id: str
    path: str
    size_bytes: int
    state: str
    kind: str
    word: str
    replaces: bool
    sha256: str
    detail: str


def _row(upload: Upload, *, replaces: bool) -> Row:
    kind, word = _KINDS[upload.state]
    return Row(
        id=upload.id,
        path=upload.path,
        size_bytes=upload.staging.size_bytes,
        state=upload.state,
        kind=kind,
        word=word,
        replaces=replaces,
        sha256=upload.sha256,
        detail=upload.detail,
    )
