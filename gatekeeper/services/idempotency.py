"""Idempotency keys: a request repeated under its key is done once and answered alike, for a day.

A key belongs to one person. It is claimed before the act and keeps the answer after it; a request
that changed nothing gives it back. Not here: what makes two requests the same (web/api/once).
Known gap: act and answer are two transactions. A process that dies between them leaves the key
claimed, and a repeat is refused for the day rather than done twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gatekeeper.domain.errors import Conflict, invalid
from gatekeeper.domain.people import Context, PersonId
from gatekeeper.services.people import current
from gatekeeper.services.ports import House

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a finished request was answered; `text` is whatever its caller needs to say it again."""

    status: int
    text: str


def claim(house: House, ctx: Context, key: str, request_sha256: str) -> Kept | None:
    """Claim a key for a request about to run; return the answer to repeat when it ran before.

    Raises: Refused(no_account), Invalid when the key was used for another request, Conflict while
    the first one runs or when it was cut off.
    """
    with house.db.acting(ctx) as act:
        person = current(act, ctx)
        act.lock(f"idempotency:{person.id}:{key}")
        earlier = act.ephemeral.claim_key(
            person.id, key, request_sha256, ctx.now, since=ctx.now - KEPT
        )
    if earlier is None:
        return None
    if earlier.request_sha256 != request_sha256:
        raise invalid("Idempotency-Key", "this key was used for another request; choose a new one")
    if earlier.status is None:
        raise Conflict(
            "a request with this key is running, or was cut off: look what became of it before "
            "you send it again under a new key"
        )
    return Kept(earlier.status, earlier.answer or "")


def keep(house: House, ctx: Context, key: str, answer: Kept) -> None:
    """Keep the answer of a request that was carried out."""
    with house.db.acting(ctx) as act:
        act.ephemeral.keep_answer(_owner(ctx), key, answer.status, answer.text)


def release(house: House, ctx: Context, key: str) -> None:
    """Give a key back after a request that changed nothing."""
    with house.db.acting(ctx) as act:
        act.ephemeral.release_key(_owner(ctx), key)


def _owner(ctx: Context) -> PersonId:
    assert ctx.actor.person_id is not None  # noqa: S101  `claim` refused anybody else
    return ctx.actor.person_id
