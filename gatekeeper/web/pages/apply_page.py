"""The page on which somebody applies: who they are, the form, the terms, and what happens next.

Not here: what was typed and whether it will do (application_form), addresses (apply).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gatekeeper.domain.catalogue import AgreementId, Model
from gatekeeper.domain.people import Context, Person
from gatekeeper.services import agreements, contents
from gatekeeper.services.applications.drafts import MAX_PURPOSE_CHARS, MAX_SUMMARY_CHARS
from gatekeeper.services.ports import House
from gatekeeper.web.pages import terms_page
from gatekeeper.web.pages.application_form import Filled, Target, questions
from gatekeeper.web.pages.model_page import amount
from gatekeeper.web.pages.parts import Action, Note, Pill, Step
from gatekeeper.web.pages.wrongs import Wrongs


@dataclass(frozen=True, slots=True)
class Identity:
    """One line of who applies."""

    label: str
    value: str
    pill: Pill | None = None
    action: Action | None = None


def values(
    house: House,
    ctx: Context,
    me: Person,
    found: Target,
    filled: Filled,
    wrong: Wrongs,
    warning: Note | None = None,
) -> dict[str, Any]:
    """Return what apply/apply.html shows."""
    view = found.view
    return {
        "model": view.model,
        "release": view.release,
        "title": found.title,
        "models": [judged.model for judged in found.models],
        "sibling": view.open_sibling,
        "version": filled.version,
        "saved_at": found.draft.saved_at if found.draft is not None else None,
        "warning": warning or _unverified(me),
        "wrong": wrong,
        "identity": _identity(me),
        "is_complete": me.is_verified,
        "filled": filled,
        "purpose_chars": MAX_PURPOSE_CHARS,
        "summary_chars": MAX_SUMMARY_CHARS,
        "form": view.form,
        "questions": questions(house, found.fields, filled.answers, wrong),
        "sheets": _sheets(house, ctx, found, filled, wrong),
        "signs": bool(found.due),
        "facts": _facts(house, found),
        "steps": _steps(view.model),
    }


def _unverified(me: Person) -> Note | None:
    if me.is_verified:
        return None
    return Note(
        "warn",
        "Your address is not verified yet.",
        "Fill in the form meanwhile; it can be sent once you have followed our mail.",
        Action("/account", "Ask for a new mail"),
    )


def _identity(me: Person) -> Sequence[Identity]:
    proven = Pill("ok", "verified") if me.is_verified else Pill("warn", "not verified")
    verify = None if me.is_verified else Action("/account", "Verify")
    return [
        Identity("Name", me.name),
        Identity("Mail", me.email, proven, verify),
        Identity("Affiliation", me.affiliation or "None given"),
    ]


def _sheets(
    house: House, ctx: Context, found: Target, filled: Filled, wrong: Wrongs
) -> list[terms_page.Sheet]:
    signed: Mapping[AgreementId, datetime] = {
        acceptance.agreement_id: acceptance.accepted_at
        for acceptance, _ in reversed(agreements.mine(house, ctx))
    }
    return [
        terms_page.sheet(
            agreement,
            filled.signings.get(agreement.id),
            error=wrong.of(f"clause-{agreement.id}"),
            accepted_at=None if agreement in found.due else signed.get(agreement.id),
        )
        for agreement in found.agreements
    ]


def _facts(house: House, found: Target) -> list[tuple[str, str]]:
    sizes = contents.sizes(house, found.models).values()
    files = amount(sum(number for number, _ in sizes), sum(size_bytes for _, size_bytes in sizes))
    days = min(judged.model.tier.grant_days for judged in found.models)
    return [("Files", files), ("Access lasts", f"Up to {days} days")]


def _steps(model: Model) -> list[Step]:
    tier = model.tier
    who = ["Nobody decides", "A reviewer decides", "Two approvers decide, one after the other"]
    how = "It is granted at once when everything is complete"
    if tier.is_reviewed:
        aim = f"{tier.service_days} days is the aim; " if tier.service_days else ""
        how = f"{aim}they may ask you a question".capitalize()
    return [
        Step("now", "You sign and submit", "A receipt comes by mail"),
        Step("next", who[tier.approvals], how),
        Step("next", "You download", "By hf, curl, wget, aria2, Python or your browser"),
    ]
