"""Rows of applications and their threads. Each fact about a case raises its version by one."""

from __future__ import annotations

from typing import Any, assert_never

from sqlalchemy import Connection, insert, select

from gatekeeper.db import tables as t
from gatekeeper.db.changes.rows import add, change, sealed
from gatekeeper.db.ledger import Stamp
from gatekeeper.domain.applications import ApplicationState as S
from gatekeeper.domain.facts import ApplicationFact
from gatekeeper.domain.facts import applications as f


def apply(connection: Connection, stamp: Stamp, fact: ApplicationFact) -> None:  # noqa: C901
    """Write what one fact about an application changed (one `match`: complexity is its length)."""
    match fact:
        case f.ApplicationSubmitted():
            _submit(connection, stamp, fact)
        case f.ApplicationWithdrawn():
            _change(connection, stamp, fact, state=str(S.WITHDRAWN))
        case f.ApplicationClaimed():
            _claim(connection, stamp, fact)
        case f.InformationRequested():
            _say(connection, stamp, fact, fact.author_id, internal=False)
            _change(connection, stamp, fact, state=str(S.INFO_REQUESTED))
        case f.MessagePosted():
            _say(connection, stamp, fact, fact.author_id, internal=fact.internal)
            _change(connection, stamp, fact)
        case f.ApplicationApprovedFirst():
            _say(connection, stamp, fact, fact.approver_id, internal=False)
            _change(
                connection, stamp, fact, state=str(S.SECOND_APPROVAL),
                first_approver_id=fact.approver_id, proposed_ends_on=fact.ends_on.isoformat(),
            )  # fmt: skip
        case f.ApplicationApproved():
            _say(connection, stamp, fact, fact.approver_id, internal=False)
            ends_on = fact.ends_on.isoformat()
            _change(connection, stamp, fact, state=str(S.APPROVED), proposed_ends_on=ends_on)
        case f.ApplicationAutoApproved():
            ends_on = fact.ends_on.isoformat()
            _change(connection, stamp, fact, state=str(S.APPROVED), proposed_ends_on=ends_on)
        case f.ApplicationReturned():
            _say(connection, stamp, fact, fact.approver_id, internal=True)
            _undo(connection, stamp, fact)
        case f.ApplicationRejected():
            _say(connection, stamp, fact, fact.approver_id, internal=False)
            _change(
                connection, stamp, fact, state=str(S.REJECTED), reject_reason=str(fact.reason),
                outcome=str(fact.outcome),
                after_on=fact.after_on.isoformat() if fact.after_on else None,
            )  # fmt: skip
        case f.ApplicationReopened():
            _say(connection, stamp, fact, fact.approver_id, internal=False)
            _undo(connection, stamp, fact)
        case _:
            assert_never(fact)


def _change(connection: Connection, stamp: Stamp, fact: ApplicationFact, **row: Any) -> None:
    c = t.applications.c
    row |= {
        "version": c.version + 1,
        "changed_at": stamp.context.now,
        "event_id": stamp.event_id,
    }
    change(connection, t.applications, c.id == fact.application_id, row)


def _undo(connection: Connection, stamp: Stamp, fact: ApplicationFact) -> None:
    """Put a case back into review as if nobody had decided anything."""
    decided = ("first_approver_id", "proposed_ends_on", "reject_reason", "outcome", "after_on")
    _change(connection, stamp, fact, state=str(S.IN_REVIEW), **dict.fromkeys(decided))


def _claim(connection: Connection, stamp: Stamp, fact: f.ApplicationClaimed) -> None:
    state = connection.execute(
        select(t.applications.c.state).where(t.applications.c.id == fact.application_id)
    ).scalar_one()
    claimed = str(S.IN_REVIEW) if state == S.SUBMITTED else state
    _change(connection, stamp, fact, state=claimed, assignee_id=fact.assignee_id)


def _say(
    connection: Connection,
    stamp: Stamp,
    fact: f.MessagePosted
    | f.InformationRequested
    | f.ApplicationReturned
    | f.ApplicationApprovedFirst
    | f.ApplicationApproved
    | f.ApplicationRejected
    | f.ApplicationReopened,
    author_id: str | None,
    *,
    internal: bool,
) -> None:
    if fact.text is None:
        return
    add(
        connection, t.messages, id=fact.message_id, application_id=fact.application_id,
        author_id=author_id, **sealed("text", fact.text), internal=internal, at=stamp.context.now,
        event_id=stamp.event_id,
    )  # fmt: skip


def _submit(connection: Connection, stamp: Stamp, fact: f.ApplicationSubmitted) -> None:
    c = t.applications.c
    row = {
        "state": str(S.SUBMITTED),
        "form_sha256": fact.form_sha256,
        **sealed("purpose", fact.purpose),
        **sealed("answers", fact.answers),
        **sealed("public_summary", fact.public_summary),
        "submitted_at": stamp.context.now,
    }
    known = connection.execute(select(c.id).where(c.id == fact.application_id)).one_or_none()
    if known is not None:
        _change(connection, stamp, fact, **row)
        return
    add(
        connection, t.applications, id=fact.application_id, lead_id=fact.person_id, version=1,
        changed_at=stamp.context.now, event_id=stamp.event_id, **row,
    )  # fmt: skip
    connection.execute(
        insert(t.application_models),
        [{"application_id": fact.application_id, "model_id": m} for m in fact.models],
    )
