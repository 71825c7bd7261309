"""People, what they may be, who acts and when; the shapes of usernames, passwords and tokens.

Not here: hashing of passwords (services/people), sessions (db/ephemeral), what a person may fetch
(access).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from gatekeeper.domain.errors import invalid
from gatekeeper.domain.sealed import Sealed, seal

PersonId = NewType("PersonId", str)
TokenId = NewType("TokenId", str)
EventId = NewType("EventId", str)


class SiteRole(StrEnum):
    """What a person may be for the whole site."""

    ADMIN = "admin"
    COMPLIANCE = "compliance"


class Role(StrEnum):
    """What a person may be in one namespace; roles add up and none implies another."""

    OWNER = "owner"
    PUBLISHER = "publisher"
    HANDLER = "handler"
    REVIEWER = "reviewer"
    APPROVER = "approver"


PUBLISHERS = frozenset({Role.OWNER, Role.PUBLISHER})


class Scope(StrEnum):
    """What an access token may do, never more than its owner (interface.md, Meanings)."""

    READ = "read"
    WRITE = "write"
    REVIEW = "review"
    ADMIN = "admin"


class ActorKind(StrEnum):
    """Who did it: a signed-in person, the person at the machine, the server itself, anybody."""

    PERSON = "person"
    OPERATOR = "operator"
    SYSTEM = "system"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and through what; `scope` is None for a session (no narrowing)."""

    kind: ActorKind
    person_id: PersonId | None = None
    scope: Scope | None = None
    token_id: TokenId | None = None

    @property
    def is_operator(self) -> bool:
        """Say whether the person at the machine acts."""
        return self.kind is ActorKind.OPERATOR


ANONYMOUS = Actor(ActorKind.ANONYMOUS)
OPERATOR = Actor(ActorKind.OPERATOR)
SYSTEM = Actor(ActorKind.SYSTEM)


@dataclass(frozen=True, slots=True)
class Context:
    """One act: who, when (read once, aware UTC) and where its fresh randomness comes from."""

    actor: Actor
    now: datetime
    fresh: Callable[[int], bytes]
    request_id: str = ""

    def new_id(self, prefix: str) -> str:
        """Return `prefix_` and 96 random bits in hex."""
        return f"{prefix}_{self.fresh(12).hex()}"

    def event_id(self) -> EventId:
        """Return 128 random bits in hex: the name of one fact."""
        return EventId(self.fresh(16).hex())

    def sealed(self, field: str, value: str) -> Sealed:
        """Seal personal data under a fresh salt."""
        return seal(field, value, self.fresh(32))


@dataclass(frozen=True, slots=True)
class Person:
    """An account as rules and pages need it; erased values are empty strings."""

    id: PersonId
    username: str
    email: str
    name: str
    affiliation: str
    verified_at: datetime | None
    suspended: bool
    site_roles: frozenset[SiteRole]
    created_at: datetime

    @property
    def is_verified(self) -> bool:
        """Say whether the address was proven."""
        return self.verified_at is not None

    @property
    def mail_domain(self) -> str:
        """Return the lower-case domain of the address."""
        return self.email.rpartition("@")[2].lower()


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token as its owner sees it; the secret is gone, `hint` is its last four characters."""

    id: TokenId
    person_id: PersonId
    name: str
    scope: Scope
    hint: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Say whether the token still opens anything."""
        return self.revoked_at is None and now < self.expires_at


_USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,37}[a-z0-9])?")
# First path segments that the site itself uses, now or by contract: never an owner's name.
RESERVED_NAMES = frozenset(
    [
        "about",
        "access",
        "account",
        "admin",
        "agreements",
        "api",
        "apply",
        "applications",
        "audit",
        "case",
        "cas",
        "collections",
        "d",
        "datasets",
        "dev",
        "device",
        "docs",
        "feed.atom",
        "feed",
        "healthz",
        "help",
        "hub",
        "login",
        "logout",
        "log",
        "me",
        "metrics",
        "models",
        "new",
        "oauth",
        "own",
        "organizations",
        "readyz",
        "register",
        "releases",
        "report",
        "reset",
        "resolve",
        "review",
        "robots.txt",
        "security",
        "settings",
        "sign-in",
        "sign-out",
        "spaces",
        "static",
        "stages.ics",
        "transparency",
        "v1",
        "verify",
        "well-known",
        ".well-known",
        "favicon.ico",
        "gatekeeper",
        "root",
        "system",
        "operator",
        "anonymous",
    ]
)


def check_owner_name(name: str, field: str = "username") -> str:
    """Return the name if an owner may bear it (1-39 of a-z 0-9 . _ -); raise Invalid otherwise."""
    if not _USERNAME.fullmatch(name) or "--" in name or ".." in name or name.endswith(".git"):
        raise invalid(
            field, "use 1 to 39 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
        )
    if name in RESERVED_NAMES:
        raise invalid(field, "this name is reserved by the site; choose another")
    return name


def check_person_name(name: str) -> str:
    """Return a trimmed full name of 1 to 120 printable characters; raise Invalid otherwise."""
    trimmed = " ".join(name.split())
    if not 1 <= len(trimmed) <= 120 or not trimmed.isprintable():
        raise invalid("name", "type your full name, up to 120 characters")
    return trimmed


def check_password(password: str, *personal: str) -> None:
    """Raise Invalid unless 10 to 256 characters that are not the address or the name."""
    if not 10 <= len(password) <= 256:
        raise invalid("password", "use 10 to 256 characters; a few plain words do well")
    if password.lower() in {p.lower() for p in personal if p} or len(set(password)) < 4:
        raise invalid("password", "this is too easy to guess; a few plain words do well")


_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(r"gk_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits.append(_BASE62[rest])
    return "".join(reversed(digits))


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), 6)


def write_token(secret: bytes) -> str:
    """Write 32 random bytes as `gk_` + 43 base62 digits + 6 of CRC-32, for secret scanners."""
    body = _base62(int.from_bytes(secret, "big"), 43)
    return f"gk_{body}{_checksum(body)}"


def is_token_shaped(text: str) -> bool:
    """Say whether the text is a token of ours by its checksum (no look-up needed to refuse)."""
    match = _TOKEN.fullmatch(text)
    return match is not None and _checksum(match[1]) == match[2]
