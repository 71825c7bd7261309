"""The form of an application: what it asks, what was typed into it, and what is wrong with that.

A draft may be wrong in every way and is kept. The checks are the domain's, asked here to say all of
it at once; `drafts.submit` asks them again and decides. Not here: the page around the form
(apply_page), addresses (apply).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gatekeeper.domain.agreements import Agreement, TermsState, check_acceptance
from gatekeeper.domain.applications import Application, Draft
from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.errors import Invalid
from gatekeeper.domain.forms import WRITTEN, Field, FieldType, Form, check_answers
from gatekeeper.domain.people import Context, Person
from gatekeeper.services import agreements, catalogue
from gatekeeper.services.access import Judged
from gatekeeper.services.agreements import Signing
from gatekeeper.services.applications import reading
from gatekeeper.services.applications.drafts import Typed
from gatekeeper.services.catalogue import ModelView
from gatekeeper.services.ports import House
from gatekeeper.web.pages.wrongs import Wrong, Wrongs, wrongs

PURPOSE = "What will you use it for?"
SUMMARY = "One sentence for the public"
NAME = "Type your full name to sign"
Posted = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Target:
    """What is applied for: the model of the address and those that share its draft.

    `agreements` are those that one of the models asks for, each once.
    """

    view: ModelView
    others: Sequence[Judged]
    agreements: Sequence[Agreement]
    draft: Draft | None
    earlier: Sequence[Application]

    @property
    def models(self) -> Sequence[Judged]:
        """Every model, that of the address first."""
        return [self.view.judged, *self.others]

    @property
    def title(self) -> str:
        """The titles of the models."""
        return ", ".join(judged.model.title for judged in self.models)

    @property
    def fields(self) -> Sequence[Field]:
        """The owner's questions; the models of a draft share them."""
        form: Form | None = self.view.form
        return form.fields if form is not None else ()

    @property
    def labels(self) -> Mapping[str, str]:
        """What each question is called on the page."""
        return {f.name: f.label for f in self.fields}

    @property
    def due(self) -> Sequence[Agreement]:
        """The agreements that are still to be accepted."""
        return unsigned(self.agreements, *self.models)


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands in the form; `version` is the draft's that was shown, 0 for none."""

    purpose: str = ""
    public_summary: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    signings: Mapping[AgreementId, Signing] = field(default_factory=dict)
    version: int = 0

    @property
    def typed(self) -> Typed:
        """What a draft keeps of it: everything but the signature."""
        return Typed(self.purpose, self.answers, self.public_summary)

    @property
    def typed_name(self) -> str:
        """The name typed under the terms."""
        return next((signing.typed_name for signing in self.signings.values()), "")

    def says(self, draft: Draft) -> bool:
        """Say whether a draft holds just this."""
        kept = (draft.purpose, draft.public_summary, dict(draft.answers))
        return kept == (self.purpose, self.public_summary, dict(self.answers))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the owner with what was answered and what is wrong with it."""

    name: str
    type: FieldType
    label: str
    help: str
    required: bool
    options: Sequence[Any]
    max_chars: int | None
    value: str
    error: str


def target(house: House, ctx: Context, view: ModelView) -> Target:
    """Return what the actor applies for at a model's address, with the draft that names it."""
    mine = reading.mine(house, ctx)
    drafts = [d for d in mine.drafts if view.model.id in d.models]
    named = {m for draft in drafts for m in draft.models} - {view.model.id}
    seen = catalogue.seen(house, ctx, [mine.models[m] for m in named])
    for draft in sorted(drafts, key=lambda d: len(d.models)):
        others = [seen[m] for m in draft.models if m in seen]
        if len(others) < len(draft.models) - 1:
            continue  # one of them may not be seen any more: the draft cannot be sent
        asked = dict.fromkeys(a for j in (view.judged, *others) for a in j.model.agreements)
        texts = agreements.in_force(house, asked)
        return Target(view, others, texts, draft, mine.applications)
    return Target(view, (), view.agreements, None, mine.applications)


def unsigned(texts: Sequence[Agreement], *models: Judged) -> list[Agreement]:
    """Return the agreements that the viewer, as they stand towards the models, has not accepted."""
    terms = {a: state for judged in models for a, state in (judged.standing.terms or {}).items()}
    return [text for text in texts if terms.get(text.id) is not TermsState.ACCEPTED]


def kept(found: Target, copied_id: str) -> tuple[Filled, Application | None]:
    """Return what the form begins with, and the earlier application it was taken from, if any.

    A draft as it is; else all of the application `copied_id`; else the answers alone of the newest
    application that answered the same questions: its purpose was another one.
    """
    draft = found.draft
    if draft is not None:
        filled = Filled(draft.purpose, draft.public_summary, draft.answers, {}, draft.version)
        return filled, None
    for case in found.earlier:
        if case.id == copied_id:
            return Filled(case.purpose, case.public_summary, case.answers), case
    form_sha256 = found.view.model.form_sha256
    for case in found.earlier:
        if form_sha256 is not None and case.form_sha256 == form_sha256 and case.answers:
            return Filled(answers=case.answers), case
    return Filled(), None


def of_request(posted: Posted, fields: Sequence[Field], due: Sequence[Agreement]) -> Filled:
    """Read the form that was posted."""
    name = one(posted, "typed_name")
    return Filled(
        purpose=one(posted, "purpose"),
        public_summary=one(posted, "public_summary"),
        answers=answers_of(posted, fields),
        signings={
            a.id: Signing(one(posted, f"sha256-{a.id}"), posted.get(f"clause-{a.id}", ()), name)
            for a in due
        },
        version=number(posted, "version"),
    )


def answers_of(posted: Posted, fields: Sequence[Field]) -> dict[str, str]:
    """Read the answers to these questions; a box that is not ticked is an empty one."""
    return {f.name: one(posted, f"answer-{f.name}") for f in fields}


def one(posted: Posted, name: str) -> str:
    """Read one text; a browser's line ends become the one we store."""
    return next(iter(posted.get(name, ())), "").replace("\r\n", "\n").replace("\r", "\n")


def number(posted: Posted, name: str) -> int:
    """Read a version; 0 for anything that is none."""
    text = one(posted, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def faults(house: House, found: Target, filled: Filled, me: Person) -> Wrongs:
    """Return everything that keeps the form from being sent, in the order of the page.

    Raises: TermsOutdated when another text of an agreement was shown.
    """
    wrong: list[Wrong] = []
    if not filled.purpose.strip():
        wrong.append(Wrong("purpose", PURPOSE, "Say what you will use it for."))
    countries = frozenset(house.policy.countries)
    errors = check_answers(found.fields, filled.answers, countries)
    wrong += wrongs(Invalid(*errors), found.labels, "answer").errors
    for agreement in found.due:
        wrong += _unsigned(agreement, filled.signings[agreement.id], me)
    names = [w for w in wrong if w.field == "typed_name"]  # once, however many agreements
    return Wrongs(tuple(w for w in wrong if w not in names) + tuple(names[:1]))


def _unsigned(agreement: Agreement, signing: Signing, me: Person) -> Sequence[Wrong]:
    try:
        check_acceptance(agreement, signing.sha256, signing.clauses, signing.typed_name, me.name)
    except Invalid as error:
        return signing_wrongs(agreement, error).errors
    return ()


def signing_wrongs(agreement: Agreement, error: Invalid) -> Wrongs:
    """Put a refused signature into the words of the form that asked for it."""
    found = wrongs(error, {"clauses": agreement.title, "typed_name": NAME})
    at = f"clause-{agreement.id}"
    return Wrongs(tuple(replace(w, field=at) if w.field == "clauses" else w for w in found.errors))


def questions(
    house: House, fields: Sequence[Field], answers: Mapping[str, str], wrong: Wrongs
) -> list[Asked]:
    """Return each question with its answer."""
    return [
        Asked(
            name=f.name,
            type=f.type,
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


def _options(house: House, asked: Field) -> Sequence[Any]:
    if asked.type is FieldType.COUNTRY:
        return sorted(house.policy.countries.items(), key=lambda country: country[1])
    return asked.options
