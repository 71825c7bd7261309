"""Applications and grants as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gatekeeper.domain import applications as cases
from gatekeeper.domain import ledger, notices, people
from gatekeeper.domain.applications import ApplicationState
from gatekeeper.domain.catalogue import Model
from gatekeeper.domain.people import PersonId
from gatekeeper.services.applications import reading
from gatekeeper.services.holdings import Holding
from gatekeeper.web.api.wire import cases as a
from gatekeeper.web.api.wire.answers import Person

People = Mapping[PersonId, people.Person]


def person(found: people.Person) -> Person:
    """Show somebody to others."""
    return Person(id=found.id, username=found.username, name=found.name)


def lead(found: people.Person) -> a.Lead:
    """Show the person who applies."""
    return a.Lead(**dict(person(found)), email=found.email, affiliation=found.affiliation)


def draft(found: cases.Draft, models: Sequence[Model], owner: people.Person) -> a.Application:
    """Show an application that was not submitted yet."""
    return a.Application(
        **dict(draft_row(found, models, owner)),
        purpose=found.purpose,
        answers=found.answers,
        public_summary=found.public_summary,
        members=(),
        messages=(),
        history=(),
        draft=None,
        approvals_needed=_approvals(models),
        ends_on=None,
        reason=None,
        outcome=None,
        commands=(cases.Command.SUBMIT, cases.Command.WITHDRAW),
        grants=(),
        checks=None,
    )


def case(dossier: reading.Dossier) -> a.Application:
    """Show one case to its reader."""
    found, everybody = dossier.application, dossier.people
    return a.Application(
        **dict(row(found, dossier.models, dossier.lead, everybody)),
        purpose=found.purpose,
        answers=found.answers,
        public_summary=found.public_summary,
        members=(),
        messages=tuple(_message(m, everybody) for m in dossier.messages),
        history=tuple(_event(e, everybody) for e in dossier.history),
        draft=_unsent(dossier),
        approvals_needed=dossier.approvals_needed,
        ends_on=found.proposed_ends_on,
        reason=found.reject_reason,
        outcome=_outcome(found),
        commands=tuple(sorted(dossier.commands)),
        grants=tuple(g.id for g in dossier.grants),
        checks=tuple(a.Check(title=c.title, state=c.state, detail=c.detail) for c in dossier.checks)
        if dossier.is_staff
        else None,
    )


def row(
    found: cases.Application, models: Sequence[Model], owner: people.Person, everybody: People
) -> a.ApplicationRow:
    """Show an application in a list."""
    return a.ApplicationRow(
        id=found.id,
        state=found.state,
        version=found.version,
        models=_names(models),
        lead=lead(owner),
        assignee=_somebody(found.assignee_id, everybody),
        submitted_at=found.submitted_at,
        changed_at=found.changed_at,
    )


def draft_row(
    found: cases.Draft, models: Sequence[Model], owner: people.Person
) -> a.ApplicationRow:
    """Show an application that was not submitted yet in a list."""
    return a.ApplicationRow(
        id=found.application_id,
        state=ApplicationState.DRAFT,
        version=found.version,
        models=_names(models),
        lead=lead(owner),
        assignee=None,
        submitted_at=None,
        changed_at=found.saved_at,
    )


def grant(holding: Holding) -> a.Grant:
    """Show a grant."""
    found = holding.grant
    return a.Grant(
        id=found.id,
        person=person(holding.person),
        models=_names(holding.models),
        purpose=holding.purpose,
        state=holding.state,
        reason=found.reason,
        application=found.application_id,
        agreement=found.agreement_id,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
    )


def dead_letter(letter: notices.DeadLetter) -> a.DeadLetter:
    """Show a mail that was given up."""
    return a.DeadLetter(
        id=letter.id,
        kind=str(letter.kind),
        person=letter.person_id,
        owed_at=letter.owed_at,
        tries=letter.tries,
        error=letter.error,
    )


def entry(found: ledger.Entry, everybody: People) -> a.Entry:
    """Show an entry of the ledger."""
    actor = everybody.get(PersonId(found.actor_id)) if found.actor_id else None
    return a.Entry(
        index=found.index,
        event=found.event_id,
        kind=found.kind,
        at=found.at,
        actor=a.EntryActor(
            kind=people.ActorKind(found.actor_kind),
            id=found.actor_id,
            name=actor.name if actor else None,
        ),
        data=found.data,
    )


def _names(models: Sequence[Model]) -> tuple[str, ...]:
    return tuple(sorted(m.full_name for m in models))


def _approvals(models: Sequence[Model]) -> int:
    return max((m.tier.approvals for m in models), default=0)


def _somebody(person_id: PersonId | None, everybody: People) -> Person | None:
    found = everybody.get(person_id) if person_id is not None else None
    return person(found) if found is not None else None


def _message(found: cases.Message, everybody: People) -> a.Message:
    return a.Message(
        id=found.id,
        author=_somebody(found.author_id, everybody),
        text=found.text,
        internal=found.internal,
        at=found.at,
    )


def _event(found: ledger.Entry, everybody: People) -> a.Event:
    actor_id = PersonId(found.actor_id) if found.actor_id else None
    return a.Event(kind=found.kind, at=found.at, actor=_somebody(actor_id, everybody))


def _unsent(dossier: reading.Dossier) -> a.Unsent | None:
    found = dossier.draft
    if found is None:
        return None
    return a.Unsent(
        purpose=found.purpose, answers=found.answers, public_summary=found.public_summary
    )


def _outcome(found: cases.Application) -> str | None:
    if found.outcome is None or found.after_on is None:
        return found.outcome
    return f"{found.outcome}:{found.after_on.isoformat()}"
