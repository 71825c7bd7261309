"""Domain values for the unit room: one of everything, each changed by keyword."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gatekeeper.domain.applications import Application, ApplicationId, ApplicationState
from gatekeeper.domain.catalogue import (
    AgreementId,
    Availability,
    Model,
    ModelId,
    ReleaseId,
    Visibility,
)
from gatekeeper.domain.grants import Grant, GrantState
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import EventId, Person, PersonId, SiteRole
from gatekeeper.domain.tiers import read_tiers

NOW = datetime(2026, 6, 15, 12, 30, 15, 250_000, UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
TERMS = AgreementId("research-use")
TIERS = read_tiers(tomllib.loads((Path(__file__).parents[2] / "config" / "tiers.toml").read_text()))


def person(**changed: Any) -> Person:
    """Make a verified person without any role."""
    values: dict[str, Any] = {
        "id": PersonId("per_1"),
        "username": "amara",
        "email": "amara@uni.example",
        "name": "Amara Osei",
        "affiliation": "",
        "verified_at": NOW - 30 * DAY,
        "suspended": False,
        "site_roles": frozenset[SiteRole](),
        "created_at": NOW - 30 * DAY,
    }
    return Person(**values | changed)


def model(tier: str = "T3", **changed: Any) -> Model:
    """Make a public model; one of a reviewed tier has a form, one with terms asks them."""
    asks = TIERS[tier].needs("agreements")  # type: ignore[arg-type]  # a StrEnum's value
    values: dict[str, Any] = {
        "id": ModelId("mod_1"),
        "namespace": "northfield",
        "name": f"lyra-{tier.lower()}",
        "title": "Lyra",
        "release_id": ReleaseId("rel_1"),
        "release_name": "lyra",
        "tier": TIERS[tier],
        "visibility": Visibility.PUBLIC,
        "availability": Availability.PUBLISHED,
        "agreements": (TERMS,) if asks and tier != "T1" else (),
        "form_sha256": "f" * 64 if TIERS[tier].is_reviewed else None,
        "open_files": frozenset[str](),
        "created_at": NOW - 60 * DAY,
        "changed_at": NOW - 60 * DAY,
    }
    return Model(**values | changed)


def grant(state: GrantState = GrantState.ACTIVE, **changed: Any) -> Grant:
    """Make a sound grant that began ten days ago and lasts ten more."""
    values: dict[str, Any] = {
        "id": GrantId("gr_1"),
        "person_id": PersonId("per_1"),
        "models": (ModelId("mod_1"),),
        "stored_state": state,
        "starts_at": NOW - 10 * DAY,
        "ends_at": NOW + 10 * DAY,
        "application_id": None,
        "agreement_id": None,
        "reason": None,
        "event_id": EventId("e" * 32),
        "sound": True,
        "changed_at": NOW - 10 * DAY,
    }
    return Grant(**values | changed)


def application(
    state: ApplicationState = ApplicationState.SUBMITTED, **changed: Any
) -> Application:
    """Make an application of the person for the model."""
    values: dict[str, Any] = {
        "id": ApplicationId("GK-1234567"),
        "lead_id": PersonId("per_1"),
        "models": (ModelId("mod_1"),),
        "state": state,
        "version": 3,
        "assignee_id": None,
        "form_sha256": "f" * 64,
        "purpose": "study",
        "answers": {},
        "public_summary": "",
        "first_approver_id": None,
        "proposed_ends_on": None,
        "reject_reason": None,
        "outcome": None,
        "after_on": None,
        "submitted_at": NOW - 5 * DAY,
        "changed_at": NOW - 5 * DAY,
    }
    return Application(**values | changed)
