"""Programs that wait for a person to let them in: rows that end by themselves.

Not audited: only the token that one is given is a fact (services/tokens).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, select, update

from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.domain.people import PersonId, Scope


class DeviceState(StrEnum):
    """Whether a person has answered."""

    WAITING = "waiting"
    ALLOWED = "allowed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Device:
    """One program: `digest` is of its secret code, `user_code` is what a person types."""

    digest: str
    user_code: str
    state: DeviceState
    person_id: PersonId | None
    scope: Scope
    asked_at: datetime
    polled_at: datetime
    expires_at: datetime


class Devices:
    """Programs that wait, over one connection; an expired one is told so until it is swept."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

    def by_digest(self, digest: str) -> Device | None:
        """Return the program with this secret."""
        query = select(t.devices).where(t.devices.c.digest == digest)
        row = self._c.execute(query).mappings().one_or_none()
        return _device(dict(row)) if row is not None else None

    def by_user_code(self, user_code: str, now: datetime) -> Device | None:
        """Return the program that shows this code and still waits for an answer."""
        c = t.devices.c
        waits = (c.user_code == user_code, c.state == DeviceState.WAITING, c.expires_at > now)
        row = self._c.execute(select(t.devices).where(*waits)).mappings().one_or_none()
        return _device(dict(row)) if row is not None else None

    def waiting(self, now: datetime) -> int:
        """Return how many have not expired, answered or not."""
        query = select(func.count()).where(t.devices.c.expires_at > now)
        return int(self._c.execute(query).scalar_one())

    @writes
    def add(self, device: Device) -> None:
        """Keep a program."""
        row = {name: getattr(device, name) for name in Device.__slots__}
        self._c.execute(insert(t.devices).values(**row))

    @writes
    def answer(self, digest: str, state: DeviceState, person_id: PersonId, scope: Scope) -> bool:
        """Keep a person's answer; False when there is one already."""
        c = t.devices.c
        answered = self._c.execute(
            update(t.devices)
            .where(c.digest == digest, c.state == DeviceState.WAITING)
            .values(state=state, person_id=person_id, scope=scope)
        )
        return bool(answered.rowcount)

    @writes
    def note_poll(self, digest: str, now: datetime) -> None:
        """Note that a program asked."""
        self._c.execute(update(t.devices).where(t.devices.c.digest == digest).values(polled_at=now))

    @writes
    def drop(self, digest: str) -> bool:
        """Forget a program; False when it is gone already."""
        gone = self._c.execute(delete(t.devices).where(t.devices.c.digest == digest))
        return bool(gone.rowcount)

    @writes
    def drop_of(self, person_id: PersonId) -> None:
        """Forget the programs that a person has answered."""
        self._c.execute(delete(t.devices).where(t.devices.c.person_id == person_id))

    @writes
    def sweep(self, before: datetime) -> None:
        """Forget what ended before a moment."""
        self._c.execute(delete(t.devices).where(t.devices.c.expires_at <= before))


def _device(row: dict[str, object]) -> Device:
    row |= {"state": DeviceState(str(row["state"])), "scope": Scope(str(row["scope"]))}
    return Device(**row)  # type: ignore[arg-type]
