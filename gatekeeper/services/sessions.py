"""Browser sessions: a random id in the cookie, its SHA-256 in a table of our own.

A session of a person ends after idling, after its lifetime, at sign-out, or when its owner ends it.
Not here: cookies (web/identity) and passwords (services/people).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

from gatekeeper.db.ephemeral import SessionRow
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.people import Context, PersonId
from gatekeeper.services.people import current
from gatekeeper.services.ports import House

ANONYMOUS_SECONDS = 3600
_TOUCH = timedelta(minutes=1)


def digest(session_id: str) -> str:
    """Return what is stored of a session id."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def find(house: House, ctx: Context, session_id: str) -> SessionRow | None:
    """Return the live session of a cookie; None for any other value."""
    if not 20 <= len(session_id) <= 100:
        return None
    with house.db.reading() as read:
        row = read.ephemeral.session(digest(session_id), ctx.now)
    if row is not None and row.person_id is not None and ctx.now - row.seen_at > _TOUCH:
        row = _prolong(house, ctx, row)
    return row


def begin(
    house: House,
    ctx: Context,
    session_id: str,
    person_id: PersonId | None,
    payload: str,
    user_agent: str,
) -> None:
    """Open a session under a fresh id."""
    row = SessionRow(
        digest=digest(session_id),
        person_id=person_id,
        payload=payload,
        user_agent=user_agent[:200],
        created_at=ctx.now,
        seen_at=ctx.now,
        expires_at=ctx.now,
    )
    with house.db.acting(ctx) as act:
        act.ephemeral.begin_session(_with_end(house, row))


def keep(house: House, ctx: Context, session_id: str, payload: str) -> None:
    """Write what a session holds now; one that was ended meanwhile stays ended."""
    with house.db.acting(ctx) as act:
        row = act.ephemeral.session(digest(session_id), ctx.now)
        if row is not None:
            act.ephemeral.keep_session(
                _with_end(house, replace(row, payload=payload, seen_at=ctx.now))
            )


def end(house: House, ctx: Context, session_id: str) -> None:
    """End the session of a cookie."""
    with house.db.acting(ctx) as act:
        act.ephemeral.end_session(digest(session_id))


def mine(house: House, ctx: Context) -> list[SessionRow]:
    """Return the actor's live sessions."""
    with house.db.reading() as read:
        return read.ephemeral.sessions_of(current(read, ctx).id, ctx.now)


def end_mine(house: House, ctx: Context, session_digest: str) -> None:
    """End one of the actor's own sessions; raises NotFound for anybody else's."""
    with house.db.acting(ctx) as act:
        own = act.ephemeral.sessions_of(current(act, ctx).id, ctx.now)
        if session_digest not in {row.digest for row in own}:
            raise NotFound("no such session")
        act.ephemeral.end_session(session_digest)


def end_others(house: House, ctx: Context, kept_digest: str) -> None:
    """End every session of the actor but one, and every login of a program that waits."""
    with house.db.acting(ctx) as act:
        person = current(act, ctx)
        act.ephemeral.end_sessions_of(person.id, but=kept_digest)
        act.devices.drop_of(person.id)


def sweep(house: House, ctx: Context) -> None:
    """Delete what has ended."""
    with house.db.acting(ctx) as act:
        act.ephemeral.sweep(ctx.now, ctx.now - timedelta(days=1))
        act.registrants.sweep(ctx.now)
        act.devices.sweep(ctx.now - timedelta(days=1))


def _prolong(house: House, ctx: Context, row: SessionRow) -> SessionRow:
    seen = _with_end(house, replace(row, seen_at=ctx.now))
    with house.db.acting(ctx) as act:
        act.ephemeral.keep_session(seen)
    return seen


def _with_end(house: House, row: SessionRow) -> SessionRow:
    if row.person_id is None:
        return replace(row, expires_at=row.seen_at + timedelta(seconds=ANONYMOUS_SECONDS))
    idle = row.seen_at + timedelta(seconds=house.policy.session_idle_seconds)
    longest = row.created_at + timedelta(seconds=house.policy.session_lifetime_seconds)
    return replace(row, expires_at=min(idle, longest))
