"""Uploads in parts, and the revision that is made of them."""

from __future__ import annotations

from collections.abc import Callable

from gatekeeper.domain.people import Context, Scope
from gatekeeper.domain.uploads import UploadState
from gatekeeper.services.publishing import additions
from gatekeeper.services.publishing.additions import Additions
from gatekeeper.services.uploads import sending
from gatekeeper.services.uploads.sending import Standing, Wanted
from gatekeeper.web.api.calls import Noun
from gatekeeper.web.api.exchange import caller, text_of
from gatekeeper.web.api.once import Done
from gatekeeper.web.api.wire import uploads
from gatekeeper.web.api.wire.answers import Page
from gatekeeper.web.api.wire.shapes import parts
from gatekeeper.web.bodies import incoming
from gatekeeper.web.wiring import house

PARTS_AT_ONCE = 100

noun = Noun("uploads", "Files in parts, for owners and publishers: seen by nobody till published.")


def _again(upload_id: str) -> str:
    return text_of(_upload(sending.look(house(), caller(), upload_id)))


@noun.post("/uploads", scope=Scope.WRITE, statuses=(201, 200), fails=(404, 413), repeat=_again)
def begin(ctx: Context, sent: uploads.NewUpload) -> Done[uploads.Upload]:
    """Begin an upload; 200 when the very same one goes on.

    Another file for the path of an earlier upload takes its place.
    """
    wanted = Wanted(sent.path, sent.size_bytes, sent.sha256 or "", sent.mark)
    found = sending.begin(house(), ctx, parts(sent.model), wanted)
    status = 201 if found.upload.created_at == ctx.now else 200
    return Done(lambda: _upload(found), status, kept=found.upload.id)


@noun.get("/uploads", scope=Scope.WRITE)
def list_uploads(ctx: Context) -> Page[uploads.Upload]:
    """Return the caller's uploads that are not published, all of them."""
    found = sending.mine(house(), ctx)
    return Page[uploads.Upload](items=tuple(_upload(s, in_list=True) for s in found), next=None)


@noun.get("/uploads/<upload_id>", scope=Scope.WRITE)
def show_upload(ctx: Context, upload_id: str) -> uploads.Upload:
    """Return an upload with fresh addresses for the parts that are missing."""
    return _upload(sending.look(house(), ctx, upload_id))


@noun.put("/uploads/<upload_id>/parts/<int:number>", scope=Scope.WRITE)
def send_part(who: Callable[[], Context], upload_id: str, number: int) -> uploads.Received:
    """Send one part through this server, where its `url` leads here."""
    with incoming() as body:
        size_bytes = sending.receive(house(), who, upload_id, number, body)
    return uploads.Received(number=number, size_bytes=size_bytes)


@noun.post("/uploads/<upload_id>/complete", scope=Scope.WRITE, statuses=(202, 200))
def complete(ctx: Context, upload_id: str) -> Done[uploads.Upload]:
    """Say that every part was sent; 202 while what came is read and hashed.

    Ask for the upload until it is `ready`, with its `sha256`, or `failed`, with the reason.
    """
    found = sending.complete(house(), ctx, upload_id)
    status = 200 if found.upload.state is UploadState.READY else 202
    return Done(lambda: _upload(found), status)


@noun.delete("/uploads/<upload_id>", scope=Scope.WRITE)
def give_up(ctx: Context, upload_id: str) -> uploads.GivenUp:
    """Give up an upload of one's own, also without a role that may publish any more.

    Its parts are deleted. What was verified before stays in the store, named by no revision.
    """
    return uploads.GivenUp(id=sending.give_up(house(), ctx, upload_id).upload.id)


@noun.post("/models/<owner>/<name>/revisions", scope=Scope.WRITE, statuses=(201, 200))
def publish(
    ctx: Context, owner: str, name: str, sent: uploads.NewRevision
) -> Done[uploads.Revision]:
    """Publish a new revision from the last one; 200 when nothing would change.

    Its tier and its terms stay. Another revision meanwhile is a 409 whose `state` is its id.
    """
    wanted = Additions(sent.base, sent.uploads, sent.removes, sent.message)
    done = additions.publish(house(), ctx, (owner, name), wanted)
    told = uploads.Revision(
        id=done.revision_id,
        model=f"{owner}/{name}",
        files=len(done.files),
        size_bytes=sum(file.size_bytes for file in done.files),
    )
    return Done(lambda: told, 201 if done.is_new else 200)


def _upload(found: Standing, *, in_list: bool = False) -> uploads.Upload:
    upload, staging = found.upload, found.upload.staging
    is_open = upload.state is UploadState.OPEN and not in_list
    return uploads.Upload(
        id=upload.id,
        model=found.model.full_name,
        path=upload.path,
        state=upload.state,
        size_bytes=staging.size_bytes,
        part_bytes=staging.part_bytes,
        missing=len(found.missing) if is_open else None,
        parts=tuple(_part(found, number) for number in found.missing[:PARTS_AT_ONCE]),
        mark=upload.mark,
        sha256=upload.sha256 or None,
        detail=upload.detail,
        expires_at=upload.expires_at,
    )


def _part(found: Standing, number: int) -> uploads.Part:
    upload = found.upload
    ours = f"{house().policy.public_url}/api/v1/uploads/{upload.id}/parts/{number}"
    return uploads.Part(
        number=number,
        size_bytes=upload.staging.size_of(number),
        url=sending.address(house(), upload, number) or ours,
    )
