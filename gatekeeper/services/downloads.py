"""Fetching: one verb for all dialects, signed links, and what is recorded before a byte leaves.

Every request, ranges included, asks the database; a link is a claim and never an authority. The
order is: decide, record, commit, then serve or raise. Source: house.md 6 and 7, security.md 2.
Kept whole: deciding, recording and signing are read in one place.
Not here: ranges and headers (web/streaming), the rule (domain/access).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from gatekeeper.db.unit_of_work import Act, Readers
from gatekeeper.domain.access import Basis, Fetch, Reason, Refused, See, Verdict, decide
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


def _fetch(
    house: House, ctx: Context, ref: FileRef, *, serves: bool, through: Link | None = None
) -> Ready:
    with house.db.reading() as read:
        person = access.person_of(read, ctx)
        judged, ready = _decide(read, person, ref, ctx.now, through)
        owed = _owes_entry(read, judged, ready, serves, ctx.now)
    if owed:
        with house.db.acting(ctx) as act:
            # Decided again under the lock: a revocation that committed first is seen, one that
            # comes later waits for this entry.
            judged, ready = _decide(act, person, ref, ctx.now, through, lock=True)
            if _owes_entry(act, judged, ready, serves, ctx.now):
                _record(act, judged, ready, ctx.now)
    if ready is None:
        raise access.refusal(judged)
    return ready


def _decide(
    read: Readers,
    person: Person | None,
    ref: FileRef,
    now: datetime,
    through: Link | None = None,
    *,
    lock: bool = False,
) -> tuple[Judged, Ready | None]:
    """Ask the rule about one file; nothing is ready where its verdict says no."""
    model = read.catalogue.model(ref.namespace, ref.name)
    if model is None:
        raise NotFound("no such model")
    judged = access.judge(read, person, model, now, Fetch(ref.path), lock=lock)
    if not decide(judged.standing, model, See(), now).allowed:
        raise NotFound("no such model")
    if not judged.verdict.allowed:
        return judged, None
    ready = _find(read, judged, ref, now)
    if through is not None:
        _check_link(through, judged, ready)
    return judged, ready


def _check_link(link: Link, judged: Judged, ready: Ready) -> None:
    """Raise BadLink where the grant or the file it was made for is not what it was."""
    if ready.file.sha256 != link.sha256:
        raise BadLink("this link leads nowhere any more")
    live = {grant.id for grant in judged.standing.grants if grant.opens(ready.at)}
    if link.grant_id is not None and link.grant_id not in live:
        raise BadLink("the access this link was made for has ended", expired=True)


def _find(read: Readers, judged: Judged, ref: FileRef, now: datetime) -> Ready:
    model = judged.model
    revision = read.catalogue.revision(model.id, ref.revision)
    if revision is None:
        raise NoSuchRevision(f"{model.full_name} has no revision {ref.revision}")
    file = read.catalogue.file(revision.id, ref.path)
    if file is None:
        raise NoSuchFile(f"{ref.path} is not in {revision.id}", revision.id)
    person = judged.standing.person
    named = person.id if person is not None and judged.verdict.basis is not Basis.OPEN else ""
    return Ready(model, revision, file, named, now)


def _owes_entry(
    read: Readers, judged: Judged, ready: Ready | None, serves: bool, now: datetime
) -> bool:
    """Say whether an entry is owed and not yet there for this hour."""
    person, verdict = judged.standing.person, judged.verdict
    if person is None or verdict.basis is Basis.OPEN:
        return False
    if ready is None:
        return not _was_refused(read, person, judged, now)
    grant_id = verdict.grant.id if verdict.grant is not None else ""
    return serves and not read.grants.was_served(
        person.id, grant_id, ready.model.id, ready.file.sha256, hour_of(now)
    )


def _was_refused(read: Readers, person: Person, judged: Judged, now: datetime) -> bool:
    reason = judged.verdict.reason or Reason.NOT_VISIBLE
    return read.grants.was_refused(person.id, judged.model.id, reason, hour_of(now))


def _record(act: Act, judged: Judged, ready: Ready | None, now: datetime) -> None:
    person, verdict = judged.standing.person, judged.verdict
    assert person is not None  # noqa: S101  nothing is recorded of anonymous
    if ready is None:
        reason = verdict.reason or Reason.NOT_VISIBLE
        act.record(f.AccessRefused(person.id, judged.model.id, reason, hour_of(now)))
        return
    act.record(
        f.FileServed(
            person_id=person.id,
            grant_id=verdict.grant.id if verdict.grant is not None else None,
            model_id=ready.model.id,
            revision_id=ready.revision.id,
            sha256=ready.file.sha256,
            basis=verdict.basis or Basis.OPEN,
            hour=hour_of(now),
        )
    )


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
        judged, ready = _decide(act, person, ref, ctx.now, lock=True)
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
        elif _owes_entry(act, judged, None, False, ctx.now):
            _record(act, judged, None, ctx.now)
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
    link, claim = _read_link(house, token)
    check_times(claim, ctx.now)
    with house.db.reading() as read:
        model = read.catalogue.model_by_id(link.model_id)
    if model is None:
        raise BadLink("this link leads nowhere any more")
    ref = FileRef(model.namespace, model.name, link.revision_id, link.path)
    holder = Context(
        actor=_as_holder(link), now=ctx.now, fresh=ctx.fresh, request_id=ctx.request_id
    )
    return _fetch(house, holder, ref, serves=serves, through=link)


def renew(house: House, ctx: Context, token: str) -> str:
    """Return a fresh address for an expired link when its own holder asks; raises otherwise."""
    link, _ = _read_link(house, token)
    if ctx.actor.person_id != link.person_id:
        raise Refused(Reason.LINK_EXPIRED, model=_model_name(house, link))
    with house.db.reading() as read:
        model = read.catalogue.model_by_id(link.model_id)
    if model is None:
        raise BadLink("this link leads nowhere any more")
    ref = FileRef(model.namespace, model.name, link.revision_id, link.path)
    return issue_link(house, ctx, ref).path


def _read_link(house: House, token: str) -> tuple[Link, Claim]:
    claim = house.links.verify(Purpose.DOWNLOAD, token)
    with house.db.reading() as read:
        link = read.grants.link(LinkId(claim.jti))
    if link is None or claim != _claim(link):
        raise BadLink("this link was not issued by this site")
    return link, claim


def _model_name(house: House, link: Link) -> str:
    with house.db.reading() as read:
        model = read.catalogue.model_by_id(link.model_id)
    return model.full_name if model is not None else ""


def _as_holder(link: Link) -> Actor:
    return Actor(ActorKind.PERSON, link.person_id)


def hour_of(now: datetime) -> datetime:
    """Return the beginning of the hour."""
    return now.replace(minute=0, second=0, microsecond=0)


def flush_tally(house: House, ctx: Context) -> None:
    """Write the counters gathered in memory."""
    counts = house.tally.take()
    if counts:
        with house.db.acting(ctx) as act:
            act.ephemeral.add_counts(counts)


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
