"""The one place where the clock is read and chance is drawn: both go into a Context at once."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from gatekeeper.domain.people import Actor, Context


def context_for(actor: Actor, request_id: str = "") -> Context:
    """Read the clock once and make the Context of one act."""
    return Context(actor, read_clock(), fresh, request_id)


def read_clock() -> datetime:
    """Return now, aware UTC."""
    return datetime.now(UTC)  # noqa: TID251  this is the place


def fresh(size: int) -> bytes:
    """Return `size` bytes from the operating system's generator."""
    return os.urandom(size)  # noqa: TID251  this is the place
