"""The cast: ten people who stand in every relation to a model that matters.

Names, addresses and affiliations hold a canary, one a person: nobody but the person and those who
may read their case may ever be answered one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from gatekeeper import clock
from gatekeeper.domain.people import (
    OPERATOR,
    Actor,
    ActorKind,
    Context,
    PersonId,
    Role,
    Scope,
    SiteRole,
    TokenId,
)
from gatekeeper.services import members, registration, tokens
from gatekeeper.services.ports import House

NAMESPACE = "northfield"
PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True)
class Member:
    """One of the cast: `actor` is a browser session, `bearer` the access token `token`."""

    key: str
    id: PersonId
    email: str
    username: str
    name: str
    affiliation: str
    canary: str
    token: str
    token_id: TokenId
    scope: Scope
    password: str = PASSWORD

    @property
    def actor(self) -> Actor:
        """The person in a browser session."""
        return Actor(ActorKind.PERSON, self.id)

    @property
    def bearer(self) -> Actor:
        """The person through the access token."""
        return Actor(ActorKind.PERSON, self.id, self.scope, self.token_id)

    @property
    def headers(self) -> dict[str, str]:
        """The header that makes a request the bearer's."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, slots=True)
class Cast:
    """Who holds what is told in tests/builders.furnish."""

    owner: Member
    handler: Member
    approver: Member
    approver2: Member
    compliance: Member
    admin: Member
    researcher: Member
    applicant: Member
    pending: Member
    stranger: Member

    def __iter__(self) -> Iterator[Member]:
        """Go through everybody."""
        return (getattr(self, field.name) for field in fields(self))

    def __getitem__(self, key: str) -> Member:
        """Return one by key."""
        member: Member = getattr(self, key)
        return member


def context(actor: Actor = OPERATOR, now: datetime | None = None) -> Context:
    """Make the Context of one act, now or at a given moment."""
    return Context(actor, now or clock.read_clock(), os.urandom, "test")


def moment(text: str) -> datetime:
    """Read `2026-01-31T12:00` as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_ROLES = {
    "owner": (Role.OWNER,),
    "handler": (Role.HANDLER,),
    "approver": (Role.APPROVER,),
    "approver2": (Role.APPROVER,),
}
_SITE_ROLES = {"compliance": SiteRole.COMPLIANCE, "admin": SiteRole.ADMIN}
_SCOPES = {
    "owner": Scope.WRITE,
    "handler": Scope.REVIEW,
    "approver": Scope.REVIEW,
    "approver2": Scope.REVIEW,
    "compliance": Scope.REVIEW,
    "admin": Scope.ADMIN,
}


def hire(house: House, namespace: str = NAMESPACE) -> Cast:
    """Register the cast and give the staff their roles; the namespace must exist."""
    return Cast(**{field.name: hire_one(house, field.name, namespace) for field in fields(Cast)})


def hire_one(house: House, key: str, namespace: str = NAMESPACE) -> Member:
    """Register one person, of the cast or beyond it, on a mail domain of their own."""
    canary = f"zqperson{key}zq"
    email = f"{canary}@{key}.example"
    name = f"{key.title()} {canary.title()}"
    typed = registration.Registration(email, f"{key}-user", name, f"Institute {canary}", PASSWORD)
    person_id = registration.create_person(
        house, context(), typed, verified=key != "stranger", role=_SITE_ROLES.get(key)
    )
    for role in _ROLES.get(key, ()):
        members.set_role(house, context(), namespace, email, role, remove=False)
    scope = _SCOPES.get(key, Scope.READ)
    token, text = tokens.create(house, context(), person_id, "tests", scope, 30)
    return Member(
        key=key,
        id=person_id,
        email=email,
        username=typed.username,
        name=name,
        affiliation=typed.affiliation,
        canary=canary,
        token=text,
        token_id=token.id,
        scope=scope,
    )
