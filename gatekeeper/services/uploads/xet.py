"""Uploads of clients that speak Xet: chunks first, in xorbs, then how files are put together.

A session is where the xorbs of one upload lie. It is looked up together with its person and model,
so that nobody reaches another's xorbs; `begin` names each by chance, so that a client keeps those
of one upload apart from another's. A file is put together in the request that says how, and ends
where git-LFS ends: as bytes that this person has sent, hashed and ready to be named by a commit.

The name of a xorb is the client's word for it within its session. It is not compared with the
content (a Merkle tree of BLAKE3, for which a package would be needed): what is trusted is the
SHA-256 of the whole file. Source: hub-docs docs/xet/api.md, upload-protocol.md; hf-wire.md 4.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO

from gatekeeper.domain.catalogue import ModelId, Stored
from gatekeeper.domain.errors import (
    BadCredentials,
    BadLink,
    NotFound,
    TooLarge,
    invalid,
)
from gatekeeper.domain.links import Purpose
from gatekeeper.domain.people import Actor, Context
from gatekeeper.domain.uploads import BLOBS, XORBS, Upload
from gatekeeper.domain.xet import LARGEST_XORB_BYTES, Recipe
from gatekeeper.services.people import current
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.releases import writable
from gatekeeper.services.uploads import blobs, sending, tickets
from gatekeeper.services.uploads.assembly import Assembled, Xorbs
from gatekeeper.services.uploads.sending import Wanted

# The client asks for another in time, by the access token; the session goes on with that one.
TICKET_FOR = timedelta(hours=1)
# After a shard that named it, for another shard of the same upload.
SPENT_FOR = timedelta(minutes=10)
_MARK = "xet"
_SESSION = re.compile(r"xet_[0-9a-f]{24}")
_XORB = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Begun:
    """A session, and the bearer secret that opens it until `expires_at`."""

    session: str
    ticket: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """A session of uploads into a model."""

    model_id: ModelId
    session: str

    @property
    def folder(self) -> str:
        """Return where its xorbs lie."""
        return f"{XORBS}{self.session}/"


def begin(house: House, ctx: Context, model: tuple[str, str]) -> Begun:
    """Begin a session of uploads into a model; raises NotFound, NotAllowed, Refused."""
    with house.db.reading() as read:
        found = writable(read, ctx, model)
    ticket = tickets.write(house, ctx, Purpose.XET, found.id, TICKET_FOR)
    return Begun(ctx.new_id("xet"), ticket, ctx.now + TICKET_FOR)


def sender(house: House, ctx: Context, ticket: str, session: str) -> tuple[Place, Actor]:
    """Return where a ticket lets send and who sends, as they are now.

    Raises: BadCredentials, NotFound for what is no session.
    """
    try:
        model_id, actor = tickets.read(house, ctx, Purpose.XET, ticket)
    except BadLink as error:
        raise BadCredentials(str(error)) from error
    if not _SESSION.fullmatch(session):
        raise NotFound("no such session")
    return Place(ModelId(model_id), session), actor


def check(house: House, ctx: Context, place: Place) -> tuple[str, str]:
    """Return the model's name if whoever acts may upload into it; raises as `begin`."""
    with house.db.reading() as read:
        model = read.catalogue.model_by_id(place.model_id)
        if model is None:
            raise NotFound("no such model")
        name = (model.namespace, model.name)
        writable(read, ctx, name)
    return name


def receive(
    house: House,
    who: Callable[[], Context],
    place: Place,
    xorb: str,
    body: tuple[int, BinaryIO],
) -> bool:
    """Keep a xorb; False when this session had it already, and now has what came last.

    `who` and `body` as `sending.receive` has them. Raises: Invalid, TooLarge, NotFound, NotAllowed,
    Refused.
    """
    size_bytes = body[0]
    if size_bytes > LARGEST_XORB_BYTES:
        raise TooLarge(f"a xorb has at most {LARGEST_XORB_BYTES} bytes")
    if not size_bytes or not _XORB.fullmatch(xorb):
        raise invalid("xorb", "a xorb has chunks, and a name of 64 hexadecimal digits")
    ctx = who()
    wanted = Wanted(place.folder + xorb, size_bytes, mark=_MARK)
    standing = sending.begin_at(house, ctx, check(house, ctx, place), wanted, size_bytes)
    sending.receive(house, who, standing.upload.id, 1, body)
    return bool(standing.missing)


def put_together(
    house: House, who: Callable[[], Context], place: Place, recipes: Sequence[Recipe]
) -> None:
    """Put the files of a shard together; on return each may be named in a commit.

    Those that are ready stay so when a later one fails, and are not made again. Raises: Invalid for
    xorbs that are not of this session, for chunks that are none, and for another SHA-256; TooLarge;
    Busy while another request puts one of them together; Unavailable.
    """
    ctx = who()
    model = check(house, ctx, place)
    with house.db.reading() as read:
        sent = read.uploads.within(current(read, ctx).id, place.model_id, place.folder, ctx.now)
    there = {upload.path.removeprefix(place.folder): upload for upload in sent}
    named = [_of_this_session(there, xorb) for xorb in _named(recipes)]
    _keep_until(house, ctx, named, ctx.now + sending.OPEN_FOR)
    xorbs = Xorbs(house.objects.staging, {xorb: sent.staging for xorb, sent in there.items()})
    for recipe in recipes:
        _put_one_together(house, who, model, recipe, xorbs)
    ctx = who()
    _keep_until(house, ctx, named, ctx.now + SPENT_FOR)


def _named(recipes: Sequence[Recipe]) -> set[str]:
    return {term.xorb for recipe in recipes for term in recipe.terms()}


def _of_this_session(there: Mapping[str, Upload], xorb: str) -> Upload:
    if xorb not in there:
        raise invalid("shard", f"xorb {xorb} has not come in this session")
    return there[xorb]


def _keep_until(house: House, ctx: Context, xorbs: Sequence[Upload], until: datetime) -> None:
    with house.db.acting(ctx) as act:
        act.uploads.keep_until([xorb.id for xorb in xorbs], until)


def _put_one_together(
    house: House,
    who: Callable[[], Context],
    model: tuple[str, str],
    recipe: Recipe,
    xorbs: Xorbs,
) -> None:
    ctx, size_bytes = who(), recipe.size_bytes
    if blobs.is_held(house, ctx, model, blobs.Asked(recipe.sha256, size_bytes)):
        return
    wanted = Wanted(BLOBS + recipe.sha256, size_bytes, recipe.sha256, _MARK)
    standing = sending.begin_at(house, ctx, model, wanted, max(size_bytes, 1))

    def keep(progress: Callable[[int], None]) -> Stored:
        source = Assembled(recipe, xorbs)
        return house.objects.put(source, size_bytes, progress, recipe.sha256)

    blobs.hold(house, who, standing.upload, keep)
