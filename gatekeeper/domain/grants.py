"""The grant's machine: the right of one person to fetch given models from start to end.

The end is decided by comparing with now; nothing sweeps. Source: governance.md 3.4, Grant.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from gatekeeper.domain.applications import ApplicationId, Decider, Hat, share_domain
from gatekeeper.domain.catalogue import AgreementId, Availability, Model, ModelId
from gatekeeper.domain.errors import Conflict, NotAllowed
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import EventId, Person, PersonId
from gatekeeper.domain.tiers import Requirement


class GrantState(StrEnum):
    """Where a grant stands; `expired` follows from the clock and is never stored."""

    PENDING_TERMS = "pending_terms"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    REVOKED = "revoked"
    RELINQUISHED = "relinquished"
    SUPERSEDED = "superseded"


class GrantCommand(StrEnum):
    """What can be asked of a grant."""

    ACTIVATE = "activate"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    REVOKE = "revoke"
    RELINQUISH = "relinquish"


class GrantHat(StrEnum):
    """What somebody is towards one grant."""

    HOLDER = "holder"
    HANDLER = "handler"
    APPROVER = "approver"
    COMPLIANCE = "compliance"
    OPERATOR = "operator"
    SYSTEM = "system"


class EndReason(StrEnum):
    """Why a grant was revoked or suspended (interface.md, Reason enums)."""

    MISUSE = "misuse"
    LEAK = "leak"
    FALSE_STATEMENT = "false_statement"
    ERROR = "error"
    HOLDER_REQUEST = "holder_request"
    TERMS_OUTDATED = "terms_outdated"
    IDENTITY_LAPSED = "identity_lapsed"


# What was given and neither ended nor stopped, whether or not the holder accepted the terms yet.
HELD = frozenset({GrantState.ACTIVE, GrantState.PENDING_TERMS})

_S, _C, _H = GrantState, GrantCommand, GrantHat
_STOPPERS = frozenset({_H.HANDLER, _H.APPROVER, _H.COMPLIANCE, _H.OPERATOR})
_ENDERS = frozenset({_H.APPROVER, _H.COMPLIANCE, _H.OPERATOR})
_HOLDER, _SYSTEM = frozenset({_H.HOLDER}), frozenset({_H.SYSTEM})

# (command, state) -> (who may give it, where it leads)
TABLE: Mapping[tuple[GrantCommand, GrantState], tuple[frozenset[GrantHat], GrantState]] = {
    (_C.ACTIVATE, _S.PENDING_TERMS): (_SYSTEM, _S.ACTIVE),
    (_C.SUSPEND, _S.ACTIVE): (_STOPPERS, _S.SUSPENDED),
    (_C.REINSTATE, _S.SUSPENDED): (_STOPPERS, _S.ACTIVE),
    (_C.REVOKE, _S.PENDING_TERMS): (_ENDERS, _S.REVOKED),
    (_C.REVOKE, _S.ACTIVE): (_ENDERS, _S.REVOKED),
    (_C.REVOKE, _S.SUSPENDED): (_ENDERS, _S.REVOKED),
    (_C.RELINQUISH, _S.ACTIVE): (_HOLDER, _S.RELINQUISHED),
    (_C.RELINQUISH, _S.SUSPENDED): (_HOLDER, _S.RELINQUISHED),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant as stored; `sound` says whether the row's own HMAC held when it was read."""

    id: GrantId
    person_id: PersonId
    models: tuple[ModelId, ...]
    stored_state: GrantState
    starts_at: datetime
    ends_at: datetime
    application_id: ApplicationId | None
    agreement_id: AgreementId | None
    reason: EndReason | None
    event_id: EventId
    sound: bool
    changed_at: datetime
    note: str = ""  # what the holder was told with the last stop or reinstatement

    @property
    def last_day(self) -> date:
        """The last day of the grant: it ends at the midnight after it (UTC)."""
        return (self.ends_at - timedelta(microseconds=1)).date()

    def state(self, now: datetime) -> GrantState:
        """Return where the grant stands at `now`: a live one past its end is expired."""
        return (
            GrantState.EXPIRED
            if self.stored_state in HELD and now >= self.ends_at
            else self.stored_state
        )

    def opens(self, now: datetime) -> bool:
        """Say whether the right is in force at `now` and the row is the one we wrote."""
        return self.sound and self.starts_at <= now and self.state(now) is GrantState.ACTIVE


@dataclass(frozen=True, slots=True)
class GrantFilter:
    """Which grants; None means any. `own_of` adds that person's own ones to the `namespaces`."""

    own_of: PersonId
    namespaces: Collection[str] | None
    person_id: PersonId | None = None
    model_id: ModelId | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 100


def check_grant_command(
    command: GrantCommand, grant: Grant, hats: frozenset[GrantHat], now: datetime
) -> None:
    """Refuse a command the table does not allow: NotAllowed by role, Conflict by state."""
    anywhere = {h for (c, _), (who, _) in TABLE.items() if c is command for h in who}
    if not hats & anywhere:
        raise NotAllowed("G-role", f"you have no role here that may {command} a grant")
    state = grant.state(now)
    if (command, state) not in TABLE:
        raise Conflict(f"a grant that is {state} cannot be asked to {command}", state=state)
    if not hats & TABLE[command, state][0]:
        raise NotAllowed("G-role", f"you may not {command} this grant")


def is_revocable(grant: Grant, now: datetime) -> bool:
    """Say whether there is something left to revoke at `now`."""
    return (GrantCommand.REVOKE, grant.state(now)) in TABLE


def check_gift(
    giver: Decider, holder: Person, model: Model, public_domains: frozenset[str]
) -> None:
    """Refuse access that is given without an application, unless one approver may decide it.

    Raises: NotAllowed (G-role, G-conflict, G-open, G-two, G-tier, G-block). Where both use one mail
    domain an application is needed, for the note that says why this is no conflict.
    """
    name, who = model.full_name, holder.username
    shared = share_domain(holder, giver.person, public_domains)
    for guard, is_refused, words in (
        ("G-role", Hat.APPROVER not in giver.hats, f"only an approver grants access to {name}"),
        ("G-conflict", giver.person.id == holder.id, "nobody grants access to themselves"),
        ("G-conflict", shared, f"you and {who} share {holder.mail_domain}: let them apply"),
        ("G-open", model.tier.needs(Requirement.NOT_DISTRIBUTED), f"{name} is not distributed"),
        ("G-open", model.availability is not Availability.PUBLISHED, f"{name} is not given out"),
        ("G-two", model.tier.approvals > 1, f"two approvers decide about {name}: let {who} apply"),
        ("G-tier", not holder.is_verified, f"{who} has not verified their address"),
        ("G-block", holder.suspended, f"the account of {who} is suspended"),
    ):
        if is_refused:
            raise NotAllowed(guard, words)


def grant_commands(
    grant: Grant, hats: frozenset[GrantHat], now: datetime
) -> frozenset[GrantCommand]:
    """Return what somebody with these hats may ask of the grant at `now`."""
    state = grant.state(now)
    return frozenset(c for (c, s), (who, _) in TABLE.items() if s is state and hats & who)
