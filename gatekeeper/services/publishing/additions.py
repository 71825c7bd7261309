"""A new revision from the last one: some files added or replaced by uploads, some removed.

What makes it a revision is the same fact as `publish` records (revisions); the model, its tier and
its terms stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatekeeper.db.readers import Readers
from gatekeeper.domain.catalogue import File, Model, Revision, RevisionId, check_path, folders_of
from gatekeeper.domain.errors import Conflict, NotFound, Unavailable, invalid
from gatekeeper.domain.people import Context
from gatekeeper.domain.sealed import content
from gatekeeper.domain.uploads import Upload, UploadState
from gatekeeper.services.people import current
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.files import MAX_FILES, file_of
from gatekeeper.services.publishing.releases import check_publisher
from gatekeeper.services.publishing.revisions import Published, record_revision, write_manifest

BRANCH = "main"


@dataclass(frozen=True, slots=True)
class Additions:
    """What to change; `base` is the revision that was looked at, None for a model without any."""

    base: str | None
    uploads: Sequence[str]
    removes: Sequence[str] = ()
    message: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A model as its publisher finds it: the revision there is, its files, and their uploads."""

    model: Model
    revision: Revision | None
    files: Sequence[File]
    uploads: Sequence[Upload]


def draft(house: House, ctx: Context, model: tuple[str, str]) -> Draft:
    """Return what a publisher would change. Raises: NotFound, NotAllowed, Refused."""
    with house.db.reading() as read:
        check_publisher(read, ctx, model[0])
        found = _model(read, model)
        revision, files = _head(read, found)
        uploads = read.uploads.of(current(read, ctx).id, ctx.now, found.id)
        return Draft(found, revision, files, uploads)


def publish(house: House, ctx: Context, model: tuple[str, str], wanted: Additions) -> Published:
    """Record one revision; its uploads are gone then.

    Raises: Conflict when another revision came meanwhile (`state` names it) or an upload is not
    ready, Invalid for what cannot be a revision, NotFound for uploads of anybody else, NotAllowed.
    """
    _check_held(house, ctx, model, wanted)
    with house.db.acting(ctx) as act:
        act.lock(f"model:{model[0]}/{model[1]}")
        check_publisher(act, ctx, model[0])
        found = _model(act, model)
        revision, files = _head(act, found)
        if (revision.id if revision is not None else None) != wanted.base:
            now = revision.id if revision is not None else ""
            raise Conflict("another revision was published meanwhile", state=now)
        uploads = _ready(act, ctx, found, wanted)
        after = _after(house, files, uploads, wanted.removes)
        revision_id, is_new = record_revision(
            act, ctx, found.id, BRANCH, wanted.message, content(write_manifest(after))
        )
        act.uploads.drop([upload.id for upload in uploads])
    return Published(RevisionId(revision_id), is_new, after)


def _check_held(house: House, ctx: Context, model: tuple[str, str], wanted: Additions) -> None:
    """Ask the store for each blob before the act: nothing slow belongs inside it."""
    with house.db.reading() as read:
        check_publisher(read, ctx, model[0])
        uploads = _ready(read, ctx, _model(read, model), wanted)
    for upload in uploads:
        if house.objects.size(upload.sha256) != upload.staging.size_bytes:
            raise Unavailable(f"the bytes of {upload.path} are not held any more; upload it again")


def _model(read: Readers, model: tuple[str, str]) -> Model:
    found = read.catalogue.model(*model)
    if found is None:
        raise NotFound("no such model")
    return found


def _head(read: Readers, model: Model) -> tuple[Revision | None, Sequence[File]]:
    revision = read.catalogue.revision(model.id, BRANCH)
    return revision, read.catalogue.files(revision.id) if revision is not None else ()


def _ready(read: Readers, ctx: Context, model: Model, wanted: Additions) -> list[Upload]:
    """Return the uploads that were named: one's own, of this model, and verified."""
    mine = {str(u.id): u for u in read.uploads.of(current(read, ctx).id, ctx.now, model.id)}
    found = [mine[id_] for id_ in dict.fromkeys(wanted.uploads) if id_ in mine]
    if len(found) != len(set(wanted.uploads)):
        raise NotFound("no such upload")
    for upload in found:
        if upload.state is not UploadState.READY:
            raise Conflict(f"{upload.path} is {upload.state}, not ready", state=upload.state)
    return found


def _after(
    house: House, before: Sequence[File], uploads: Sequence[Upload], removes: Sequence[str]
) -> list[File]:
    files = {file.path: file for file in before}
    added = {
        u.path: file_of(house, u.path, u.sha256, u.git_sha1, u.staging.size_bytes) for u in uploads
    }
    for path in added:
        check_path(path)  # bytes that came for a commit have no path of a file
    for path in removes:
        if path not in files:
            raise invalid("removes", f"there is no file {path!r} to remove")
        if path in added:
            raise invalid("removes", f"{path!r} is uploaded and removed at once")
    after = {path: f for path, f in (files | added).items() if path not in set(removes)}
    check_tree(after)
    return sorted(after.values(), key=lambda file: file.path)


def check_tree(files: Mapping[str, File]) -> None:
    """Refuse what no folder could hold: nothing, too much, a file that is a folder as well."""
    if not 1 <= len(files) <= MAX_FILES:
        raise invalid(
            "uploads", f"a revision has 1 to {MAX_FILES} files; this would have {len(files)}"
        )
    folders: set[str] = set()
    for path in files:
        for folder in folders_of(path):
            if folder in folders:
                break
            if folder in files:
                raise invalid("uploads", f"{folder!r} cannot be a file and a folder at once")
            folders.add(folder)
    if len(folders) > MAX_FILES:
        raise invalid("uploads", f"a revision has at most {MAX_FILES} folders")
