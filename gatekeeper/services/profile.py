"""Who acts, as they may be shown to themselves: the person, where they belong, through what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatekeeper.domain.people import AccessToken, Context, Person, Role
from gatekeeper.services.people import current
from gatekeeper.services.ports import House


@dataclass(frozen=True, slots=True)
class Profile:
    """The acting person; `token` is the one they act through, None in a session."""

    person: Person
    roles: Mapping[str, frozenset[Role]]
    titles: Mapping[str, str]
    token: AccessToken | None


def show(house: House, ctx: Context) -> Profile:
    """Return who acts, with roles and titles by namespace; raises Refused(no_account)."""
    with house.db.reading() as read:
        person = current(read, ctx)
        roles = read.people.memberships(person.id)
        namespaces = read.catalogue.namespaces(roles)
        token_id = ctx.actor.token_id
        return Profile(
            person=person,
            roles=roles,
            titles={name: namespace.title for name, namespace in namespaces.items()},
            token=read.people.token(token_id) if token_id is not None else None,
        )
