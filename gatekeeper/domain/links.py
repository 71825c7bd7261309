"""The claim inside a signed link and when it holds; the link is disposable, the grant is the right.

Not here: signing (adapters/tokens_signed) and whether the holder may still fetch (access).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from gatekeeper.domain.catalogue import ModelId, RevisionId
from gatekeeper.domain.errors import BadLink
from gatekeeper.domain.people import PersonId

LinkId = NewType("LinkId", str)
GrantId = NewType("GrantId", str)

LEEWAY = timedelta(seconds=60)
MAX_TOKEN_CHARS = 512


class Purpose(StrEnum):
    """What a signed token is for; each purpose has its own salt, none is accepted as another."""

    DOWNLOAD = "download"
    VERIFY = "verify"
    RESET = "reset"
    FIRST_ADMIN = "first-admin"
    UPLOAD = "upload"
    XET = "xet"


class DeliveryMode(StrEnum):
    """Who sends a file's bytes once a request was allowed; the setting is `delivery.mode`."""

    DIRECT = "direct"
    X_ACCEL = "x-accel"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signed token says: id, whom it concerns, and the seconds (UTC) between which it holds.

    `subject` is a link id for downloads and a person id otherwise; `check` ties the token to a
    state that ends it early (the file's digest; the password's or the address's commitment; the
    access token that asked).
    """

    jti: str
    subject: str
    check: str
    not_before: int
    expires: int


@dataclass(frozen=True, slots=True)
class Link:
    """One issued link as the ledger knows it; the database decides every request from this row."""

    id: LinkId
    person_id: PersonId
    grant_id: GrantId | None
    model_id: ModelId
    revision_id: RevisionId
    path: str
    sha256: str
    issued_at: datetime
    expires_at: datetime


def check_times(claim: Claim, now: datetime) -> None:
    """Raise BadLink unless not_before - 60 s <= now < expires (clocks of two hosts may differ)."""
    seconds = now.timestamp()
    if seconds >= claim.expires:
        raise BadLink("this link has expired", expired=True)
    if seconds < claim.not_before - LEEWAY.total_seconds():
        raise BadLink("this link is not valid yet")
