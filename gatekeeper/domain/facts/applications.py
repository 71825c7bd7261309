"""What happens to an application; drafts are not facts until they are submitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from gatekeeper.domain.applications import ApplicationId, Outcome, RejectReason
from gatekeeper.domain.catalogue import ModelId
from gatekeeper.domain.people import PersonId
from gatekeeper.domain.sealed import Sealed


@dataclass(frozen=True, slots=True)
class ApplicationSubmitted:
    """The lead sealed the answers and sent them, first or again; `form_sha256` names the form.

    Where no tier of its models asks a person to decide, it does not await a review.
    """

    application_id: ApplicationId
    person_id: PersonId
    models: tuple[ModelId, ...]
    form_sha256: str | None
    purpose: Sealed
    answers: Sealed
    public_summary: Sealed
    awaits_review: bool


@dataclass(frozen=True, slots=True)
class ApplicationWithdrawn:
    """The lead took the application back."""

    application_id: ApplicationId
    person_id: PersonId


@dataclass(frozen=True, slots=True)
class ApplicationClaimed:
    """A member of staff works on the case; a claim is an assignee, not a lock."""

    application_id: ApplicationId
    assignee_id: PersonId


@dataclass(frozen=True, slots=True)
class InformationRequested:
    """Staff asked the lead a question (a message of the thread); the clock is paused."""

    application_id: ApplicationId
    message_id: str
    author_id: PersonId
    text: Sealed
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MessagePosted:
    """Somebody wrote in the thread; `internal` notes are for staff alone."""

    application_id: ApplicationId
    message_id: str
    author_id: PersonId | None
    text: Sealed
    internal: bool


@dataclass(frozen=True, slots=True)
class ApplicationApprovedFirst:
    """The first of two approvers approved until `ends_on`."""

    application_id: ApplicationId
    approver_id: PersonId
    ends_on: date
    override: bool
    message_id: str | None
    text: Sealed | None


@dataclass(frozen=True, slots=True)
class ApplicationApproved:
    """The application is approved until `ends_on`; grants follow in the same act."""

    application_id: ApplicationId
    approver_id: PersonId
    ends_on: date
    override: bool
    message_id: str | None
    text: Sealed | None


@dataclass(frozen=True, slots=True)
class ApplicationAutoApproved:
    """The tier asks no person to decide and every condition was met at submission."""

    application_id: ApplicationId
    ends_on: date


@dataclass(frozen=True, slots=True)
class ApplicationReturned:
    """The second approver sent the case back to review, with a note for staff."""

    application_id: ApplicationId
    approver_id: PersonId
    message_id: str
    text: Sealed


@dataclass(frozen=True, slots=True)
class ApplicationRejected:
    """The application was refused for a coded reason, with a way back."""

    application_id: ApplicationId
    approver_id: PersonId
    reason: RejectReason
    outcome: Outcome
    after_on: date | None
    message_id: str
    text: Sealed


@dataclass(frozen=True, slots=True)
class ApplicationReopened:
    """A decided case is in review again, to be decided from the start; what it gave has ended."""

    application_id: ApplicationId
    approver_id: PersonId
    message_id: str
    text: Sealed


ApplicationFact = (
    ApplicationSubmitted
    | ApplicationWithdrawn
    | ApplicationClaimed
    | InformationRequested
    | MessagePosted
    | ApplicationApprovedFirst
    | ApplicationApproved
    | ApplicationAutoApproved
    | ApplicationReturned
    | ApplicationRejected
    | ApplicationReopened
)
