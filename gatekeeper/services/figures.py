"""What the database says of how the site is doing: sizes and ages, nobody's name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gatekeeper.domain.errors import Busy
from gatekeeper.domain.people import Context
from gatekeeper.services.ports import House


@dataclass(frozen=True, slots=True)
class Figures:
    """Backlogs of the ledger, of mail and of the queue; 0 seconds where nothing waits."""

    ledger_entries: int
    ledger_unsequenced: int
    mail_waiting: int
    mail_oldest_seconds: float
    mail_dead: int
    queue_open: int
    queue_oldest_seconds: float


def figures(house: House, ctx: Context) -> Figures | None:
    """Read the figures; None while the database does not answer."""

    def age(since: datetime | None) -> float:
        return 0.0 if since is None else max(0.0, (ctx.now - since).total_seconds())

    try:
        with house.db.reading() as read:
            mail, (cases, oldest) = read.ephemeral.mail_backlog(), read.applications.backlog()
            return Figures(
                ledger_entries=read.audit.head().size,
                ledger_unsequenced=read.audit.unsequenced(),
                mail_waiting=mail.waiting,
                mail_oldest_seconds=age(mail.oldest),
                mail_dead=mail.dead,
                queue_open=cases,
                queue_oldest_seconds=age(oldest),
            )
    except Busy:  # Unavailable is one
        return None
