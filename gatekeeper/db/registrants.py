"""Who asked for an account and has not proven the address yet: rows that end by themselves.

Not audited: no account is there until the address is proven (services/registration).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.domain.people import PersonId


@dataclass(frozen=True, slots=True)
class Registrant:
    """What somebody typed; `id` becomes the person's, `password` is its argon2id hash."""

    id: PersonId
    email: str
    username: str
    name: str
    affiliation: str
    password: str
    expires_at: datetime


class Registrants:
    """Registrations that wait, over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

    def by_id(self, person_id: PersonId, now: datetime) -> Registrant | None:
        """Return a registration that still waits."""
        c = t.registrants.c
        query = select(t.registrants).where(c.id == person_id, c.expires_at > now)
        row = self._c.execute(query).mappings().one_or_none()
        return Registrant(**row) if row is not None else None

    def ask_for(self, username: str, *, but: str, now: datetime) -> bool:
        """Say whether somebody with another address than `but` waits for this username."""
        c = t.registrants.c
        found = self._c.execute(
            select(c.id).where(c.username == username, c.email != but, c.expires_at > now)
        )
        return found.first() is not None

    @writes
    def add(self, registrant: Registrant) -> None:
        """Keep a registration in the place of an earlier one of the same address."""
        self._c.execute(delete(t.registrants).where(t.registrants.c.email == registrant.email))
        row = {name: getattr(registrant, name) for name in Registrant.__slots__}
        self._c.execute(insert(t.registrants).values(**row))

    @writes
    def drop(self, person_id: PersonId) -> None:
        """Forget a registration."""
        self._c.execute(delete(t.registrants).where(t.registrants.c.id == person_id))

    @writes
    def sweep(self, now: datetime) -> None:
        """Forget what was not proven in time."""
        self._c.execute(delete(t.registrants).where(t.registrants.c.expires_at <= now))
