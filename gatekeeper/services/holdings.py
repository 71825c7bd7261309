"""Grants as people read them: who holds what, for which purpose; own ones and those staff oversee.

Not here: what can be done to a grant (services/grants).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gatekeeper.db.readers import Readers
from gatekeeper.domain.access import Refused
from gatekeeper.domain.catalogue import Model, ModelId
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.grants import Grant, GrantFilter, GrantState
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import Context, Person, Scope
from gatekeeper.services import grants
from gatekeeper.services.applications.reading import staff_namespaces
from gatekeeper.services.people import current, need_scope, person_named
from gatekeeper.services.ports import House


@dataclass(frozen=True, slots=True)
class Holding:
    """A grant with its holder and models, its state now, and the purpose it was given for."""

    grant: Grant
    state: GrantState
    person: Person
    models: Sequence[Model]
    purpose: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which grants somebody asks for: `person` is an id, a username, an address, or `me`."""

    person: str = ""
    model: tuple[str, str] | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50


def search(house: House, ctx: Context, wanted: Wanted) -> list[Holding]:
    """Return grants, newest first: the actor's own, and with `person` or `model` those of others.

    Staff see the grants on models of the namespaces where they have a role. Raises: Refused for
    somebody else who names another person.
    """
    with house.db.reading() as read:
        me = current(read, ctx)
        person = person_named(read, me, wanted.person) if wanted.person else None
        own = person == me.id or (person is None and wanted.model is None)
        want = GrantFilter(
            own_of=me.id,
            namespaces=frozenset() if own else _overseen(read, ctx, me, names=person is not None),
            person_id=person,
            model_id=_model_id(read, wanted.model),
            after=wanted.after,
            limit=wanted.limit,
        )
        return _holdings(read, ctx, read.grants.search(want))


def show(house: House, ctx: Context, grant_id: GrantId) -> Holding:
    """Return one grant; raises NotFound for a grant that is none of the actor's business."""
    with house.db.reading() as read:
        grant = read.grants.by_id(grant_id)
        if grant is None or not grants.hats_for(read, ctx, grant):
            raise NotFound("no such grant")
        return _holdings(read, ctx, [grant])[0]


def _overseen(read: Readers, ctx: Context, me: Person, *, names: bool) -> frozenset[str] | None:
    """Return the namespaces whose grants the actor may read; none for who is no staff here."""
    try:
        need_scope(ctx, Scope.REVIEW)
        return staff_namespaces(read, me)
    except Refused:
        if names:
            raise
        return frozenset()


def _model_id(read: Readers, name: tuple[str, str] | None) -> ModelId | None:
    """Return the model's id; for a model that is not there, one that no grant covers."""
    if name is None:
        return None
    model = read.catalogue.model(*name)
    return model.id if model is not None else ModelId("")


def _holdings(read: Readers, ctx: Context, found: Sequence[Grant]) -> list[Holding]:
    people = read.people.many({g.person_id for g in found})
    models = read.catalogue.models_by_id({m for g in found for m in g.models})
    purposes = _purposes(read, found)
    return [
        Holding(
            grant=grant,
            state=grant.state(ctx.now),
            person=people[grant.person_id],
            models=[models[m] for m in grant.models],
            purpose=purposes[grant.id],
        )
        for grant in found
    ]


def _purposes(read: Readers, found: Sequence[Grant]) -> dict[GrantId, str]:
    """Return what each grant is for: its application's purpose, or the agreement it came with."""
    written = read.applications.purposes({g.application_id for g in found if g.application_id})
    signed = read.agreements.current_of({g.agreement_id for g in found if g.agreement_id})
    titles = [(agreement_id, agreement.title) for agreement_id, agreement in signed.items()]
    said = dict[str, str]([*written.items(), *titles])
    return {g.id: said.get(g.application_id or g.agreement_id or "", "") for g in found}
