"""Begin an upload, send its parts, go on after a break, complete it, give it up.

Whoever may publish into a model may upload for it; each request asks that again, but for giving up
what is one's own. Nobody else knows an upload. What is uploaded is seen by nobody until it is
published (services/publishing/additions).
A digest that is announced is compared with what came and opens nothing: naming the digest of bytes
that are held already saves no upload, or whoever knew it could take them for their own model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO
from urllib.parse import urlsplit

from gatekeeper.db.readers import Readers
from gatekeeper.domain.catalogue import Model, check_path
from gatekeeper.domain.errors import Conflict, NotFound, TooLarge, invalid
from gatekeeper.domain.people import Context, Person, Scope
from gatekeeper.domain.uploads import (
    MOST_XORBS,
    XORBS,
    Upload,
    UploadId,
    UploadState,
    part_size,
)
from gatekeeper.services.people import current, need_scope
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.releases import check_publisher
from gatekeeper.services.uploads.verifying import DONE_FOR, forget_parts

# Since the last sign of life of whoever uploads.
OPEN_FOR = timedelta(hours=24)
TOUCHED_EVERY = timedelta(minutes=10)
ADDRESS_SECONDS = 900
MAX_MARK_CHARS = 100

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to upload. `mark` is what its person knows the source by (browsers: when it changed).

    The same path, size, digest and mark go on with the upload there is; without a mark, none does.
    """

    path: str
    size_bytes: int
    sha256: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """An upload, the model it is for, and the parts that have not come while it is open."""

    upload: Upload
    model: Model
    missing: Sequence[int] = ()


def begin(house: House, ctx: Context, model: tuple[str, str], wanted: Wanted) -> Standing:
    """Begin an upload for a path of a model, or go on with the very same one.

    An earlier upload of another file for this path is given up. Raises: Invalid (path, digest),
    TooLarge (the file, or all that this person has open), Refused, NotAllowed, NotFound.
    """
    check_path(wanted.path)
    return begin_at(house, ctx, model, wanted, house.policy.uploads.part_bytes)


def begin_at(
    house: House, ctx: Context, model: tuple[str, str], wanted: Wanted, part_bytes: int
) -> Standing:
    """Begin as above, in parts of another size, also where no file could be: see `blobs`."""
    _check(house, wanted)
    with house.db.reading() as read:
        person, found = _publisher(read, ctx, model)
        earlier = read.uploads.at(person.id, found.id, wanted.path, ctx.now)
        _check_room(house, read, ctx, person, wanted, earlier)
    if earlier is not None and _is_same(earlier, wanted):
        return look(house, ctx, earlier.id)
    staging = house.objects.staging.begin(
        UploadId(ctx.new_id("upl")), wanted.size_bytes, part_size(wanted.size_bytes, part_bytes)
    )
    upload = Upload(
        staging=staging,
        person_id=person.id,
        model_id=found.id,
        path=wanted.path,
        mark=wanted.mark,
        announced_sha256=wanted.sha256,
        state=UploadState.OPEN,
        sha256="",
        git_sha1="",
        detail="",
        created_at=ctx.now,
        expires_at=ctx.now + OPEN_FOR,
    )
    try:
        replaced = _keep(house, ctx, model, upload, wanted)
    except BaseException:
        forget_parts(house, upload)
        raise
    if replaced is not None:
        forget_parts(house, replaced)
    return Standing(upload, found, tuple(range(1, staging.parts + 1)))


def _keep(
    house: House, ctx: Context, model: tuple[str, str], upload: Upload, wanted: Wanted
) -> Upload | None:
    """Keep the row of an upload, counted against what its person may have; return the replaced."""
    with house.db.acting(ctx) as act:
        person, found = _publisher(act, ctx, model)
        act.lock(f"uploads:{person.id}")
        earlier = act.uploads.at(person.id, found.id, wanted.path, ctx.now)
        _check_room(house, act, ctx, person, wanted, earlier)
        act.uploads.add(upload)
    return earlier


def _check(house: House, wanted: Wanted) -> None:
    if wanted.sha256 and not _SHA256.fullmatch(wanted.sha256):
        raise invalid("sha256", "64 hexadecimal digits, in lower case")
    if len(wanted.mark) > MAX_MARK_CHARS:
        raise invalid("mark", f"at most {MAX_MARK_CHARS} characters")
    if wanted.size_bytes < 0:
        raise invalid("size_bytes", "a file has no fewer than 0 bytes")
    most = house.policy.uploads.max_file_bytes
    if wanted.size_bytes > most:
        raise TooLarge(f"a file has at most {most} bytes here; split it into shards")


def _check_room(
    house: House,
    read: Readers,
    ctx: Context,
    person: Person,
    wanted: Wanted,
    earlier: Upload | None,
) -> None:
    limits = house.policy.uploads
    is_xorb = wanted.path.startswith(XORBS)
    most = MOST_XORBS if is_xorb else limits.max_open
    count, size_bytes = read.uploads.total(person.id, ctx.now, xorbs=is_xorb)
    if earlier is not None:
        count, size_bytes = count - 1, size_bytes - earlier.staging.size_bytes
    if count >= most or size_bytes + wanted.size_bytes > limits.max_open_bytes:
        raise TooLarge(
            f"you may have {most} uploads with {limits.max_open_bytes} bytes together "
            "that are not published; publish some or give them up first"
        )


def _is_same(upload: Upload, wanted: Wanted) -> bool:
    same = (upload.staging.size_bytes, upload.announced_sha256, upload.mark)
    is_usable = upload.state is not UploadState.FAILED
    return (
        bool(wanted.mark)
        and is_usable
        and same
        == (
            wanted.size_bytes,
            wanted.sha256,
            wanted.mark,
        )
    )


def look(house: House, ctx: Context, upload_id: str) -> Standing:
    """Return one's own upload, with the parts that are missing while it is open.

    It lives on from now. Raises: NotFound for anybody else's, and for one that ended.
    """
    with house.db.reading() as read:
        upload, model = _mine(read, ctx, upload_id)
    _touch(house, ctx, upload)
    missing = _missing(house, upload) if upload.state is UploadState.OPEN else ()
    return Standing(upload, model, missing)


def mine(house: House, ctx: Context) -> list[Standing]:
    """Return one's own uploads by path, without asking the store what is missing."""
    need_scope(ctx, Scope.WRITE)
    with house.db.reading() as read:
        uploads = read.uploads.of(current(read, ctx).id, ctx.now)
        models = read.catalogue.models_by_id({upload.model_id for upload in uploads})
    return [Standing(u, models[u.model_id]) for u in uploads if u.model_id in models]


def address(house: House, upload: Upload, number: int) -> str | None:
    """Return the store's address for a part; None where parts come through this server."""
    if not house.policy.uploads.by_address:
        return None
    return house.objects.staging.address(upload.staging, number, ADDRESS_SECONDS)


def store_origin(house: House) -> str | None:
    """Return the origin that a browser sends parts to, None where that is this server."""
    some = (
        house.objects.presign("0" * 64, 60, "attachment")
        if house.policy.uploads.by_address
        else None
    )
    return "{0.scheme}://{0.netloc}".format(urlsplit(some)) if some is not None else None


def receive(
    house: House,
    who: Callable[[], Context],
    upload_id: str,
    number: int,
    body: tuple[int, BinaryIO],
) -> int:
    """Keep one part that comes through this server; durable on return. Return its bytes.

    `body` is its length, which is judged before it is read, and the bytes. `who` says who sends it,
    before the body and again after it: a session, a token, a role or an upload that ended while a
    slow body came in takes nothing. Raises: NotFound, NotAllowed, Refused, Invalid (another
    length), Conflict when the upload is not open any more.
    """
    ctx = who()
    upload = _open(house, ctx, upload_id)
    size_bytes, (length, stream) = upload.staging.size_of(number), body
    if length != size_bytes:
        raise invalid("part", f"part {number} has {size_bytes} bytes, and {length} were sent")
    judged = _Judged(stream, lambda: _open(house, who(), upload_id))
    house.objects.staging.receive(upload.staging, number, judged)
    _touch(house, ctx, upload)
    return size_bytes


class _Judged:
    """A body whose end is a question: what is not allowed any more never comes to its end."""

    def __init__(self, body: BinaryIO, judge: Callable[[], object]) -> None:
        self._body = body
        self._judge = judge

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; raises what the judge raises in the place of the end."""
        chunk = self._body.read(size)
        if not chunk:
            self._judge()
        return chunk


def complete(house: House, ctx: Context, upload_id: str) -> Standing:
    """Say that every part has come; the worker reads and hashes them. Repeating it is no error.

    Raises: NotFound, Conflict when parts are missing or the upload failed.
    """
    standing = look(house, ctx, upload_id)
    if standing.upload.state is UploadState.FAILED:
        raise Conflict(standing.upload.detail, state=UploadState.FAILED)
    check_whole(standing)
    with house.db.acting(ctx) as act:
        upload, model = _mine(act, ctx, upload_id)
        until = ctx.now + DONE_FOR
        act.uploads.move(upload.id, UploadState.OPEN, UploadState.VERIFYING, until)
        return Standing(_mine(act, ctx, upload_id)[0], model)


def check_whole(standing: Standing) -> None:
    """Raise Conflict while parts are missing."""
    if standing.missing:
        detail = f"{len(standing.missing)} of {standing.upload.staging.parts} parts are missing"
        raise Conflict(detail, state=UploadState.OPEN)


def give_up(house: House, ctx: Context, upload_id: str) -> Standing:
    """Forget one's own upload and delete its parts, also where one may not publish any more.

    Known gap: bytes that were verified stay as a blob that no revision names; `fsck` counts it.
    Raises: NotFound, Refused.
    """
    with house.db.acting(ctx) as act:
        upload, model = _own(act, ctx, upload_id)
        act.uploads.drop([upload.id])
    forget_parts(house, upload)
    return Standing(upload, model)


def _publisher(read: Readers, ctx: Context, model: tuple[str, str]) -> tuple[Person, Model]:
    check_publisher(read, ctx, model[0])
    found = read.catalogue.model(*model)
    if found is None:
        raise NotFound("no such model")
    return current(read, ctx), found


def _mine(read: Readers, ctx: Context, upload_id: str) -> tuple[Upload, Model]:
    """Return one's own upload, of a model that one may still publish into."""
    upload, model = _own(read, ctx, upload_id)
    check_publisher(read, ctx, model.namespace)
    return upload, model


def _own(read: Readers, ctx: Context, upload_id: str) -> tuple[Upload, Model]:
    need_scope(ctx, Scope.WRITE)
    upload = read.uploads.by_id(upload_id, current(read, ctx).id, ctx.now)
    model = read.catalogue.model_by_id(upload.model_id) if upload is not None else None
    if upload is None or model is None:
        raise NotFound("no such upload")
    return upload, model


def _open(house: House, ctx: Context, upload_id: str) -> Upload:
    with house.db.reading() as read:
        upload, _ = _mine(read, ctx, upload_id)
    if upload.state is not UploadState.OPEN:
        raise Conflict("the upload takes no parts any more", state=upload.state)
    return upload


def _missing(house: House, upload: Upload) -> tuple[int, ...]:
    there = house.objects.staging.parts(upload.staging)
    return tuple(n for n in range(1, upload.staging.parts + 1) if n not in there)


def _touch(house: House, ctx: Context, upload: Upload) -> None:
    until = ctx.now + OPEN_FOR
    if upload.state is UploadState.OPEN and until - upload.expires_at > TOUCHED_EVERY:
        with house.db.acting(ctx) as act:
            act.uploads.keep_until([upload.id], until)
