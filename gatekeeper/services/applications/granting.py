"""From an approved application to the grant of its lead, in the act of the approval."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.applications import ApplicationId
from gatekeeper.domain.catalogue import Model
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.facts import applications as f
from gatekeeper.domain.facts import grants as g
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import Context
from gatekeeper.services import grants


def longest_days(models: Sequence[Model]) -> int:
    """Return the shortest of the models' longest grants, in days."""
    return min(m.tier.grant_days for m in models)


def auto_approve(
    act: Act, ctx: Context, application_id: ApplicationId, models: Sequence[Model]
) -> None:
    """Record an approval no person decides; every condition was checked at submission."""
    ends_on = grants.end_of(ctx, longest_days(models)).date()
    act.record(f.ApplicationAutoApproved(application_id, ends_on))
    create_grant(act, ctx, application_id, ends_on)


def create_grant(act: Act, ctx: Context, application_id: ApplicationId, ends_on: date) -> None:
    """Record the grant of the lead: active, or waiting where a newer version of terms is due."""
    application = act.applications.by_id(application_id)
    lead = act.people.by_id(application.lead_id) if application is not None else None
    if application is None or lead is None:
        raise NotFound("no such application")
    act.record(
        g.GrantCreated(
            grant_id=GrantId(ctx.new_id("gr")),
            person_id=lead.id,
            models=application.models,
            state=grants.initial_state(act, lead, application.models),
            starts_at=ctx.now,
            ends_at=grants.end_of_day(ends_on),
            application_id=application_id,
            agreement_id=None,
        )
    )
