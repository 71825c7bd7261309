"""Which mail each fact owes: to whom, of which kind, leading to which page. Pure; never a secret.

Not here: addresses and words (db/outbox, templates/mail). Source: governance.md 3.4 (last column).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gatekeeper.domain import facts
from gatekeeper.domain.agreements import Change
from gatekeeper.domain.applications import ApplicationId
from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.facts import agreements as terms
from gatekeeper.domain.facts import applications as cases
from gatekeeper.domain.facts import grants as rights
from gatekeeper.domain.facts import people as persons
from gatekeeper.domain.grants import GrantState
from gatekeeper.domain.people import PersonId, Role


class NoticeKind(StrEnum):
    """One kind a template: templates/mail/<kind>.txt."""

    VERIFY_ADDRESS = "verify_address"
    ALREADY_REGISTERED = "already_registered"
    RESET_PASSWORD = "reset_password"  # noqa: S105  a kind of mail, not a secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  a kind of mail, not a secret
    ACCOUNT_SUSPENDED = "account_suspended"
    APPLICATION_RECEIVED = "application_received"
    APPLICATION_WAITING = "application_waiting"
    APPLICATION_WITHDRAWN = "application_withdrawn"
    QUESTION_ASKED = "question_asked"
    MESSAGE_POSTED = "message_posted"
    SECOND_APPROVAL_WAITING = "second_approval_waiting"
    APPLICATION_RETURNED = "application_returned"
    APPLICATION_REJECTED = "application_rejected"
    APPLICATION_REOPENED = "application_reopened"
    ACCESS_READY = "access_ready"
    TERMS_WAITING = "terms_waiting"
    GRANT_SUSPENDED = "grant_suspended"
    GRANT_REINSTATED = "grant_reinstated"
    GRANT_REVOKED = "grant_revoked"
    TERMS_CHANGED = "terms_changed"


@dataclass(frozen=True, slots=True)
class ToPerson:
    """One person by id, who may be still to come (a registrant) or nobody at all."""

    person_id: PersonId


@dataclass(frozen=True, slots=True)
class ToLead:
    """The lead of an application."""

    application_id: ApplicationId


@dataclass(frozen=True, slots=True)
class ToAssignee:
    """Who works on the application; nobody when nobody does."""

    application_id: ApplicationId


@dataclass(frozen=True, slots=True)
class ToDesk:
    """Who works on the application; of a message by its lead, the team while nobody does."""

    application_id: ApplicationId
    author_id: PersonId | None
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class ToTeam:
    """Those with one of the roles around the application's models."""

    application_id: ApplicationId
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class ToAcceptors:
    """Everybody who accepted an earlier version of the agreement."""

    agreement_id: AgreementId


Recipient = ToPerson | ToLead | ToAssignee | ToDesk | ToTeam | ToAcceptors


@dataclass(frozen=True, slots=True)
class Notice:
    """One mail owed: `page` is an address path on this site, `about` the object's id."""

    kind: NoticeKind
    to: Recipient
    page: str
    about: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One row that will not be tried again; `error` names neither address nor words."""

    id: int
    kind: NoticeKind
    person_id: PersonId
    owed_at: datetime
    tries: int
    error: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail, ready to leave."""

    to_address: str
    subject: str
    text: str
    html: str
    message_id: str
    at: datetime


_TEAM = frozenset({Role.HANDLER, Role.APPROVER})
_APPROVERS = frozenset({Role.APPROVER})
_K = NoticeKind


def owed(fact: facts.Fact) -> tuple[Notice, ...]:
    """Return the mails this fact owes; empty for most."""
    return (
        _owed_by_people(fact)
        or _owed_by_cases(fact)
        or _owed_by_decisions(fact)
        or _owed_by_grants(fact)
    )


def _owed_by_people(fact: facts.Fact) -> tuple[Notice, ...]:
    match fact:
        case persons.PersonRegistered(person_id=p):
            return (Notice(_K.VERIFY_ADDRESS, ToPerson(p), "/account", p),)
        case persons.PasswordSet(person_id=p):
            return (Notice(_K.PASSWORD_CHANGED, ToPerson(p), "/account", p),)
        case persons.PersonSuspended(person_id=p):
            return (Notice(_K.ACCOUNT_SUSPENDED, ToPerson(p), "/account", p),)
        case terms.AgreementPublished(agreement_id=a, change=c) if c is not Change.EDITORIAL:
            return (Notice(_K.TERMS_CHANGED, ToAcceptors(a), f"/agreements/{a}", a),)
    return ()


def _owed_by_cases(fact: facts.Fact) -> tuple[Notice, ...]:
    match fact:
        case cases.ApplicationSubmitted(application_id=a, awaits_review=awaits_review):
            received = Notice(_K.APPLICATION_RECEIVED, ToLead(a), f"/applications/{a}", a)
            waiting = Notice(_K.APPLICATION_WAITING, ToTeam(a, _TEAM), f"/review/{a}", a)
            return (received, waiting) if awaits_review else (received,)
        case cases.ApplicationWithdrawn(application_id=a):
            return (Notice(_K.APPLICATION_WITHDRAWN, ToAssignee(a), f"/review/{a}", a),)
        case cases.InformationRequested(application_id=a):
            return (Notice(_K.QUESTION_ASKED, ToLead(a), f"/applications/{a}", a),)
        case cases.MessagePosted(internal=False, application_id=a, author_id=author):
            return (
                Notice(_K.MESSAGE_POSTED, ToLead(a), f"/applications/{a}", a),
                Notice(_K.MESSAGE_POSTED, ToDesk(a, author, _TEAM), f"/review/{a}", a),
            )
    return ()


def _owed_by_decisions(fact: facts.Fact) -> tuple[Notice, ...]:
    match fact:
        case cases.ApplicationApprovedFirst(application_id=a):
            to = ToTeam(a, _APPROVERS)
            return (Notice(_K.SECOND_APPROVAL_WAITING, to, f"/review/{a}", a),)
        case cases.ApplicationReturned(application_id=a):
            return (Notice(_K.APPLICATION_RETURNED, ToAssignee(a), f"/review/{a}", a),)
        case cases.ApplicationRejected(application_id=a):
            return (Notice(_K.APPLICATION_REJECTED, ToLead(a), f"/applications/{a}", a),)
        case cases.ApplicationReopened(application_id=a):
            return (Notice(_K.APPLICATION_REOPENED, ToLead(a), f"/applications/{a}", a),)
    return ()


def _owed_by_grants(fact: facts.Fact) -> tuple[Notice, ...]:
    match fact:
        case rights.GrantCreated(state=GrantState.PENDING_TERMS, grant_id=g, person_id=p):
            return (Notice(_K.TERMS_WAITING, ToPerson(p), "/access", g),)
        case rights.GrantCreated(grant_id=g, person_id=p):
            return (Notice(_K.ACCESS_READY, ToPerson(p), "/access", g),)
        case rights.GrantActivated(grant_id=g, person_id=p):
            return (Notice(_K.ACCESS_READY, ToPerson(p), "/access", g),)
        case rights.GrantSuspended(grant_id=g, person_id=p):
            return (Notice(_K.GRANT_SUSPENDED, ToPerson(p), "/access", g),)
        case rights.GrantReinstated(grant_id=g, person_id=p):
            return (Notice(_K.GRANT_REINSTATED, ToPerson(p), "/access", g),)
        case rights.GrantRevoked(grant_id=g, person_id=p):
            return (Notice(_K.GRANT_REVOKED, ToPerson(p), "/access", g),)
    return ()
