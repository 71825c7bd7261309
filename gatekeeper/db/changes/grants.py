"""Rows of grants. Each carries an HMAC over what decides; a row not written here opens nothing."""

from __future__ import annotations

from typing import assert_never

from sqlalchemy import Connection, insert, select, update

from gatekeeper.db import tables as t
from gatekeeper.db.changes.rows import add, change, sealed
from gatekeeper.db.grants import grant_mac
from gatekeeper.db.ledger import Stamp
from gatekeeper.domain.facts import GrantFact
from gatekeeper.domain.facts import grants as f
from gatekeeper.domain.grants import GrantState


def apply(connection: Connection, key: bytes, stamp: Stamp, fact: GrantFact) -> None:
    """Write what one fact about grants changed, and sign the row anew."""
    match fact:
        case f.GrantCreated():
            _create(connection, stamp, fact)
        case f.GrantActivated() | f.GrantReinstated():
            _move(connection, stamp, fact, GrantState.ACTIVE)
        case f.GrantSuspended():
            _move(connection, stamp, fact, GrantState.SUSPENDED, str(fact.reason))
        case f.GrantRevoked():
            _move(connection, stamp, fact, GrantState.REVOKED, str(fact.reason))
        case f.GrantRelinquished():
            _move(connection, stamp, fact, GrantState.RELINQUISHED)
        case _:
            assert_never(fact)
    _sign(connection, key, fact.grant_id)


def _create(connection: Connection, stamp: Stamp, fact: f.GrantCreated) -> None:
    add(
        connection, t.grants, id=fact.grant_id, person_id=fact.person_id, state=str(fact.state),
        starts_at=fact.starts_at, ends_at=fact.ends_at, application_id=fact.application_id,
        agreement_id=fact.agreement_id, changed_at=stamp.context.now, event_id=stamp.event_id,
        mac=b"",
    )  # fmt: skip
    covered = [{"model_id": m, "starts_at": fact.starts_at} for m in fact.models]
    connection.execute(
        insert(t.grant_models), [{"grant_id": fact.grant_id, **one} for one in covered]
    )


def _move(
    connection: Connection, stamp: Stamp, fact: GrantFact, to: GrantState, reason: str | None = None
) -> None:
    row: dict[str, object] = {
        "state": str(to),
        "reason": reason,
        "changed_at": stamp.context.now,
        "event_id": stamp.event_id,
    }
    if isinstance(fact, f.GrantSuspended | f.GrantReinstated | f.GrantRevoked):
        row |= sealed("note", fact.note)
    change(connection, t.grants, t.grants.c.id == fact.grant_id, row)


def _sign(connection: Connection, key: bytes, grant_id: str) -> None:
    row = connection.execute(select(t.grants).where(t.grants.c.id == grant_id)).one()
    models = connection.execute(
        select(t.grant_models.c.model_id).where(t.grant_models.c.grant_id == grant_id)
    ).scalars()
    connection.execute(
        update(t.grants)
        .where(t.grants.c.id == grant_id)
        .values(mac=grant_mac(key, row, sorted(models)))
    )
