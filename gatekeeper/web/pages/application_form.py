"""The page on which somebody applies: what is asked, what was typed, what keeps it from being sent.

A draft may be wrong in every way and is kept; `drafts.submit` decides. Not here: addresses and
answers to requests (apply), one sent application (case_page).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gatekeeper.domain.agreements import Agreement, TermsState, check_acceptance
from gatekeeper.domain.applications import Draft
from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.errors import Invalid, TermsOutdated
from gatekeeper.domain.forms import WRITTEN, Field, FieldType, Form, check_answers
from gatekeeper.domain.people import Person
from gatekeeper.services.agreements import Signing
from gatekeeper.services.applications.drafts import MAX_PURPOSE_CHARS, Typed
from gatekeeper.services.catalogue import ModelView
from gatekeeper.services.ports import House
from gatekeeper.web.pages import filters
from gatekeeper.web.pages.parts import Action, Note, Pill, Step
from gatekeeper.web.pages.wrongs import Wrong, Wrongs, wrongs

PURPOSE, SUMMARY = "What will you use it for?", "One sentence for the public"
NAME = "Type your full name to sign"
_Posted = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands in the form; the terms ticked and the digests shown by agreement."""

    typed: Typed
    signings: Mapping[AgreementId, Signing]
    version: int

    @property
    def typed_name(self) -> str:
        """Return the name typed under the terms."""
        return next((s.typed_name for s in self.signings.values()), "")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the owner with what was answered and what is wrong with it."""

    name: str
    type: str
    label: str
    help: str
    required: bool
    options: Sequence[Any]
    max_chars: int | None
    value: str
    error: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A control of our own: value, help and error."""

    value: str
    error: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause to tick."""

    id: str
    title: str
    text: str
    ticked: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """An agreement to sign; `accepted_at` is set where it was accepted before."""

    id: str
    title: str
    version: int
    sha256: str
    intro: str
    href: str
    error: str
    accepted_at: datetime | None
    clauses: Sequence[Clause]


@dataclass(frozen=True, slots=True)
class Identity:
    """One line of who applies."""

    label: str
    value: str
    pill: Pill | None = None
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Questions:
    """The owner's form, filled in."""

    title: str
    intro: str
    fields: Sequence[Asked]


def unsigned(view: ModelView) -> list[Agreement]:
    """Return the agreements of a model that the viewer has still to accept."""
    terms = view.judged.standing.terms or {}
    return [a for a in view.agreements if terms.get(a.id) is not TermsState.ACCEPTED]


def of_draft(draft: Draft | None, before: Mapping[str, str]) -> Filled:
    """Return what a draft holds; without one, the answers of an earlier application."""
    if draft is None:
        return Filled(Typed("", dict(before), ""), {}, 0)
    return Filled(Typed(draft.purpose, draft.answers, draft.public_summary), {}, draft.version)


def of_request(posted: _Posted, form: Form | None, due: Sequence[Agreement]) -> Filled:
    """Read the form that was posted; a browser's line ends become the one we store."""

    def one(name: str) -> str:
        return next(iter(posted.get(name, ())), "").replace("\r\n", "\n")

    fields = form.fields if form is not None else ()
    answers = {f.name: one(f"answer-{f.name}") for f in fields}
    signings = {
        a.id: Signing(one(f"sha256-{a.id}"), posted.get(f"clause-{a.id}", ()), one("typed_name"))
        for a in due
    }
    version = one("version")
    typed = Typed(one("purpose"), answers, " ".join(one("public_summary").split()))
    return Filled(typed, signings, int(version) if version.isdigit() and len(version) < 9 else 0)


def faults(
    house: House, filled: Filled, form: Form | None, due: Sequence[Agreement], me: Person
) -> Wrongs:
    """Say at once everything that keeps the form from being sent; `submit` checks it again."""
    found = [] if (filled.typed.purpose or "").strip() else [
        Wrong("purpose", PURPOSE, "Say what you will use it for.")
    ]  # fmt: skip
    labels = {f.name: f.label for f in form.fields} if form is not None else {}
    countries = frozenset(house.policy.countries)
    errors = check_answers(form.fields if form else (), filled.typed.answers or {}, countries)
    found += wrongs(Invalid(*errors), labels, "answer").errors
    for agreement in due:
        found += _unsigned_faults(agreement, filled.signings[agreement.id], me)
    named = [w for w in found if w.field == "typed_name"]
    return Wrongs(tuple(w for w in found if w.field != "typed_name" or w is named[0]))


def _unsigned_faults(agreement: Agreement, signing: Signing, me: Person) -> list[Wrong]:
    try:
        check_acceptance(agreement, signing.sha256, signing.clauses, signing.typed_name, me.name)
    except TermsOutdated as error:
        return [Wrong(f"clause-{agreement.id}", agreement.title, f"{error}.")]
    except Invalid as error:
        labels = {"clauses": agreement.title, "typed_name": NAME}
        return [
            replace(w, field=f"clause-{agreement.id}") if w.field == "clauses" else w
            for w in wrongs(error, labels).errors
        ]
    return []


def questions(house: House, fields: Sequence[Field], filled: Typed, wrong: Wrongs) -> list[Asked]:
    """Return each question with its answer."""
    answers = filled.answers or {}
    return [
        Asked(
            name=f.name,
            type=str(f.type),
            label=f.label,
            help=f.help,
            required=f.required,
            options=_options(house, f),
            max_chars=f.max_chars if f.type in WRITTEN else None,
            value=answers.get(f.name, ""),
            error=wrong.of(f"answer-{f.name}"),
        )
        for f in fields
    ]


def _options(house: House, field: Field) -> Sequence[Any]:
    if field.type is FieldType.COUNTRY:
        return sorted(house.policy.countries.items(), key=lambda country: country[1])
    return field.options


def values(
    house: House,
    view: ModelView,
    me: Person,
    accepted: Mapping[tuple[AgreementId, int], datetime],
    filled: Filled,
    saved: str,
    wrong: Wrongs,
    warning: Note | None = None,
) -> dict[str, Any]:
    """Return what apply/apply.html shows."""
    model, due = view.model, unsigned(view)
    sibling = view.open_sibling
    form = view.form
    address = f"/apply/{model.full_name}"
    return {
        "model": _Named(model.title, f"/{model.full_name}", model.tier.code, model.full_name),
        "release": _Linked(view.release.title, f"/releases/{view.release.full_name}"),
        "sibling": _Linked(sibling.title, f"/{sibling.full_name}") if sibling else None,
        "action": address,
        "autosave": f"{address}/draft",
        "draft": _Saved(filled.version, saved),
        "intro": "About ten minutes. Your draft is kept as you type, so you can come back to it.",
        "warning": warning,
        "errors": wrong.errors,
        "identity": _identity(me),
        "identity_complete": me.is_verified,
        "purpose": Shown(filled.typed.purpose or "", wrong.of("purpose"),
                         f"What question, what data, who takes part. At most {MAX_PURPOSE_CHARS:,} "
                         "characters."),
        "public_summary": Shown(filled.typed.public_summary or "", wrong.of("public_summary"),
                                "Shown in the public register of approved uses; no names."),
        "form": form and Questions(
            form.title, form.intro, questions(house, form.fields, filled.typed, wrong)
        ),
        "agreements": [
            _terms(a, None if a in due else accepted.get((a.id, a.version)), filled, wrong)
            for a in view.agreements
        ],
        "typed_name": Shown(filled.typed_name, wrong.of("typed_name")) if due else None,
        "facts": [
            ("Files", f"{len(view.files)}, {filters.size(sum(f.size_bytes for f in view.files))}"),
            ("Access lasts", f"up to {model.tier.grant_days} days"),
        ],
        "steps": _steps(view),
        "privacy": "The people who review this model and the archive's auditors read it.",
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Linked:
    title: str
    href: str


@dataclass(frozen=True, slots=True)
class _Named:
    title: str
    href: str
    tier: str
    id: str


@dataclass(frozen=True, slots=True)
class _Saved:
    version: int
    saved: str


def _identity(me: Person) -> list[Identity]:
    proven = Pill("ok", "verified") if me.is_verified else Pill("warn", "not verified")
    return [
        Identity("Name", me.name),
        Identity(
            "Mail", me.email, proven, None if me.is_verified else Action("/account", "Verify")
        ),
        Identity("Affiliation", me.affiliation or "None given"),
    ]


def _terms(
    agreement: Agreement, accepted_at: datetime | None, filled: Filled, wrong: Wrongs
) -> Terms:
    signing = filled.signings.get(agreement.id)
    ticked = set(signing.clauses) if signing is not None else set()
    return Terms(
        id=agreement.id,
        title=agreement.title,
        version=agreement.version,
        sha256=agreement.sha256,
        intro=agreement.intro,
        href=f"/agreements/{agreement.id}",
        error=wrong.of(f"clause-{agreement.id}"),
        accepted_at=accepted_at,
        clauses=[Clause(c.id, c.title, c.text, c.id in ticked) for c in agreement.clauses],
    )


def _steps(view: ModelView) -> list[Step]:
    tier = view.model.tier
    who = {0: "Nobody decides", 1: "A reviewer decides"}.get(tier.approvals, "Two approvers decide")
    how = f"{tier.service_days} days is the aim" if tier.service_days else "at once"
    return [
        Step("now", "You sign and submit", "A receipt by mail"),
        Step("next", who, f"{how}; they may ask a question"),
        Step("next", "You download", "hf, curl, wget, aria2, Python or your browser"),
    ]
