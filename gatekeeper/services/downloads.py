"""Fetching: one verb for all dialects, signed links, and what is recorded before a byte leaves.

Every request, ranges included, asks the database and is decided; a link is a claim and never an
authority. What a decision rests on is read again only after some of it changed (db/memory). The
order is: decide, record, commit, then serve or raise. Source: house.md 6 and 7,
security.md 2.
Kept whole: deciding, recording and signing are read in one place.
Not here: ranges and headers (web/streaming), the rule (domain/access).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import quote

from gatekeeper.db.memory import Recall, every
from gatekeeper.db.readers import Readers
from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.access import (
    Basis,
    Fetch,
    Reason,
    Refused,
    Standing,
    Verdict,
    decide,
)
from gatekeeper.domain.catalogue import File, Model, Revision
from gatekeeper.domain.errors import BadLink, NotFound
from gatekeeper.domain.facts import downloads as f
from gatekeeper.domain.links import Claim, Link, LinkId, Purpose, check_times
from gatekeeper.domain.people import Actor, ActorKind, Context, Person, PersonId
from gatekeeper.domain.sealed import content
from gatekeeper.services import access
from gatekeeper.services.access import Judged
from gatekeeper.services.people import current
from gatekeeper.services.ports import House

COUNTERS_AN_ACT = 100


@dataclass(frozen=True, slots=True)
class FileRef:
    """Which file: full model name in two parts, a branch, tag or commit id, and a path."""

    namespace: str
    name: str
    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class Ready:
    """A file that may leave now, everything that had to be recorded being durable."""

    model: Model
    revision: Revision
    file: File
    counted_for: str  # a person's id; '' for bytes of open models: no trail of who reads them
    at: datetime


class NoSuchRevision(NotFound):
    """The model is visible and has no such branch, tag or commit."""


class NoSuchFile(NotFound):
    """The revision exists and has no such path; `revision_id` is its 40-hex id."""

    def __init__(self, detail: str, revision_id: str) -> None:
        super().__init__(detail)
        self.revision_id = revision_id


def look(house: House, ctx: Context, ref: FileRef) -> Ready:
    """Answer a HEAD: decide as for the bytes and record only a refusal.

    Raises: as `request_file`.
    """
    return _fetch(house, ctx, ref, serves=False)


def request_file(house: House, ctx: Context, ref: FileRef) -> Ready:
    """Decide and record one request for bytes; on return the entry it needs is durable.

    Raises: NotFound (hidden and missing alike), Refused, NoSuchRevision, NoSuchFile. The gate is
    checked before the path: a stranger learns nothing of a gated model's files from this door.
    """
    return _fetch(house, ctx, ref, serves=True)


@dataclass(frozen=True, slots=True)
class _Found:
    """All that one request depends on but the clock."""

    model: Model
    asked: FileRef
    standing: Standing
    revision: Revision | None
    file: File | None
    link: Link | None
    generation: int | None


class _Find(Protocol):
    def __call__(self, look: Recall, *, lock: bool = False) -> _Found: ...


def _fetch(house: House, ctx: Context, ref: FileRef, *, serves: bool) -> Ready:
    def find(look: Recall, *, lock: bool = False) -> _Found:
        name = (ref.namespace, ref.name)
        model = look.get(("model", *name), lambda read: read.catalogue.model(*name))
        if model is None:
            absent = ("absent", ctx.actor.person_id, *name)
            look.get(absent, lambda read: access.absent(read, ctx, *name))
            raise NotFound("no such model")
        return _gather(look, ctx, model, ref, lock=lock)

    return _settle(house, ctx, find, serves=serves)


def _gather(
    look: Recall, ctx: Context, model: Model, ref: FileRef, link: Link | None = None, *, lock: bool
) -> _Found:
    def stand(read: Readers) -> Standing:
        return access.stand(read, ctx, model, lock=lock)

    def find_revision(read: Readers) -> Revision | None:
        return read.catalogue.revision(model.id, ref.revision)

    standing = look.get(("standing", ctx.actor.person_id, model.id), stand)
    revision = file = None
    if access.sees(standing, model, ctx.now):
        revision = look.get(("revision", model.id, ref.revision), find_revision)
    if revision is not None:
        at = revision.id
        file = look.get(("file", at, ref.path), lambda read: read.catalogue.file(at, ref.path))
    return _Found(model, ref, standing, revision, file, link, look.generation)


def _settle(house: House, ctx: Context, find: _Find, *, serves: bool) -> Ready:
    """Decide, record what is owed, then give the file or raise the refusal."""
    found = house.db.recall(find)
    judged, ready = _judge(found, ctx.now)
    owed = _owed(judged, ready, ctx.now, serves=serves)
    if owed is not None and owed not in house.db.durable:
        with house.db.acting(ctx) as act:
            # Decided under the lock: a revocation that committed first is seen, one that comes
            # later waits for this entry.
            if not act.is_still(found.generation):
                judged, ready = _judge(find(every(act), lock=True), ctx.now)
                owed = _owed(judged, ready, ctx.now, serves=serves)
            _record(act, owed)
        house.db.durable.add(owed)
    if ready is None:
        raise access.refusal(judged)
    return ready


def _judge(found: _Found, now: datetime) -> tuple[Judged, Ready | None]:
    """Ask the rule about one file; nothing is ready where its verdict says no."""
    model, standing = found.model, found.standing
    judged = Judged(model, standing, decide(standing, model, Fetch(found.asked.path), now))
    if not judged.verdict.allowed:
        if not access.sees(standing, model, now):
            raise NotFound("no such model")
        return judged, None
    if found.revision is None:
        raise NoSuchRevision(f"{model.full_name} has no revision {found.asked.revision}")
    if found.file is None:
        raise NoSuchFile(f"{found.asked.path} is not in {found.revision.id}", found.revision.id)
    person = standing.person
    named = person.id if person is not None and judged.verdict.basis is not Basis.OPEN else ""
    ready = Ready(model, found.revision, found.file, named, now)
    if found.link is not None:
        _check_link(found.link, judged, ready)
    return judged, ready


def _check_link(link: Link, judged: Judged, ready: Ready) -> None:
    """Raise BadLink where the grant or the file it was made for is not what it was."""
    if ready.file.sha256 != link.sha256:
        raise BadLink("this link leads nowhere any more")
    live = {grant.id for grant in judged.standing.grants if grant.opens(ready.at)}
    if link.grant_id is not None and link.grant_id not in live:
        raise BadLink("the access this link was made for has ended", expired=True)


def _owed(
    judged: Judged, ready: Ready | None, now: datetime, *, serves: bool
) -> f.FileServed | f.AccessRefused | None:
    """Return the entry that this hour must have; nothing is recorded of anonymous."""
    person, verdict = judged.standing.person, judged.verdict
    if person is None or verdict.basis is Basis.OPEN:
        return None
    if ready is None:
        reason = verdict.reason or Reason.NOT_VISIBLE
        return f.AccessRefused(person.id, judged.model.id, reason, hour_of(now))
    if not serves:
        return None
    return f.FileServed(
        person_id=person.id,
        grant_id=verdict.grant.id if verdict.grant is not None else None,
        model_id=ready.model.id,
        revision_id=ready.revision.id,
        sha256=ready.file.sha256,
        basis=verdict.basis or Basis.OPEN,
        hour=hour_of(now),
    )


def _record(act: Act, owed: f.FileServed | f.AccessRefused | None) -> None:
    """Record what is owed, once an hour."""
    match owed:
        case f.FileServed(grant_id=grant_id):
            is_there = act.grants.was_served(
                owed.person_id, grant_id or "", owed.model_id, owed.sha256, owed.hour
            )
        case f.AccessRefused():
            is_there = act.grants.was_refused(owed.person_id, owed.model_id, owed.reason, owed.hour)
        case None:
            is_there = True
    if owed is not None and not is_there:
        act.record(owed)


def count(house: House, ready: Ready, size_bytes: int) -> None:
    """Count one answer that offers so many bytes of the file."""
    hour = hour_of(ready.at)
    house.tally.add(ready.counted_for, ready.model.id, ready.file.sha256, hour, size_bytes)


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """A signed address, relative to the site, and what it leads to."""

    path: str
    expires_at: datetime
    file: File
    link_id: LinkId


def issue_link(house: House, ctx: Context, ref: FileRef) -> IssuedLink:
    """Make a signed address for one file; its entry is durable before the address exists.

    Raises: as `request_file`, and Refused(no_account): a link is always somebody's.
    """
    link_id = LinkId(ctx.fresh(12).hex())
    with house.db.acting(ctx) as act:
        person = current(act, ctx)
        model = access.named(act, ctx, ref.namespace, ref.name)
        found = _gather(every(act), ctx, model, ref, lock=True)
        judged, ready = _judge(found, ctx.now)
        if ready is not None:
            link = _link(house, ctx, link_id, person, ready, judged.verdict)
            act.record(
                f.LinkIssued(
                    link_id=link.id,
                    person_id=link.person_id,
                    grant_id=link.grant_id,
                    model_id=link.model_id,
                    revision_id=link.revision_id,
                    path=content(link.path),
                    sha256=link.sha256,
                    expires_at=link.expires_at,
                )
            )
        else:
            _record(act, _owed(judged, None, ctx.now, serves=False))
    if ready is None:
        raise access.refusal(judged)
    return IssuedLink(address(house, link), link.expires_at, ready.file, link.id)


def repeat_link(house: House, ctx: Context, link_id: LinkId) -> IssuedLink:
    """Sign the claim of a link the actor was issued once more: the same address, nothing new.

    Raises: NotFound for a link that is not the actor's.
    """
    with house.db.reading() as read:
        link = read.grants.link(link_id)
        if link is None or link.person_id != current(read, ctx).id:
            raise NotFound("no such link")
        file = read.catalogue.file(link.revision_id, link.path)
    if file is None:
        raise NotFound("no such link")
    return IssuedLink(address(house, link), link.expires_at, file, link.id)


def _link(
    house: House, ctx: Context, link_id: LinkId, person: Person, ready: Ready, verdict: Verdict
) -> Link:
    cap = house.policy.link_ttl_seconds
    ttl = ready.model.tier.link_ttl_seconds
    expires_at = ctx.now.replace(microsecond=0) + timedelta(
        seconds=ttl if cap is None else min(ttl, cap)
    )
    return Link(
        id=link_id,
        person_id=person.id,
        grant_id=verdict.grant.id if verdict.grant is not None else None,
        model_id=ready.model.id,
        revision_id=ready.revision.id,
        path=ready.file.path,
        sha256=ready.file.sha256,
        issued_at=ctx.now,
        expires_at=expires_at,
    )


def address(house: House, link: Link) -> str:
    """Sign the claim of an issued link: `/d/<token>/<filename>`; the same link signs alike."""
    name = quote(link.path.rpartition("/")[2])
    return f"/d/{house.links.sign(Purpose.DOWNLOAD, _claim(link))}/{name}"


def _claim(link: Link) -> Claim:
    """Return what the token of an issued link says: nothing but what its row and entry say."""
    return Claim(
        jti=link.id,
        subject=link.person_id,
        check=link.sha256,
        not_before=int(link.issued_at.timestamp()),
        expires=int(link.expires_at.timestamp()),
    )


def redeem(house: House, ctx: Context, token: str, *, serves: bool) -> Ready:
    """Decide one request by a signed address, as for the person it was made for.

    Raises: BadLink for a token that is not exactly one of ours, or has expired, as it does with the
    grant it was made under (`expired`); otherwise as `request_file`: the grant is the right.
    """
    claim = house.links.verify(Purpose.DOWNLOAD, token)
    holder = replace(ctx, actor=Actor(ActorKind.PERSON, PersonId(claim.subject)))

    def find(look: Recall, *, lock: bool = False) -> _Found:
        link = look.get(("link", claim), lambda read: _read_link(read, claim))
        check_times(claim, ctx.now)
        model, ref = look.get(("behind", claim), lambda read: _behind(read, link))
        return _gather(look, holder, model, ref, link, lock=lock)

    return _settle(house, holder, find, serves=serves)


def renew(house: House, ctx: Context, token: str) -> str:
    """Return a fresh address for an expired link when its own holder asks; raises otherwise."""
    claim = house.links.verify(Purpose.DOWNLOAD, token)
    with house.db.reading() as read:
        link = _read_link(read, claim)
        model, ref = _behind(read, link)
    if ctx.actor.person_id != link.person_id:
        raise Refused(Reason.LINK_EXPIRED, model=model.full_name)
    return issue_link(house, ctx, ref).path


def _read_link(read: Readers, claim: Claim) -> Link:
    link = read.grants.link(LinkId(claim.jti))
    if link is None or claim != _claim(link):
        raise BadLink("this link was not issued by this site")
    return link


def _behind(read: Readers, link: Link) -> tuple[Model, FileRef]:
    """Return what a link leads to."""
    model = read.catalogue.model_by_id(link.model_id)
    if model is None:
        raise BadLink("this link leads nowhere any more")
    return model, FileRef(model.namespace, model.name, link.revision_id, link.path)


def hour_of(now: datetime) -> datetime:
    """Return the beginning of the hour."""
    return now.replace(minute=0, second=0, microsecond=0)


def flush_tally(house: House, ctx: Context) -> None:
    """Write the counters gathered in memory, few in an act: requests wait for the same turn."""
    counts = house.tally.take()
    try:
        while counts:
            with house.db.acting(ctx) as act:
                act.ephemeral.add_counts(counts[:COUNTERS_AN_ACT])
            del counts[:COUNTERS_AN_ACT]
    finally:
        house.tally.put_back(counts)  # what could not be written


def roll_up(house: House, ctx: Context) -> int:
    """Record the totals of past hours, one entry a person, file and hour; return how many."""
    with house.db.acting(ctx) as act:
        counts = act.ephemeral.take_counts(hour_of(ctx.now))
        for c in counts:
            act.record(
                f.ServingTotalled(
                    person_id=PersonId(c.person_id),
                    model_id=c.model_id,
                    sha256=c.sha256,
                    hour=c.hour,
                    requests=c.requests,
                    bytes_offered=c.bytes_offered,
                )
            )
    return len(counts)
