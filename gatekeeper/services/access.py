"""Gathers what the one rule needs and asks it; every door of the product comes through here.

Not here: the rule itself (domain/access), what is recorded of an answer (services/downloads).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from gatekeeper.db.readers import Readers
from gatekeeper.domain.access import Fetch, Refused, See, Standing, Verdict, Wanted, decide
from gatekeeper.domain.catalogue import AgreementId, Model, ModelId
from gatekeeper.domain.errors import Moved, NotFound
from gatekeeper.domain.grants import Grant
from gatekeeper.domain.people import Context, Person
from gatekeeper.services.people import normalise_email
from gatekeeper.services.ports import House

# Any gated file: what "may I fetch this model" means when no file is named.
ANY_FILE = Fetch("*")


@dataclass(frozen=True, slots=True)
class Judged:
    """A model this person may see, with how they stand and the verdict on fetching it."""

    model: Model
    standing: Standing
    verdict: Verdict


def person_of(read: Readers, ctx: Context) -> Person | None:
    """Return the person who acts, None for anonymous or the operator."""
    return read.people.by_id(ctx.actor.person_id) if ctx.actor.person_id else None


def standings(
    read: Readers, person: Person | None, models: Collection[Model], *, lock: bool = False
) -> dict[ModelId, Standing]:
    """Gather how a person stands towards models: as many queries for many as for one.

    `lock` keeps it so until the act ends.
    """
    if person is None or not models:
        return {model.id: Standing() for model in models}
    if lock:
        person = read.people.by_id(person.id, lock=True) or person
    ids = [model.id for model in models]
    roles = read.people.memberships(person.id)
    grants = read.grants.for_models(person.id, ids, share=lock)
    applications = read.applications.newest_for(person.id, ids)
    terms = read.agreements.terms_of(person.id, {a for m in models for a in m.agreements})
    covering: dict[ModelId, list[Grant]] = {}
    for grant in grants:
        for model_id in grant.models:
            covering.setdefault(model_id, []).append(grant)
    return {
        model.id: Standing(
            person=person,
            roles=roles.get(model.namespace, frozenset()),
            grants=tuple(covering.get(model.id, ())),
            application=applications.get(model.id),
            terms={a: terms[a] for a in model.agreements},
        )
        for model in models
    }


def judge(
    read: Readers,
    person: Person | None,
    model: Model,
    now: datetime,
    wanted: Wanted = ANY_FILE,
    *,
    lock: bool = False,
) -> Judged:
    """Ask the rule about one person and one model."""
    standing = standings(read, person, [model], lock=lock)[model.id]
    return Judged(model, standing, decide(standing, model, wanted, now))


def named(read: Readers, ctx: Context, namespace: str, name: str) -> Model:
    """Return the model of this name, not judged yet; raises NotFound, and Moved as `absent`."""
    found = read.catalogue.model(namespace, name)
    if found is None:
        absent(read, ctx, namespace, name)
        raise NotFound("no such model")
    return found


def absent(read: Readers, ctx: Context, namespace: str, name: str) -> None:
    """Ask of a name that no model has as much as of a hidden model's: the time taken tells nothing.

    Raises: Moved for the former name of a model this person may see.
    """
    former, person = read.catalogue.formerly(namespace, name), person_of(read, ctx)
    for judged in visible(read, person, [former] if former else [], ctx.now):
        raise Moved(f"{namespace}/{name}", judged.model.full_name)
    _ask_alike(read, person, former)


def stand(read: Readers, ctx: Context, model: Model, *, lock: bool = False) -> Standing:
    """Gather how the caller stands towards a model; of a hidden one, with all `absent` asks."""
    person = person_of(read, ctx)
    standing = standings(read, person, [model], lock=lock)[model.id]
    if not sees(standing, model, ctx.now):
        read.catalogue.formerly(model.namespace, model.name)
        _ask_alike(read, person, model)
    return standing


def sees(standing: Standing, model: Model, now: datetime) -> bool:
    """Say whether somebody who stands so may know that the model exists."""
    return decide(standing, model, See(), now).allowed


def find_model(read: Readers, ctx: Context, namespace: str, name: str) -> Judged:
    """Return a model this person may see; raises NotFound alike for hidden and for missing.

    Raises: Moved, as `absent`.
    """
    model = named(read, ctx, namespace, name)
    standing = stand(read, ctx, model)
    if not sees(standing, model, ctx.now):
        raise NotFound("no such model")
    return Judged(model, standing, decide(standing, model, ANY_FILE, ctx.now))


def _ask_alike(read: Readers, person: Person | None, asked: Model | None) -> None:
    """Ask what `standings` would have asked and, of `asked` or of no model, did not."""
    if person is None:
        return
    if asked is None:
        read.people.memberships(person.id)
        read.grants.for_models(person.id, [ModelId("")])
        read.applications.newest_for(person.id, [ModelId("")])
    if asked is None or not asked.agreements:
        read.agreements.terms_of(person.id, [AgreementId("")])


def visible(
    read: Readers, person: Person | None, models: Collection[Model], now: datetime
) -> list[Judged]:
    """Return those of the models that this person may see, each with its verdict on fetching."""
    found = standings(read, person, models)
    return [
        Judged(model, found[model.id], decide(found[model.id], model, ANY_FILE, now))
        for model in models
        if sees(found[model.id], model, now)
    ]


def refusal(judged: Judged) -> Refused:
    """Make the refusal of a verdict that says no."""
    reason = judged.verdict.reason
    assert reason is not None  # noqa: S101  a verdict that says no has a reason
    application = judged.standing.application
    return Refused(
        reason,
        model=judged.model.full_name,
        application_id=application.id if application is not None else "",
    )


def explain(
    house: House, ctx: Context, email: str, namespace: str, name: str, at: datetime | None = None
) -> Judged:
    """Return the verdict on one person and one model, for `access explain` (operator).

    `at` moves the clock only: roles, grants and terms are today's.
    """
    with house.db.reading() as read:
        person = read.people.by_email(normalise_email(email))
        model = read.catalogue.model(namespace, name)
        if person is None or model is None:
            raise NotFound("no such person or model")
        return judge(read, person, model, at or ctx.now)
