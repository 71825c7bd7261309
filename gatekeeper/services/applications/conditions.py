"""What keeps an application from being begun or sent; each condition raises its own refusal.

Not here: the machine of states (domain/applications), saving and recording (drafts).
"""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.db.readers import Readers
from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.agreements import TermsState
from gatekeeper.domain.applications import Application, ApplicationState, Draft, may_reapply
from gatekeeper.domain.catalogue import Availability, Model
from gatekeeper.domain.errors import Conflict, FieldError, Invalid, NotFound, invalid
from gatekeeper.domain.forms import Form, check_answers, read_form
from gatekeeper.domain.grants import GrantState
from gatekeeper.domain.people import Context, Person
from gatekeeper.domain.tiers import Requirement
from gatekeeper.services import access
from gatekeeper.services.access import Judged
from gatekeeper.services.ports import House

MAX_MODELS = 10


def check_models(models: Sequence[Model]) -> None:
    """Refuse models that are not applied for: withheld, not distributed, or open without a form."""
    if not 1 <= len(models) <= MAX_MODELS:
        raise invalid("models", f"name 1 to {MAX_MODELS} models")
    for model in models:
        if model.tier.needs(Requirement.NOT_DISTRIBUTED):
            raise Refused(Reason.MODEL_WITHHELD, model=model.full_name)
        if model.availability is not Availability.PUBLISHED:
            raise Refused(Reason.RELEASE_FROZEN, model=model.full_name)
        if not model.tier.is_reviewed and model.form_sha256 is None:
            raise invalid("models", f"{model.full_name} needs no application")


def check_one_form(models: Sequence[Model]) -> None:
    """Refuse models of several owners or forms in one application; raises Invalid."""
    if len({m.namespace for m in models}) > 1 or len({m.form_sha256 for m in models}) > 1:
        raise invalid("models", "apply apart for models of other owners or with other forms")


def check_submission(
    house: House,
    act: Act,
    ctx: Context,
    person: Person,
    models: Sequence[Model],
    draft: Draft,
    application: Application | None,
) -> None:
    """Refuse to send a draft until everything its models ask is there (G-tier, G-one, G-terms)."""
    if not person.is_verified:
        raise Refused(Reason.EMAIL_UNVERIFIED)
    if person.suspended:
        raise Refused(Reason.BLOCKLISTED)
    if len(models) != len(draft.models):
        raise NotFound("no such model")
    check_models(models)
    if application is None:
        check_one_form(models)
    seen = access.visible(act, person, models, ctx.now)
    if len(seen) != len(models):
        raise NotFound("no such model")
    for judged in seen:
        _check_one_open(ctx, judged, application)
    _check_form(house, draft, forms_of(act, models, application))
    for judged in seen:
        _check_terms(judged)


def _check_one_open(ctx: Context, judged: Judged, application: Application | None) -> None:
    """One open application a person and model, none while access lasts, and a way back (G-one)."""
    model, newest = judged.model, judged.standing.application
    if newest is not None and (application is None or newest.id != application.id):
        if newest.is_open:
            raise Conflict(
                f"{newest.id} for {model.full_name} is open already",
                state=newest.state,
                version=newest.version,
            )
        refused = newest.state is ApplicationState.REJECTED
        if refused and not may_reapply(newest, ctx.now.date()):
            raise Refused(Reason.REJECTED, model=model.full_name, application_id=newest.id)
    if any(grant.opens(ctx.now) for grant in judged.standing.grants):
        raise invalid("models", f"you hold access to {model.full_name} already")
    _check_not_taken_away(ctx, judged)


def _check_not_taken_away(ctx: Context, judged: Judged) -> None:
    """Refuse what would give back by itself what a person took: only a person gives it again."""
    states = {grant.state(ctx.now) for grant in judged.standing.grants}
    if GrantState.SUSPENDED in states:
        raise Refused(Reason.GRANT_SUSPENDED, model=judged.model.full_name)
    if GrantState.REVOKED in states and not judged.model.tier.is_reviewed:
        raise Refused(Reason.GRANT_REVOKED, model=judged.model.full_name)


def _check_form(house: House, draft: Draft, form: Form | None) -> None:
    errors = []
    if not draft.purpose.strip():
        errors.append(FieldError("purpose", "say what you will use it for"))
    countries = frozenset(house.policy.countries)
    errors += check_answers(form.fields if form is not None else (), draft.answers, countries)
    if errors:
        raise Invalid(*errors)


def _check_terms(judged: Judged) -> None:
    states = set((judged.standing.terms or {}).values())
    for state, reason in (
        (TermsState.OUTDATED, Reason.TERMS_OUTDATED),
        (TermsState.MISSING, Reason.TERMS_MISSING),
    ):
        if state in states:
            raise Refused(reason, model=judged.model.full_name)


def forms_of(
    read: Readers, models: Sequence[Model], application: Application | None = None
) -> Form | None:
    """Return the form a case was submitted with; before that the one its models share."""
    digests = [m.form_sha256 for m in models] if application is None else [application.form_sha256]
    digest = next((d for d in digests if d is not None), None)
    return read_form(read.catalogue.content(digest)) if digest is not None else None
