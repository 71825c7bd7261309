"""Who belongs where: roles in a namespace, and accounts suspended or reinstated by the operator."""

from __future__ import annotations

from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.facts import people as f
from gatekeeper.domain.people import Context, Role
from gatekeeper.services.people import normalise_email
from gatekeeper.services.ports import House


def set_suspended(house: House, ctx: Context, email: str, reason: str, *, suspended: bool) -> None:
    """Suspend or reinstate an account (operator): it opens nothing meanwhile."""
    with house.db.acting(ctx) as act:
        person = act.people.by_email(normalise_email(email))
        if person is None:
            raise NotFound("no such person")
        note = ctx.sealed("note", reason)
        if suspended:
            act.record(f.PersonSuspended(person.id, note))
            act.ephemeral.end_sessions_of(person.id)
            act.devices.drop_of(person.id)
        else:
            act.record(f.PersonReinstated(person.id, note))


def set_role(
    house: House, ctx: Context, namespace: str, email: str, role: Role, *, remove: bool
) -> None:
    """Give a person a role in a namespace or take it away; doing it twice changes nothing."""
    with house.db.acting(ctx) as act:
        person = act.people.by_email(normalise_email(email))
        if person is None or act.catalogue.namespace(namespace) is None:
            raise NotFound("no such person or namespace")
        has = role in act.people.roles_in(person.id, namespace)
        if remove and has:
            act.record(f.MemberRemoved(namespace, person.id, role))
        if not remove and not has:
            act.record(f.MemberAdded(namespace, person.id, role))
