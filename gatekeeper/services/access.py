"""Gathers what the one rule needs and asks it; every door of the product comes through here.

Not here: the rule itself (domain/access), what is recorded of an answer (services/downloads).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gatekeeper.db.unit_of_work import Readers
from gatekeeper.domain.access import Fetch, Refused, See, Standing, Verdict, Wanted, decide
from gatekeeper.domain.catalogue import Model
from gatekeeper.domain.errors import NotFound
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


def standing_of(
    read: Readers, person: Person | None, model: Model, *, lock: bool = False
) -> Standing:
    """Gather how a person stands towards a model; `lock` keeps it so until the act ends."""
    if person is None:
        return Standing()
    if lock:
        person = read.people.by_id(person.id, lock=True) or person
    return Standing(
        person=person,
        roles=read.people.roles_in(person.id, model.namespace),
        grants=tuple(read.grants.for_model(person.id, model.id, share=lock)),
        application=read.applications.newest_for(person.id, model.id),
        terms=read.agreements.terms_of(person.id, model.agreements),
    )


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
    standing = standing_of(read, person, model, lock=lock)
    return Judged(model, standing, decide(standing, model, wanted, now))


def find_model(read: Readers, ctx: Context, namespace: str, name: str) -> Judged:
    """Return a model this person may see; raises NotFound alike for hidden and for missing."""
    model = read.catalogue.model(namespace, name)
    if model is None:
        raise NotFound("no such model")
    person = person_of(read, ctx)
    judged = judge(read, person, model, ctx.now)
    if not decide(judged.standing, model, See(), ctx.now).allowed:
        raise NotFound("no such model")
    return judged


def visible(
    read: Readers, person: Person | None, models: Iterable[Model], now: datetime
) -> list[Judged]:
    """Return those of the models that this person may see, each with its verdict on fetching."""
    judged = [judge(read, person, model, now) for model in models]
    return [j for j in judged if decide(j.standing, j.model, See(), now).allowed]


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
