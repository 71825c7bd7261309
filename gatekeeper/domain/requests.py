"""A person's request for one model as the Hub speaks of it: pending, accepted or rejected.

It is folded from applications and grants and stored nowhere. It shows how things stand and finds
what is to be decided; it lets nobody in (access) and decides nothing (applications, grants).
Suspended, ended and given back are none of the three.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from gatekeeper.domain.access import application_leads
from gatekeeper.domain.applications import Application, ApplicationState
from gatekeeper.domain.catalogue import ModelId
from gatekeeper.domain.errors import Conflict, Invalid, NotFound
from gatekeeper.domain.grants import HELD, Grant, GrantState
from gatekeeper.domain.people import PersonId


class RequestStatus(StrEnum):
    """How a request stands; each is also what can be asked of one that stands otherwise."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class NoSuchPerson(NotFound):
    """Nobody has this username."""


class NoSuchRequest(NotFound):
    """This person has no request for the model, or it stands so already."""


class HasAccess(Conflict):
    """The person holds what is to be given."""


class NotGated(Invalid):
    """The model is given to everybody, or to every account: there is nothing to ask for."""


class RequestRow(NamedTuple):
    """An application or grant by which a person's request may stand where it was looked for."""

    person_id: PersonId
    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which rows: of one model and status, a part of the username, after an (at, id)."""

    model_id: ModelId
    status: RequestStatus
    now: datetime
    username: str = ""
    after: tuple[datetime, str] | None = None
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """How one person stands; `row_id` is the application or grant that says so.

    `grant` is what was given or revoked, None where a case alone says it. What nobody asked for
    counts as asked when it was given. `reviewed_at` of a refusal is when it last changed.
    """

    status: RequestStatus
    person_id: PersonId
    row_id: str
    asked_at: datetime
    reviewed_at: datetime | None
    application: Application | None
    grant: Grant | None = None

    @property
    def id(self) -> str:
        """The request's own name, as long as it lasts: its application's, or else the grant's."""
        return self.application.id if self.application is not None else self.row_id


def fold(
    applications: Collection[Application], grants: Collection[Grant], now: datetime
) -> AccessRequest | None:
    """Return how one person stands towards one model, of which all of these are; None: nowhere.

    What is held comes first, then the newest application, then a grant that was revoked.
    """
    sound = sorted((g for g in grants if g.sound), key=lambda g: (g.starts_at, g.id))
    held = [g for g in sound if g.state(now) in HELD and g.starts_at <= now]
    if held:
        return _by_grant(RequestStatus.ACCEPTED, held[-1], held[-1].starts_at, applications)
    ended = sound[-1] if sound else None
    newest = max(applications, key=lambda a: (a.submitted_at or now, a.id), default=None)
    if newest is not None and application_leads(newest, ended):
        return _by_case(newest)
    if ended is not None and ended.state(now) is GrantState.REVOKED:
        return _by_grant(RequestStatus.REJECTED, ended, ended.changed_at, applications)
    return None


def _by_case(case: Application) -> AccessRequest | None:
    asked_at = case.submitted_at or case.changed_at
    if case.is_open:
        return AccessRequest(RequestStatus.PENDING, case.lead_id, case.id, asked_at, None, case)
    if case.state is not ApplicationState.REJECTED:
        return None
    status, reviewed_at = RequestStatus.REJECTED, case.changed_at
    return AccessRequest(status, case.lead_id, case.id, asked_at, reviewed_at, case)


def _by_grant(
    status: RequestStatus, grant: Grant, at: datetime, applications: Collection[Application]
) -> AccessRequest:
    case = next((a for a in applications if a.id == grant.application_id), None)
    asked_at = (case.submitted_at if case is not None else None) or grant.starts_at
    return AccessRequest(status, grant.person_id, grant.id, asked_at, at, case, grant)
