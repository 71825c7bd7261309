"""Rows of people, their roles and their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from sqlalchemy import Connection, delete

from gatekeeper.db import tables as t
from gatekeeper.db.changes.rows import add, change, sealed
from gatekeeper.db.ledger import Stamp
from gatekeeper.domain.facts import PeopleFact
from gatekeeper.domain.facts import people as f


def apply(connection: Connection, stamp: Stamp, fact: PeopleFact) -> None:  # noqa: C901  a match
    """Write what one fact about people changed."""
    event, now = {"event_id": stamp.event_id}, stamp.context.now
    match fact:
        case f.PersonRegistered():
            _register(connection, stamp, fact)
        case f.AddressVerified():
            _person(connection, fact.person_id, {"verified_at": now, **event})
        case f.PasswordSet():
            _person(connection, fact.person_id, {**sealed("password", fact.password), **event})
        case f.PersonSuspended():
            row = {"suspended": True, **sealed("note", fact.note), **event}
            _person(connection, fact.person_id, row)
        case f.PersonReinstated():
            row = {"suspended": False, **sealed("note", fact.note), **event}
            _person(connection, fact.person_id, row)
        case f.SiteRoleGiven():
            add(connection, t.site_roles, person_id=fact.person_id, role=str(fact.role), **event)
        case f.MemberAdded():
            add(
                connection, t.members, namespace=fact.namespace, person_id=fact.person_id,
                role=str(fact.role), **event,
            )  # fmt: skip
        case f.MemberRemoved():
            connection.execute(
                delete(t.members).where(
                    t.members.c.namespace == fact.namespace,
                    t.members.c.person_id == fact.person_id,
                    t.members.c.role == str(fact.role),
                )
            )
        case f.TokenCreated():
            _create_token(connection, stamp, fact)
        case f.TokenRevoked():
            where = (t.tokens.c.id == fact.token_id) & t.tokens.c.revoked_at.is_(None)
            change(connection, t.tokens, where, {"revoked_at": now, **event})
        case _:
            assert_never(fact)


def _person(connection: Connection, person_id: str, row: Mapping[str, object]) -> None:
    change(connection, t.persons, t.persons.c.id == person_id, row)


def _register(connection: Connection, stamp: Stamp, fact: f.PersonRegistered) -> None:
    add(
        connection,
        t.persons,
        id=fact.person_id,
        **sealed("username", fact.username),
        **sealed("email", fact.email),
        **sealed("name", fact.name),
        **sealed("affiliation", fact.affiliation),
        **sealed("password", fact.password),
        suspended=False,
        created_at=stamp.context.now,
        event_id=stamp.event_id,
    )


def _create_token(connection: Connection, stamp: Stamp, fact: f.TokenCreated) -> None:
    add(
        connection,
        t.tokens,
        id=fact.token_id,
        person_id=fact.person_id,
        **sealed("name", fact.name),
        scope=str(fact.scope),
        digest=fact.digest,
        hint=fact.hint,
        created_at=stamp.context.now,
        expires_at=fact.expires_at,
        event_id=stamp.event_id,
    )
