"""Routes of git-LFS: a batch says what is to be sent where, parts come, and what came is looked at.

The addresses of a batch bear a ticket, for no client sends its token there; a ticket ends with the
token that asked. Source: git-lfs batch API; hf-wire.md 4.3.
"""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import NotFound as NoSuchObject

from gatekeeper.domain.errors import Conflict, GatekeeperError, TooLarge
from gatekeeper.domain.people import ANONYMOUS, Context
from gatekeeper.domain.uploads import UploadId
from gatekeeper.services import access, contents
from gatekeeper.services.uploads import blobs, sending
from gatekeeper.services.uploads.blobs import Answer
from gatekeeper.web import bodies
from gatekeeper.web.hub import asked, parse
from gatekeeper.web.identity import bearer_context
from gatekeeper.web.wiring import house, new_context

blueprint = Blueprint("hub_lfs", __name__)

REPOSITORY = "/<segment:namespace>/<segment:name>/info/lfs"
MEDIA_TYPE = "application/vnd.git-lfs+json"
Json = dict[str, object]


@blueprint.post(f"{REPOSITORY}/objects/batch")
def batch(namespace: str, name: str) -> Response:
    """Say for each object whether it is held, and where to send it if not."""
    wanted = asked.body(asked.LfsBatch)
    model = _repository(namespace, name)
    if wanted.operation == "download":
        return _batch("basic", _places(model, wanted))
    in_parts = "multipart" in wanted.transfers
    objects = [blobs.Asked(item.oid, item.size) for item in wanted.objects]
    answers = blobs.begin(house(), bearer_context(), model, objects, in_parts=in_parts)
    return _batch(
        "multipart" if in_parts else "basic", [_object(model, answer) for answer in answers]
    )


def _batch(transfer: str, objects: list[Json]) -> Response:
    response = jsonify({"transfer": transfer, "objects": objects})
    response.mimetype = MEDIA_TYPE
    return response


def _places(model: tuple[str, str], wanted: asked.LfsBatch) -> list[Json]:
    """Return where each object is fetched: at its file's own door, which decides again."""
    branch = parse.revision(wanted.branch)
    found = contents.show(house(), bearer_context(), *model, branch)
    if not found.judged.verdict.allowed:
        raise access.refusal(found.judged)
    by_digest = {file.sha256: file for file in found.files if file.lfs}
    sent = request.headers.get("Authorization")
    header = {"header": {"Authorization": sent}} if sent else {}
    at = f"{parse.base()}/{'/'.join(model)}/resolve/{quote(branch, safe='')}"
    objects: list[Json] = []
    for item in wanted.objects:
        told: Json = {"oid": item.oid, "size": item.size}
        file = by_digest.get(item.oid)
        if file is None or file.size_bytes != item.size:
            objects.append(told | {"error": {"code": 404, "message": "no file of this branch"}})
        else:
            href = {"href": f"{at}/{quote(file.path)}", **header}
            objects.append(told | {"actions": {"download": href}})
    return objects


@blueprint.put("/api/lfs/<segment:ticket>")
def send_whole(ticket: str) -> tuple[Response, int]:
    """Take an object that comes as one; what is sent after all of it has come is not kept.

    A client sends it again when the answer was lost, or was 503.
    """
    upload_id = _sender(ticket)[0]
    if sending.look(house(), _who(ticket), upload_id).missing:
        try:
            _receive(ticket, upload_id, 1)
        except Conflict:  # the same came by another request meanwhile
            bodies.ignore()
    elif request.content_length:
        bodies.ignore()
    blobs.finish(house(), lambda: _who(ticket), upload_id)
    return jsonify({}), 200


@blueprint.put("/api/lfs/<segment:ticket>/<int:number>")
def send_part(ticket: str, number: int) -> Response:
    """Take one part of an object."""
    _receive(ticket, _sender(ticket)[0], number)
    response = jsonify({})
    response.set_etag(str(number))
    return response


@blueprint.post("/api/lfs/<segment:ticket>")
def complete(ticket: str) -> Response:
    """Hear that every part has come."""
    blobs.finish(house(), lambda: _who(ticket), _sender(ticket)[0])
    return jsonify({})


@blueprint.post(f"{REPOSITORY}/verify")
def verify(namespace: str, name: str) -> Response:
    """Say whether an object is held, of this very size."""
    wanted = asked.body(asked.LfsObject)
    object_ = blobs.Asked(wanted.oid, wanted.size)
    if not blobs.is_held(house(), bearer_context(), _repository(namespace, name), object_):
        raise NoSuchObject("this object has not come")
    return jsonify({})


def _repository(namespace: str, name: str) -> tuple[str, str]:
    return parse.repository(namespace, name.removesuffix(".git"))


def _sender(ticket: str) -> tuple[UploadId, Context]:
    upload_id, actor = blobs.sender(house(), new_context(ANONYMOUS), ticket)
    return upload_id, new_context(actor)


def _who(ticket: str) -> Context:
    return _sender(ticket)[1]


def _receive(ticket: str, upload_id: UploadId, number: int) -> None:
    with bodies.incoming() as body:
        sending.receive(house(), lambda: _who(ticket), upload_id, number, body)


def _object(model: tuple[str, str], answer: Answer) -> Json:
    found: Json = {"oid": answer.asked.sha256, "size": answer.asked.size_bytes}
    if answer.refused is not None:
        return found | {"error": _error(answer.refused)}
    if answer.standing is None:
        return found
    staging = answer.standing.upload.staging
    address = f"{parse.base()}/api/lfs/{answer.ticket}"
    upload: Json = {"href": address}
    if staging.parts > 1:
        numbers = range(1, staging.parts + 1)
        parts = {f"{number:05}": f"{address}/{number}" for number in numbers}
        upload["header"] = {"chunk_size": str(staging.part_bytes), **parts}
    seen = {"href": f"{parse.base()}/{'/'.join(model)}.git/info/lfs/verify"}
    return found | {"actions": {"upload": upload, "verify": seen}}


def _error(error: GatekeeperError) -> Json:
    code = 413 if isinstance(error, TooLarge) else 422
    return {"code": code, "message": str(error)}
