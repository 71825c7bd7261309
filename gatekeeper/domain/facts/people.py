"""What happens to people, their roles and their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gatekeeper.domain.people import PersonId, Role, Scope, SiteRole, TokenId
from gatekeeper.domain.sealed import Sealed


@dataclass(frozen=True, slots=True)
class PersonRegistered:
    """An account was made; its address is not proven yet."""

    person_id: PersonId
    username: Sealed
    email: Sealed
    name: Sealed
    affiliation: Sealed
    password: Sealed


@dataclass(frozen=True, slots=True)
class AddressVerified:
    """The person proved to read mail at the address behind `email` (its commitment)."""

    person_id: PersonId
    email: str


@dataclass(frozen=True, slots=True)
class PasswordSet:
    """A new password hash is in force; every session of the person has ended."""

    person_id: PersonId
    password: Sealed


@dataclass(frozen=True, slots=True)
class PersonSuspended:
    """The account opens nothing until it is reinstated; `note` says why, for staff."""

    person_id: PersonId
    note: Sealed


@dataclass(frozen=True, slots=True)
class PersonReinstated:
    """The account works again."""

    person_id: PersonId
    note: Sealed


@dataclass(frozen=True, slots=True)
class SiteRoleGiven:
    """The person has a role for the whole site."""

    person_id: PersonId
    role: SiteRole


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """The person has a role in a namespace."""

    namespace: str
    person_id: PersonId
    role: Role


@dataclass(frozen=True, slots=True)
class MemberRemoved:
    """The person no longer has the role in the namespace."""

    namespace: str
    person_id: PersonId
    role: Role


@dataclass(frozen=True, slots=True)
class TokenCreated:
    """An access token exists; `digest` is SHA-256 of its text, which is shown once and not kept."""

    token_id: TokenId
    person_id: PersonId
    name: Sealed
    scope: Scope
    digest: str
    hint: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """The token opens nothing any more."""

    token_id: TokenId
    person_id: PersonId


PeopleFact = (
    PersonRegistered
    | AddressVerified
    | PasswordSet
    | PersonSuspended
    | PersonReinstated
    | SiteRoleGiven
    | MemberAdded
    | MemberRemoved
    | TokenCreated
    | TokenRevoked
)
