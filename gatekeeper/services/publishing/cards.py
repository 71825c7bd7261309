"""A release moves over from the Hub with its gate: what a card says becomes a model's terms.

An import never loosens: a tier that was decided stays or becomes stricter, and what the card does
not say stays as it is. Repeating it changes nothing. Not here: what a card says (gates), choosing
a tier (tiers), the form as its owner changes it (models).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gatekeeper.db.readers import Readers
from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.agreements import Agreement, Change, TermsClause, write_text
from gatekeeper.domain.catalogue import AgreementId, File, Model, RevisionId, has_way_in
from gatekeeper.domain.errors import Conflict, invalid
from gatekeeper.domain.forms import Form, write_form
from gatekeeper.domain.people import Context
from gatekeeper.domain.sealed import content
from gatekeeper.domain.tiers import Tier
from gatekeeper.services import agreements, contents
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import front_matter, gates, tiers
from gatekeeper.services.publishing.gates import Gate
from gatekeeper.services.publishing.releases import writable
from gatekeeper.services.publishing.terms import terms_of


@dataclass(frozen=True, slots=True)
class Terms:
    """An agreement as an import puts it in force; `before` is the version that was, if any."""

    id: AgreementId
    title: str
    intro: str
    clauses: Sequence[TermsClause]
    before: Agreement | None

    @property
    def is_new(self) -> bool:
        """Say whether its text is another than the one in force."""
        text = write_text(self.title, self.intro, self.clauses)
        return self.before is None or self.before.sha256 != content(text).sha256

    @property
    def version(self) -> int:
        """The version in force after the import."""
        return (self.before.version if self.before is not None else 0) + self.is_new


@dataclass(frozen=True, slots=True)
class Import:
    """What an import changes, or would: `model` is how it was before.

    `terms` and `form` are None where the card leaves them as they are. `notes` say in sentences
    what was not taken over, and why.
    """

    model: Model
    revision_id: RevisionId
    tier: Tier
    terms: Terms | None
    form: Form | None
    notes: Sequence[str]

    @property
    def sets_tier(self) -> bool:
        """Say whether a tier is chosen, or another one."""
        return self.tier.code != self.model.tier.code or not self.model.is_decided

    @property
    def form_sha256(self) -> str | None:
        """The digest of the form the model asks after the import."""
        if self.form is None:
            return self.model.form_sha256
        return content(write_form(self.form)).sha256

    @property
    def sets_form(self) -> bool:
        """Say whether applicants are asked other questions."""
        return self.form_sha256 != self.model.form_sha256

    @property
    def sets_terms(self) -> bool:
        """Say whether there is another agreement, or another text of it."""
        terms = self.terms
        return terms is not None and (terms.is_new or terms.id not in self.model.agreements)

    @property
    def is_change(self) -> bool:
        """Say whether anything changes."""
        return self.sets_tier or self.sets_form or self.sets_terms


def import_card(
    house: House,
    ctx: Context,
    model: tuple[str, str],
    revision: str = "main",
    *,
    dry_run: bool = False,
) -> Import:
    """Give a model the gate that its card describes, all of it in one act; return what changed.

    `dry_run` returns what would, and changes nothing.
    Raises: Invalid with the key of the card that is missing or cannot be kept, Conflict when the
    branch moved meanwhile, NotFound, NotAllowed, Refused.
    """
    with house.db.reading() as read:
        found = writable(read, ctx, model)
        at = _card(read, found, revision)
    gate = _gate(contents.card(house, at[1]))
    if dry_run:
        with house.db.reading() as read:
            return _plan(house, read, found, at[0], gate)
    with house.db.acting(ctx) as act:
        act.lock(f"model:{model[0]}/{model[1]}")
        found = writable(act, ctx, model)
        if _card(act, found, revision) != at:
            raise Conflict("another revision was published meanwhile", state=at[0])
        plan = _plan(house, act, found, at[0], gate)
        _record(act, plan)
    return plan


def _card(read: Readers, model: Model, revision: str) -> tuple[RevisionId, File]:
    found = read.catalogue.revision(model.id, revision)
    if found is None:
        raise invalid("revision", f"{model.full_name} has no revision {revision[:80]}")
    readme = contents.readme_of(read.catalogue.files(found.id))
    if readme is None:
        raise invalid("README.md", "there is no card in this revision")
    return found.id, readme


def _gate(card: str) -> Gate:
    said = front_matter.read(card)
    if not said:
        # Nothing said is not `gated: false`: it must not open a model by mistake.
        ends = "does not end" if front_matter.begins(card) else "is missing"
        raise invalid("README.md", f"the front matter {ends}: the card says nothing of a gate")
    return gates.read(said)


def _plan(house: House, read: Readers, model: Model, revision_id: RevisionId, gate: Gate) -> Import:
    tier, notes = _tier(house, model, gate)
    notes += list(gate.left_out)
    if gate.kind is False or not (gate.kind or gate.has_words):
        if gate.has_words:
            notes.append("The card’s gate is open: its prompt and its questions are not asked.")
        return Import(model, revision_id, tier, None, None, notes)
    form, title, intro = gate.form, gate.heading, gate.description
    clauses = gate.clauses
    if not clauses and not has_way_in(
        tier,
        agreements=bool(model.agreements),
        form=form is not None or model.form_sha256 is not None,
    ):
        clauses = _sharing(model)
        notes.append(
            "The card asks nothing: as on the Hub, people agree that you see who they are."
        )
    if form is not None:  # they stand above its questions
        title, intro = "", ""
    terms = _terms(read, model, title, intro, clauses) if clauses else None
    return Import(model, revision_id, tier, terms, form, notes)


def _tier(house: House, model: Model, gate: Gate) -> tuple[Tier, list[str]]:
    """Return the tier after the import, and what is to be said of it."""
    if gate.kind is None:
        if not model.is_decided or (model.tier.is_open and gate.has_words):
            raise invalid(
                gates.GATED,
                "the card does not say which gate there is: on the Hub that is a setting of the "
                "repository; add `gated: false`, `gated: auto` or `gated: manual` to the card",
            )
        return model.tier, [f"The card does not say `gated`: the model stays {_named(model.tier)}."]
    tier = house.tiers[tiers.OF_GATE[gate.kind]]
    if not tiers.is_looser(model, tier):
        return tier, []
    stays = f"The card’s gate is {_named(tier)}; the model stays {_named(model.tier)}"
    return model.tier, [f"{stays}: an import never loosens a gate, a stage decision does."]


def _named(tier: Tier) -> str:
    return f"{tier.code} {tier.word}"


def _sharing(model: Model) -> tuple[TermsClause, ...]:
    """Return what asking for access means on the Hub where the card asks nothing more."""
    return (
        TermsClause(
            "1",
            "Who sees that you have access",
            f"The people of {model.namespace} who look after access to this model, and whoever "
            "runs this server, may see my name, my username and my mail address.",
        ),
    )


def _terms(
    read: Readers, model: Model, title: str, intro: str, clauses: Sequence[TermsClause]
) -> Terms:
    agreement_id = _agreement_id(model)
    before = read.agreements.current(agreement_id)
    # Another name of the model is no other text to agree to.
    usual = before.title if before is not None else f"Terms of {model.full_name}"
    return Terms(agreement_id, title or usual, intro, clauses, before)


def _agreement_id(model: Model) -> AgreementId:
    """Return the name of the agreement that imports of this model write, and of no other's.

    No name that somebody chooses holds `--`, so nobody else can have it; the end of it is of the
    model's id, so that it stays when the model gets another name and another model gets this one.
    """
    mark = f"--{model.id[-8:]}"
    own = (a for a in model.agreements if a.endswith(mark))
    return next(own, AgreementId(f"{model.namespace}--{model.name}{mark}"))


def _record(act: Act, plan: Import) -> None:
    model, terms = plan.model, plan.terms
    if terms is not None and terms.is_new:
        agreements.put_in_force(
            act, terms.id, terms.title, terms.intro, terms.clauses, Change.MATERIAL
        )
    added = (terms.id,) if terms is not None and terms.id not in model.agreements else ()
    if added or plan.sets_form:
        now = terms_of(act, model)
        form = content(write_form(plan.form)) if plan.form is not None else now.form
        act.record(replace(now, agreements=(*model.agreements, *added), form=form))
    if plan.sets_tier:
        tiers.record(act, model, plan.tier)
