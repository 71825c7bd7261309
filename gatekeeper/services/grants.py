"""Grants: list, suspend, reinstate, revoke, relinquish; activation when the terms are complete."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from gatekeeper.db.readers import Readers
from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.agreements import TermsState
from gatekeeper.domain.catalogue import ModelId
from gatekeeper.domain.errors import NotFound, invalid
from gatekeeper.domain.facts import GrantFact
from gatekeeper.domain.facts import grants as f
from gatekeeper.domain.grants import (
    EndReason,
    Grant,
    GrantCommand,
    GrantHat,
    GrantState,
    check_grant_command,
    is_revocable,
)
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import Context, Person, Role, Scope, SiteRole
from gatekeeper.services.people import current, need_scope, normalise_email
from gatekeeper.services.ports import House

MAX_NOTE_CHARS = 4000


def end_of(ctx: Context, days: int) -> datetime:
    """Return the moment so many days ahead."""
    return ctx.now + timedelta(days=days)


def end_of_day(day: date) -> datetime:
    """Return the moment a grant that ends on a day ends: midnight UTC after it."""
    return datetime.combine(day + timedelta(days=1), time.min, UTC)


def mine(house: House, ctx: Context) -> list[Grant]:
    """Return the actor's grants, newest first."""
    with house.db.reading() as read:
        return read.grants.of_person(current(read, ctx).id)


@dataclass(frozen=True, slots=True)
class ListedGrant:
    """A grant with its holder and the full names of its models."""

    grant: Grant
    person: Person | None
    models: tuple[str, ...]


def listed(
    house: House, *, email: str | None = None, model: tuple[str, str] | None = None
) -> list[ListedGrant]:
    """Return grants of a person, of a model, of both, or the newest of the site (operator)."""
    with house.db.reading() as read:
        known = read.catalogue.model(*model) if model is not None else None
        if model is not None and known is None:
            return []
        if email is not None:
            person = read.people.by_email(normalise_email(email))
            found = read.grants.of_person(person.id) if person is not None else []
        elif known is not None:
            found = read.grants.of_model(known.id)
        else:
            found = read.grants.newest()
        return _listed(read, [g for g in found if known is None or known.id in g.models])


def _listed(read: Readers, found: list[Grant]) -> list[ListedGrant]:
    people = read.people.many({g.person_id for g in found})
    models = read.catalogue.models_by_id({m for g in found for m in g.models})
    return [
        ListedGrant(
            grant, people.get(grant.person_id), tuple(models[m].full_name for m in grant.models)
        )
        for grant in found
    ]


def change(
    house: House,
    ctx: Context,
    grant_id: GrantId,
    command: GrantCommand,
    reason: EndReason | None = None,
    note: str = "",
) -> Grant:
    """Suspend, reinstate, revoke or relinquish; it is in force for every request after the return.

    Raises: NotFound for a grant the actor may not know, NotAllowed, Conflict, Invalid.
    """
    with house.db.acting(ctx) as act:
        return change_within(act, ctx, grant_id, command, reason, note)


def change_within(
    act: Act,
    ctx: Context,
    grant_id: GrantId,
    command: GrantCommand,
    reason: EndReason | None = None,
    note: str = "",
) -> Grant:
    """Change a grant inside an act, as `change`."""
    if command in {GrantCommand.SUSPEND, GrantCommand.REVOKE} and reason is None:
        raise invalid("reason", "say why: one of " + ", ".join(EndReason))
    if len(note) > MAX_NOTE_CHARS:
        raise invalid("note", f"at most {MAX_NOTE_CHARS} characters")
    found = act.grants.by_id(grant_id)
    # People before grants: the one order in which every act takes its locks.
    if found is not None:
        act.people.by_id(found.person_id, lock=True)
    grant = act.grants.by_id(grant_id, lock=True)
    hats = hats_for(act, ctx, grant) if grant is not None else frozenset[GrantHat]()
    if grant is None or not hats:
        raise NotFound("no such grant")
    if command is not GrantCommand.RELINQUISH:
        need_scope(ctx, Scope.REVIEW)
    check_grant_command(command, grant, hats, ctx.now)
    act.record(_fact(ctx, grant, command, reason, note))
    changed = act.grants.by_id(grant_id)
    assert changed is not None  # noqa: S101  it was read just now
    return changed


def end_all(act: Act, ctx: Context, found: Collection[Grant], note: str) -> None:
    """Revoke those of the grants that may still be revoked, as given in error; `note` says more.

    Raises: as `change`.
    """
    for grant in found:
        if is_revocable(grant, ctx.now):
            change_within(act, ctx, grant.id, GrantCommand.REVOKE, EndReason.ERROR, note)


def _fact(
    ctx: Context, grant: Grant, command: GrantCommand, reason: EndReason | None, note: str
) -> GrantFact:
    who = (grant.id, grant.person_id)
    sealed = ctx.sealed("note", note)
    match command:
        case GrantCommand.SUSPEND:
            return f.GrantSuspended(*who, reason or EndReason.ERROR, sealed)
        case GrantCommand.REINSTATE:
            return f.GrantReinstated(*who, sealed)
        case GrantCommand.REVOKE:
            return f.GrantRevoked(*who, reason or EndReason.ERROR, sealed)
        case GrantCommand.RELINQUISH:
            return f.GrantRelinquished(*who)
        case GrantCommand.ACTIVATE:
            return f.GrantActivated(*who)


def hats_for(read: Readers, ctx: Context, grant: Grant) -> frozenset[GrantHat]:
    """Return what the actor is towards a grant; empty when it is none of their business."""
    if ctx.actor.is_operator:
        return frozenset({GrantHat.OPERATOR})
    person = current(read, ctx)
    hats = {GrantHat.HOLDER} if grant.person_id == person.id else set()
    if SiteRole.COMPLIANCE in person.site_roles:
        hats.add(GrantHat.COMPLIANCE)
    memberships = read.people.memberships(person.id)
    for model in read.catalogue.models_by_id(grant.models).values():
        roles = memberships.get(model.namespace, frozenset())
        hats |= {GrantHat.HANDLER} if Role.HANDLER in roles else set()
        hats |= {GrantHat.APPROVER} if Role.APPROVER in roles else set()
    return frozenset(hats)


def initial_state(act: Act, person: Person, models: tuple[ModelId, ...]) -> GrantState:
    """Return active when the person's terms for these models are complete, pending otherwise."""
    wanted = {a for m in act.catalogue.models_by_id(models).values() for a in m.agreements}
    terms = act.agreements.terms_of(person.id, wanted)
    complete = all(terms[a] is TermsState.ACCEPTED for a in wanted)
    return GrantState.ACTIVE if complete else GrantState.PENDING_TERMS


def activate_waiting(act: Act, ctx: Context, person: Person) -> None:
    """Activate the person's grants that waited for terms which are complete now."""
    for grant in act.grants.of_person(person.id):
        if grant.state(ctx.now) is GrantState.PENDING_TERMS and (
            initial_state(act, person, grant.models) is GrantState.ACTIVE
        ):
            act.record(f.GrantActivated(grant.id, person.id))
