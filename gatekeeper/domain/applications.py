"""The application's machine: a table of (command, state) with who may give it and where it leads.

Guards: G-ver (the version seen is the current one), G-role, G-conflict (no self-approval; same
non-public mail domain asks for an override note), G-two (the second approver is another person).
No timer and no rule here ever grants without a decision. Source: governance.md 3.4.
Not here: forms and their validation (forms), what a grant is (grants).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NewType

from gatekeeper.domain.catalogue import ModelId
from gatekeeper.domain.errors import Conflict, NotAllowed, invalid
from gatekeeper.domain.people import Person, PersonId

ApplicationId = NewType("ApplicationId", str)


class ApplicationState(StrEnum):
    """Where an application stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    INFO_REQUESTED = "info_requested"
    SECOND_APPROVAL = "second_approval"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


OPEN_STATES = frozenset(
    {
        ApplicationState.SUBMITTED,
        ApplicationState.IN_REVIEW,
        ApplicationState.INFO_REQUESTED,
        ApplicationState.SECOND_APPROVAL,
    }
)


class Command(StrEnum):
    """What can be asked of an application once it exists."""

    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    CLAIM = "claim"
    ASK = "ask"
    MESSAGE = "message"
    NOTE = "note"
    APPROVE = "approve"
    RETURN = "return"
    REJECT = "reject"
    REOPEN = "reopen"


class Hat(StrEnum):
    """What a person is towards one application."""

    LEAD = "lead"
    HANDLER = "handler"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    COMPLIANCE = "compliance"


class RejectReason(StrEnum):
    """Why an application was refused (interface.md, Reason enums)."""

    INCOMPLETE = "incomplete"
    PURPOSE_UNCLEAR = "purpose_unclear"
    IDENTITY_UNCONFIRMED = "identity_unconfirmed"
    SPONSOR_DENIED = "sponsor_denied"
    OUT_OF_SCOPE = "out_of_scope"
    OPEN_MODEL_SUFFICES = "open_model_suffices"
    REGION_RULE = "region_rule"
    TERMS_CONFLICT = "terms_conflict"
    EARLIER_BREACH = "earlier_breach"
    DUPLICATE = "duplicate"


class Outcome(StrEnum):
    """The way back after a refusal; `after` carries a date."""

    FIXABLE = "fixable"
    AFTER = "after"
    APPEALABLE = "appealable"
    FINAL = "final"


_S, _C, _H = ApplicationState, Command, Hat
_STAFF = frozenset({_H.HANDLER, _H.APPROVER})
_LEAD, _APPROVER = frozenset({_H.LEAD}), frozenset({_H.APPROVER})
_READERS = frozenset({_H.HANDLER, _H.REVIEWER, _H.APPROVER, _H.COMPLIANCE})

# (command, state) -> who may give it. What it leads to stands beside each fact in `after`.
TABLE: Mapping[tuple[Command, ApplicationState], frozenset[Hat]] = {
    (_C.SUBMIT, _S.DRAFT): _LEAD,
    (_C.SUBMIT, _S.INFO_REQUESTED): _LEAD,
    (_C.WITHDRAW, _S.DRAFT): _LEAD,
    (_C.WITHDRAW, _S.SUBMITTED): _LEAD,
    (_C.WITHDRAW, _S.IN_REVIEW): _LEAD,
    (_C.WITHDRAW, _S.INFO_REQUESTED): _LEAD,
    (_C.WITHDRAW, _S.SECOND_APPROVAL): _LEAD,
    (_C.CLAIM, _S.SUBMITTED): _STAFF,
    (_C.CLAIM, _S.IN_REVIEW): _STAFF,
    (_C.CLAIM, _S.SECOND_APPROVAL): _STAFF,
    (_C.ASK, _S.SUBMITTED): _STAFF,
    (_C.ASK, _S.IN_REVIEW): _STAFF,
    (_C.APPROVE, _S.SUBMITTED): _APPROVER,
    (_C.APPROVE, _S.IN_REVIEW): _APPROVER,
    (_C.APPROVE, _S.SECOND_APPROVAL): _APPROVER,
    (_C.RETURN, _S.SECOND_APPROVAL): _APPROVER,
    (_C.REJECT, _S.SUBMITTED): _APPROVER,
    (_C.REJECT, _S.IN_REVIEW): _APPROVER,
    (_C.REJECT, _S.SECOND_APPROVAL): _APPROVER,
    (_C.REOPEN, _S.APPROVED): _APPROVER,
    (_C.REOPEN, _S.REJECTED): _APPROVER,
    **{(_C.MESSAGE, s): _LEAD | _STAFF for s in _S if s is not _S.DRAFT},
    **{(_C.NOTE, s): _READERS for s in _S if s is not _S.DRAFT},
}


@dataclass(frozen=True, slots=True)
class Application:
    """A case as rules and pages need it; erased texts are empty strings."""

    id: ApplicationId
    lead_id: PersonId
    models: tuple[ModelId, ...]
    state: ApplicationState
    version: int
    assignee_id: PersonId | None
    form_sha256: str | None
    purpose: str
    answers: Mapping[str, str]
    public_summary: str
    first_approver_id: PersonId | None
    proposed_ends_on: date | None
    reject_reason: RejectReason | None
    outcome: Outcome | None
    after_on: date | None
    submitted_at: datetime | None
    changed_at: datetime

    @property
    def is_open(self) -> bool:
        """Say whether somebody still has to act on it."""
        return self.state in OPEN_STATES


@dataclass(frozen=True, slots=True)
class Draft:
    """An application that was not submitted (or is being changed after a question)."""

    application_id: ApplicationId
    lead_id: PersonId
    models: tuple[ModelId, ...]
    purpose: str
    answers: Mapping[str, str]
    public_summary: str
    version: int
    created_at: datetime
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the thread; `author_id` is None for the server itself."""

    id: str
    author_id: PersonId | None
    text: str
    internal: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which cases a queue shows; None means any. `namespaces` None means the whole site."""

    namespaces: Collection[str] | None = None
    states: Collection[ApplicationState] = tuple(OPEN_STATES)
    assignee_id: PersonId | None = None
    unassigned: bool = False
    model_id: ModelId | None = None
    submitted_before: datetime | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Decider:
    """Who gives a command: the person, their hats, and the note that overrides a shared domain."""

    person: Person
    hats: frozenset[Hat]
    override_note: str = ""


def check_command(command: Command, application: Application, hats: frozenset[Hat]) -> None:
    """Refuse a command the table does not allow: NotAllowed by role, Conflict by state."""
    if not hats & _allowed_anywhere(command):
        raise NotAllowed("G-role", f"you have no role here that may {command} an application")
    allowed = TABLE.get((command, application.state))
    if allowed is None:
        raise Conflict(
            f"an application that is {application.state} cannot be asked to {command}",
            state=application.state,
            version=application.version,
        )
    if not hats & allowed:
        raise NotAllowed("G-role", f"you may not {command} while it is {application.state}")


def commands_for(application: Application, hats: frozenset[Hat]) -> frozenset[Command]:
    """Return what somebody with these hats may ask of it now."""
    return frozenset(
        command
        for (command, state), allowed in TABLE.items()
        if state is application.state and hats & allowed
    )


def check_version(application: Application, seen: int) -> None:
    """Raise Conflict unless the version the person saw is the current one (G-ver)."""
    if seen != application.version:
        raise Conflict(
            f"this application changed since you opened it: it is {application.state} now",
            state=application.state,
            version=application.version,
        )


def check_conflict_of_interest(
    lead: Person, decider: Decider, public_domains: frozenset[str]
) -> bool:
    """Refuse to decide one's own case; return whether an override note was needed and given.

    Raises: NotAllowed (G-conflict) for the lead, Invalid when both use one non-public mail domain
    and no note explains why that is no conflict.
    """
    if decider.person.id == lead.id:
        raise NotAllowed("G-conflict", "nobody decides their own application")
    if not share_domain(lead, decider.person, public_domains):
        return False
    if not decider.override_note.strip():
        raise invalid(
            "override_note",
            f"you and the applicant share {lead.mail_domain}: say why this is no conflict",
        )
    return True


def share_domain(lead: Person, decider: Person, public_domains: frozenset[str]) -> bool:
    """Say whether both use one mail domain that is not a public provider's."""
    shared = decider.mail_domain == lead.mail_domain
    return shared and bool(lead.mail_domain) and lead.mail_domain not in public_domains


def check_second_approver(application: Application, decider: Decider) -> None:
    """Refuse the same person twice (G-two)."""
    if application.first_approver_id == decider.person.id:
        raise NotAllowed("G-two", "you gave the first approval; another person gives the second")


def check_end(ends_on: date, today: date, longest_days: int) -> None:
    """Raise Invalid unless tomorrow <= ends_on <= today + longest_days."""
    days = (ends_on - today).days
    if not 1 <= days <= longest_days:
        raise invalid("ends_on", f"choose a day from tomorrow to {longest_days} days ahead")


def check_way_back(outcome: Outcome, after_on: date | None, today: date) -> None:
    """Raise Invalid unless `after` and only `after` names a later day."""
    if (outcome is Outcome.AFTER) != (after_on is not None):
        raise invalid("outcome", "give a day with 'after', and only with it")
    if after_on is not None and after_on <= today:
        raise invalid("outcome", "the day to re-apply after must lie ahead")


def check_newest(application: Application, newest: Collection[Application]) -> None:
    """Refuse to reopen what a later application replaced; raises Conflict."""
    for later in newest:
        if later.id != application.id:
            raise Conflict(
                f"a later application, {later.id}, took its place and is {later.state}",
                state=application.state,
                version=application.version,
            )


def may_reapply(rejected: Application, today: date) -> bool:
    """Say whether a refusal leaves the way back open today."""
    match rejected.outcome:
        case Outcome.FIXABLE | Outcome.APPEALABLE | None:
            return True
        case Outcome.AFTER:
            return rejected.after_on is None or today > rejected.after_on
        case Outcome.FINAL:
            return False


def _allowed_anywhere(command: Command) -> frozenset[Hat]:
    return frozenset(hat for (c, _), hats in TABLE.items() if c is command for hat in hats)
