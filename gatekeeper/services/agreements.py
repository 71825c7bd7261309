"""Agreements: publish a version, show the current one, accept it clause by clause.

Accepting grants what needs no person's decision (tier T2 without a form) and activates grants that
waited for terms, all in the one act. Not here: the rules of an acceptance (domain/agreements).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.agreements import (
    Acceptance,
    Agreement,
    Change,
    TermsClause,
    TermsState,
    check_acceptance,
    write_text,
)
from gatekeeper.domain.catalogue import AgreementId, Model
from gatekeeper.domain.errors import NotFound, invalid
from gatekeeper.domain.facts import agreements as f
from gatekeeper.domain.facts import grants as g
from gatekeeper.domain.grants import GrantState
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import Context, Person
from gatekeeper.domain.sealed import content
from gatekeeper.services import access, grants
from gatekeeper.services.access import Judged
from gatekeeper.services.people import current
from gatekeeper.services.ports import House


@dataclass(frozen=True, slots=True)
class Signing:
    """What a person signed: the digest shown, the clauses ticked, the name typed."""

    sha256: str
    clauses: Sequence[str]
    typed_name: str


def publish(
    house: House,
    ctx: Context,
    agreement_id: AgreementId,
    title: str,
    intro: str,
    clauses: Sequence[TermsClause],
    change: Change,
) -> Agreement:
    """Publish the next version; raises Invalid for a text without clauses or one unchanged."""
    with house.db.acting(ctx) as act:
        published = put_in_force(act, agreement_id, title, intro, clauses, change)
    if published is None:
        raise invalid("text", "this is the text of the version in force")
    return published


def put_in_force(
    act: Act,
    agreement_id: AgreementId,
    title: str,
    intro: str,
    clauses: Sequence[TermsClause],
    change: Change,
) -> Agreement | None:
    """Record the next version inside an act; None where this text is in force already.

    Raises: Invalid for a text without clauses.
    """
    if not clauses or len({c.id for c in clauses}) != len(clauses):
        raise invalid("clauses", "an agreement needs clauses, each with an id of its own")
    parts = {"title": title, "intro": intro, "clauses": [asdict(c) for c in clauses]}
    source = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    text_sha256 = content(write_text(title, intro, clauses)).sha256
    act.lock(f"agreement:{agreement_id}")
    before = act.agreements.current(agreement_id)
    if before is not None and before.sha256 == text_sha256:
        return None
    version = before.version + 1 if before is not None else 1
    act.record(f.AgreementPublished(agreement_id, version, change, content(source), text_sha256))
    return act.agreements.current(agreement_id)


def show(house: House, agreement_id: AgreementId, version: int | None = None) -> Agreement:
    """Return the version in force, or an older one; raises NotFound."""
    for agreement in reversed(versions(house, agreement_id)):
        if version in (None, agreement.version):
            return agreement
    raise NotFound("no such agreement")


def in_force(house: House, agreement_ids: Collection[AgreementId]) -> list[Agreement]:
    """Return the versions in force, in the order asked for; none of one never published."""
    with house.db.reading() as read:
        return list(read.agreements.current_of(agreement_ids).values())


def versions(house: House, agreement_id: AgreementId) -> list[Agreement]:
    """Return every published version, oldest first; raises NotFound when there is none."""
    with house.db.reading() as read:
        found = read.agreements.versions(agreement_id)
    if not found:
        raise NotFound("no such agreement")
    return found


def used_by(house: House, ctx: Context, agreement_id: AgreementId) -> list[Judged]:
    """Return the models that ask for an agreement, as far as the actor may see them."""
    with house.db.reading() as read:
        person = access.person_of(read, ctx)
        found = read.catalogue.list_models(
            person.id if person is not None else None, asking=agreement_id, limit=1000
        )
        asking = [model for model in found if agreement_id in model.agreements]
        return access.visible(read, person, asking, ctx.now)


def mine(house: House, ctx: Context) -> list[tuple[Acceptance, Agreement]]:
    """Return what the actor accepted, newest first, each with the version it binds."""
    with house.db.reading() as read:
        accepted = read.agreements.acceptances_of(current(read, ctx).id)
        versions = read.agreements.versions_of({a.agreement_id for a in accepted})
    texts = {(text.id, text.version): text for found in versions.values() for text in found}
    return [(a, texts[a.agreement_id, a.version]) for a in accepted]


def accept(
    house: House,
    ctx: Context,
    agreement_id: AgreementId,
    signing: Signing,
    model_name: tuple[str, str] | None = None,
) -> tuple[Acceptance, bool]:
    """Accept the current version; return the acceptance and whether it is new.

    Repeating an acceptance records nothing anew, but grants what is now complete. `model_name`
    narrows what is granted. Raises: Refused (no_account, email_unverified, blocklisted),
    TermsOutdated, Invalid, NotFound.
    """
    with house.db.acting(ctx) as act:
        person = _signer(act, ctx)
        only = _named(act, ctx, model_name)
        acceptance, is_new = sign(act, ctx, person, agreement_id, signing, only)
        grants.activate_waiting(act, ctx, person)
        _grant_on_acceptance(act, ctx, person, agreement_id, only)
    return acceptance, is_new


def accept_for(
    house: House,
    ctx: Context,
    model_name: tuple[str, str],
    signings: Mapping[AgreementId, Signing],
) -> None:
    """Accept what a model asks, all of it in one act or none; what is complete then is granted.

    What was accepted before is not signed again. Raises: as `accept`.
    """
    with house.db.acting(ctx) as act:
        person = _signer(act, ctx)
        model = access.find_model(act, ctx, *model_name).model
        for agreement_id, signing in signings.items():
            sign(act, ctx, person, agreement_id, signing, model)
        grants.activate_waiting(act, ctx, person)
        for agreement_id in model.agreements:  # one grant: the first finds the terms complete
            _grant_on_acceptance(act, ctx, person, agreement_id, model)


def sign(
    act: Act,
    ctx: Context,
    person: Person,
    agreement_id: AgreementId,
    signing: Signing,
    model: Model | None,
) -> tuple[Acceptance, bool]:
    """Record an acceptance inside an act, once a version."""
    _check_signer(person)
    agreement = act.agreements.current(agreement_id)
    if agreement is None:
        raise NotFound("no such agreement")
    check_acceptance(agreement, signing.sha256, signing.clauses, signing.typed_name, person.name)
    earlier = act.agreements.acceptance(person.id, agreement_id, agreement.version)
    if earlier is not None:
        return earlier, False
    act.record(
        f.AgreementAccepted(
            acceptance_id=ctx.new_id("acc"),
            person_id=person.id,
            agreement_id=agreement_id,
            version=agreement.version,
            text_sha256=agreement.sha256,
            clauses=tuple(c.id for c in agreement.clauses),
            typed_name=ctx.sealed("typed_name", " ".join(signing.typed_name.split())),
            model_id=model.id if model is not None else None,
        )
    )
    made = act.agreements.acceptance(person.id, agreement_id, agreement.version)
    assert made is not None  # noqa: S101  it was recorded just now
    return made, True


def _signer(act: Act, ctx: Context) -> Person:
    """Return the actor, locked until the act ends."""
    person = current(act, ctx)
    person = act.people.by_id(person.id, lock=True) or person
    _check_signer(person)
    return person


def _check_signer(person: Person) -> None:
    if not person.is_verified:
        raise Refused(Reason.EMAIL_UNVERIFIED)
    if person.suspended:
        raise Refused(Reason.BLOCKLISTED)


def _named(act: Act, ctx: Context, model_name: tuple[str, str] | None) -> Model | None:
    return access.find_model(act, ctx, *model_name).model if model_name is not None else None


def _grant_on_acceptance(
    act: Act, ctx: Context, person: Person, agreement_id: AgreementId, only: Model | None
) -> None:
    """Grant each visible model of a tier that asks acceptance alone, once its terms are complete.

    A model whose grant was revoked or is suspended is left alone: that was a person's decision.
    """
    asking = [
        model
        for tier in act.catalogue.tiers
        if tier.is_granted and not tier.is_reviewed
        for model in act.catalogue.models_of_tier(tier.code)
        if agreement_id in model.agreements and model.form_sha256 is None
        if only is None or only.id == model.id
    ]
    for judged in access.visible(act, person, asking, ctx.now):
        if _is_complete(judged, ctx):
            _grant_one(act, ctx, person, agreement_id, judged.model)


def _is_complete(judged: Judged, ctx: Context) -> bool:
    terms = judged.standing.terms or {}
    if any(terms.get(a) is not TermsState.ACCEPTED for a in judged.model.agreements):
        return False
    blocking = {GrantState.REVOKED, GrantState.SUSPENDED, GrantState.ACTIVE}
    return not any(grant.state(ctx.now) in blocking for grant in judged.standing.grants)


def _grant_one(
    act: Act, ctx: Context, person: Person, agreement_id: AgreementId, model: Model
) -> None:
    act.record(
        g.GrantCreated(
            grant_id=GrantId(ctx.new_id("gr")),
            person_id=person.id,
            models=(model.id,),
            state=GrantState.ACTIVE,
            starts_at=ctx.now,
            ends_at=grants.end_of(ctx, model.tier.grant_days),
            application_id=None,
            agreement_id=agreement_id,
        )
    )
