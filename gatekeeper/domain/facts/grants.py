"""What happens to grants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gatekeeper.domain.applications import ApplicationId
from gatekeeper.domain.catalogue import AgreementId, ModelId
from gatekeeper.domain.grants import EndReason, GrantState
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import PersonId
from gatekeeper.domain.sealed import Sealed


@dataclass(frozen=True, slots=True)
class GrantCreated:
    """A person may fetch the models from start to end, by one application or agreement.

    By neither where an approver gave it unasked: who records it is who gave it.
    """

    grant_id: GrantId
    person_id: PersonId
    models: tuple[ModelId, ...]
    state: GrantState
    starts_at: datetime
    ends_at: datetime
    application_id: ApplicationId | None
    agreement_id: AgreementId | None


@dataclass(frozen=True, slots=True)
class GrantActivated:
    """The person's terms are complete; the grant opens its models."""

    grant_id: GrantId
    person_id: PersonId


@dataclass(frozen=True, slots=True)
class GrantSuspended:
    """The grant opens nothing until it is reinstated."""

    grant_id: GrantId
    person_id: PersonId
    reason: EndReason
    note: Sealed


@dataclass(frozen=True, slots=True)
class GrantReinstated:
    """The grant opens its models again."""

    grant_id: GrantId
    person_id: PersonId
    note: Sealed


@dataclass(frozen=True, slots=True)
class GrantRevoked:
    """The grant has ended for good; links made from it are dead."""

    grant_id: GrantId
    person_id: PersonId
    reason: EndReason
    note: Sealed


@dataclass(frozen=True, slots=True)
class GrantRelinquished:
    """The holder gave the grant back."""

    grant_id: GrantId
    person_id: PersonId


GrantFact = (
    GrantCreated
    | GrantActivated
    | GrantSuspended
    | GrantReinstated
    | GrantRevoked
    | GrantRelinquished
)
