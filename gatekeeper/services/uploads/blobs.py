"""Bytes that come before the commit that names them: uploads of a blob, not of a file.

They are uploads like others: counted against what their person may have, resumed, swept. Their
path is git's own place for them, where no file may be. They are hashed at once, in the request that
brings their end, for the commit follows at once. Source: git-lfs specification; hf-wire.md 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gatekeeper.domain.errors import Busy, GatekeeperError, Unavailable, invalid
from gatekeeper.domain.links import Purpose
from gatekeeper.domain.people import Actor, Context
from gatekeeper.domain.uploads import BLOBS, Upload, UploadId, UploadState
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import commits
from gatekeeper.services.publishing.releases import writable
from gatekeeper.services.uploads import sending, tickets, verifying
from gatekeeper.services.uploads.sending import Standing, Wanted
from gatekeeper.services.uploads.verifying import Keep

_MARK = "lfs"
TICKET_FOR = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Asked:
    """One blob that somebody wants to send."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be done about a blob: nothing when `standing` and `refused` are None.

    `ticket` is a bearer secret that takes the parts of this one upload.
    """

    asked: Asked
    standing: Standing | None = None
    ticket: str = ""
    refused: GatekeeperError | None = None


def begin(
    house: House, ctx: Context, model: tuple[str, str], wanted: Sequence[Asked], *, in_parts: bool
) -> list[Answer]:
    """Begin an upload for each blob that is not held for this person yet, once where it repeats.

    `in_parts`: larger blobs come in parts; else each comes whole.
    Raises: NotFound, NotAllowed, Refused; what concerns one blob stands in its answer.
    """
    with house.db.reading() as read:
        writable(read, ctx, model)
    begun: dict[Asked, Answer] = {}
    answers: list[Answer] = []
    for asked in wanted:
        if asked in begun and begun[asked].refused is None:
            answers.append(Answer(asked))  # two files of these bytes: they are on their way
            continue
        begun[asked] = _begin(house, ctx, model, asked, in_parts=in_parts)
        answers.append(begun[asked])
    return answers


def _begin(
    house: House, ctx: Context, model: tuple[str, str], asked: Asked, *, in_parts: bool
) -> Answer:
    try:
        if is_held(house, ctx, model, asked):
            return Answer(asked)
        usual = house.policy.uploads.part_bytes
        part_bytes = usual if in_parts else max(asked.size_bytes, 1)
        wanted = Wanted(BLOBS + asked.sha256, asked.size_bytes, asked.sha256, _MARK)
        standing = sending.begin_at(house, ctx, model, wanted, part_bytes)
    except GatekeeperError as error:
        return Answer(asked, refused=error)
    ticket = tickets.write(house, ctx, Purpose.UPLOAD, standing.upload.id, TICKET_FOR)
    return Answer(asked, standing, ticket)


def is_held(house: House, ctx: Context, model: tuple[str, str], asked: Asked) -> bool:
    """Say whether this person may name these bytes in a commit. Raises: Invalid (size)."""
    with house.db.reading() as read:
        found = writable(read, ctx, model)
        file = commits.held(house, read, ctx, found, {asked.sha256}).get(asked.sha256)
    if file is not None and file.size_bytes != asked.size_bytes:
        raise invalid("size", f"these are {file.size_bytes} bytes")
    return file is not None and house.objects.size(asked.sha256) == asked.size_bytes


def sender(house: House, ctx: Context, ticket: str) -> tuple[UploadId, Actor]:
    """Return which upload a ticket is for and who sends it, as they are now.

    Raises: BadLink, BadCredentials when the token that asked for it has ended.
    """
    upload_id, actor = tickets.read(house, ctx, Purpose.UPLOAD, ticket)
    return UploadId(upload_id), actor


def finish(house: House, who: Callable[[], Context], upload_id: UploadId) -> Upload:
    """Read and hash what came; it may be named in a commit then. Repeating it is no error.

    Raises: Conflict when parts are missing, Invalid when the bytes are not those announced: the
    upload is given up then. NotFound, Unavailable.
    """
    standing = sending.look(house, who(), upload_id)
    sending.check_whole(standing)
    return hold(house, who, standing.upload, verifying.from_parts(house, standing.upload))


def hold(house: House, who: Callable[[], Context], upload: Upload, keep: Keep) -> Upload:
    """Let `keep` make a blob of what was announced, unless somebody does so or has done it.

    Raises: Invalid as `finish`, Busy while somebody does, Unavailable: it is open again then.
    """
    ctx = who()
    with house.db.acting(ctx) as act:
        is_ours = act.uploads.move(
            upload.id, UploadState.OPEN, UploadState.VERIFYING,
            ctx.now + verifying.DONE_FOR, leased_until=ctx.now + verifying.LEASE,
        )  # fmt: skip
    if is_ours:
        try:
            verifying.verify(house, who, upload, ctx.now, keep)
        except Unavailable:
            # For whoever asks again in a moment; a worker would come when the lease has ended.
            _open_again(house, who(), upload)
            raise
    upload = sending.look(house, who(), upload.id).upload
    if upload.state is UploadState.FAILED:
        sending.give_up(house, who(), upload.id)
        raise invalid("oid", upload.detail)
    if upload.state is not UploadState.READY:
        raise Busy("these bytes are still being read", retry_after_seconds=5)
    return upload


def _open_again(house: House, ctx: Context, upload: Upload) -> None:
    with house.db.acting(ctx) as act:
        until = ctx.now + sending.OPEN_FOR
        act.uploads.move(upload.id, UploadState.VERIFYING, UploadState.OPEN, until)
