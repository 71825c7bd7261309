"""The outbox: mail rows written in the transaction of their cause, and what became of them.

Not here: which fact owes which mail (domain/notices), addresses at sending time and the words
(services/outbox).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CompoundSelect, Connection, Select, func, insert, literal, select, update

from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.db.ledger import Stamp
from gatekeeper.domain.applications import ApplicationId
from gatekeeper.domain.errors import MailFailed
from gatekeeper.domain.notices import (
    DeadLetter,
    Notice,
    NoticeKind,
    Recipient,
    ToAcceptors,
    ToAssignee,
    ToDesk,
    ToLead,
    ToPerson,
    ToTeam,
)
from gatekeeper.domain.people import PersonId, Role

_BACK_OFF = (10, 60, 300, 1800, 7200, 36000)  # seconds before try 2, 3, ...; then it stays


@dataclass(frozen=True, slots=True)
class OwedMail:
    """One row that waits to be sent."""

    id: int
    event_id: str
    kind: NoticeKind
    person_id: PersonId
    page: str
    about: str
    tries: int


@writes
def owe(connection: Connection, stamp: Stamp, notices: Iterable[Notice]) -> None:
    """Write one row for each recipient; the actor is not written to about their own act."""
    now, actor = stamp.context.now, stamp.context.actor.person_id
    for notice in notices:
        people = {p for p in connection.execute(_recipients(notice.to)).scalars() if p}
        if not isinstance(notice.to, ToPerson) and notice.kind is not (
            NoticeKind.APPLICATION_RECEIVED
        ):
            people.discard(actor or "")
        rows = [
            {
                "event_id": stamp.event_id,
                "kind": str(notice.kind),
                "person_id": person,
                "page": notice.page,
                "about": notice.about,
                "owed_at": now,
                "next_try_at": now,
                "tries": 0,
            }
            for person in sorted(people)
        ]
        if rows:
            connection.execute(insert(t.outbox), rows)


def _recipients(to: Recipient) -> Select[tuple[str]] | CompoundSelect[tuple[str]]:
    match to:
        case ToPerson(person_id):
            # Unasked whether they exist: owing nobody must take as long. Sending finds out.
            return select(literal(str(person_id)))
        case ToLead(application_id):
            return select(t.applications.c.lead_id).where(t.applications.c.id == application_id)
        case ToAssignee(application_id):
            return select(t.applications.c.assignee_id).where(t.applications.c.id == application_id)
        case ToDesk(application_id, author_id, roles):
            case = t.applications.c
            unheard = _team(application_id, roles).where(
                select(case.id)
                .where(case.id == application_id, case.assignee_id.is_(None))
                .where(case.lead_id == author_id)
                .exists()
            )
            worker = select(case.assignee_id).where(case.id == application_id)
            return worker.union(unheard)
        case ToTeam(application_id, roles):
            return _team(application_id, roles)
        case ToAcceptors(agreement_id):
            return select(t.acceptances.c.person_id).where(
                t.acceptances.c.agreement_id == agreement_id
            )


def _team(application_id: ApplicationId, roles: Collection[Role]) -> Select[tuple[str]]:
    return (
        select(t.members.c.person_id)
        .join(t.models, t.models.c.namespace == t.members.c.namespace)
        .join(t.application_models, t.application_models.c.model_id == t.models.c.id)
        .where(t.application_models.c.application_id == application_id)
        .where(t.members.c.role.in_([str(r) for r in roles]))
    )


@writes
def claim_due(
    connection: Connection, now: datetime, lease_seconds: int, limit: int = 50
) -> list[OwedMail]:
    """Take rows whose next try has come, oldest first; others leave them alone for the lease.

    A sender that dies in between lets the lease run out: the mail is sent again (at least once).
    """
    rows = connection.execute(
        select(t.outbox)
        .where(t.outbox.c.next_try_at <= now)
        .order_by(t.outbox.c.next_try_at, t.outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    lease = now + timedelta(seconds=lease_seconds)
    connection.execute(
        update(t.outbox).where(t.outbox.c.id.in_([r.id for r in rows])).values(next_try_at=lease)
    )
    return [
        OwedMail(
            id=r.id,
            event_id=r.event_id,
            kind=NoticeKind(r.kind),
            person_id=PersonId(r.person_id),
            page=r.page,
            about=r.about,
            tries=r.tries,
        )
        for r in rows
    ]


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many mails wait, since when the oldest does, and how many will not be tried again."""

    waiting: int
    oldest: datetime | None
    dead: int


def backlog(connection: Connection) -> Backlog:
    """Read how mail is doing."""
    o = t.outbox.c
    unsent = select(func.count(), func.min(o.owed_at)).where(o.sent_at.is_(None))
    waiting, oldest = connection.execute(unsent.where(o.next_try_at.is_not(None))).one()
    dead, _ = connection.execute(unsent.where(o.next_try_at.is_(None))).one()
    return Backlog(waiting, oldest, dead)


def dead(connection: Connection, before: int | None, limit: int) -> list[DeadLetter]:
    """Return dead letters, the newest first, those below one of them."""
    o = t.outbox.c
    query = select(t.outbox).where(o.sent_at.is_(None), o.next_try_at.is_(None))
    if before is not None:
        query = query.where(o.id < before)
    return [
        DeadLetter(
            r.id, NoticeKind(r.kind), PersonId(r.person_id), r.owed_at, r.tries, r.last_error or ""
        )
        for r in connection.execute(query.order_by(o.id.desc()).limit(limit))
    ]


@writes
def retry(connection: Connection, ids: Collection[int] | None, now: datetime) -> int:
    """Let dead letters, all or these, be tried from the start again; return how many."""
    o = t.outbox.c
    query = update(t.outbox).where(o.sent_at.is_(None), o.next_try_at.is_(None))
    if ids is not None:
        query = query.where(o.id.in_(list(ids)))
    return connection.execute(query.values(next_try_at=now, tries=0)).rowcount


@writes
def mark_sent(connection: Connection, mail_id: int, now: datetime) -> None:
    """Note that the mail left; it is never tried again."""
    connection.execute(
        update(t.outbox)
        .where(t.outbox.c.id == mail_id)
        .values(sent_at=now, next_try_at=None, last_error=None, tries=t.outbox.c.tries + 1)
    )


@writes
def mark_failed(connection: Connection, mail: OwedMail, error: MailFailed, now: datetime) -> None:
    """Note a failed try; after the last one the row stays as a dead letter (no next try)."""
    is_dead = error.for_good or mail.tries >= len(_BACK_OFF)
    later = None if is_dead else now + timedelta(seconds=_BACK_OFF[mail.tries])
    connection.execute(
        update(t.outbox)
        .where(t.outbox.c.id == mail.id)
        .values(tries=mail.tries + 1, next_try_at=later, last_error=str(error)[:200])
    )


@writes
def keep_letter(
    connection: Connection, to_address: str, subject: str, body: str, now: datetime
) -> None:
    """Keep a letter for /dev/mail (the log backend of a demo)."""
    connection.execute(
        insert(t.letters).values(to_address=to_address, subject=subject, text=body, sent_at=now)
    )
