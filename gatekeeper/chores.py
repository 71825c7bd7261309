"""What a server does beside requests: mail, counters, leaves, sweeping. No chore ever grants.

Each chore is safe to run in several processes: leases and advisory locks are in the database.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from gatekeeper import clock
from gatekeeper.domain.errors import Busy
from gatekeeper.domain.people import SYSTEM, Context
from gatekeeper.services import downloads, outbox, sessions
from gatekeeper.services.ports import House
from gatekeeper.services.uploads import verifying

log = logging.getLogger("gatekeeper.chores")

TICK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do every so many ticks."""

    name: str
    every_ticks: int
    do: Callable[[House, Context], object]


def total(house: House, ctx: Context) -> None:
    """Roll every past hour up, an act a batch; one batch alone would fall behind for good."""
    while downloads.roll_up(house, ctx):
        pass


# Leaves are at most a second behind (Postgres); the rest may wait.
EVERYWHERE = (
    Chore("sequence", 1, lambda house, _: house.db.is_postgres and house.db.sequence()),
    Chore("counters", 20, downloads.flush_tally),
)
WORKER = (
    Chore("mail", 4, outbox.deliver),
    Chore("totals", 240, total),
    Chore("sweep", 2400, sessions.sweep),
)


def verify_all(house: House, _ctx: Context) -> None:
    """Verify uploads until none waits; each may take minutes."""
    while verifying.verify_next(house, lambda: clock.context_for(SYSTEM)):
        pass


# On a thread of their own: mail and leaves do not wait for a large file.
SLOW = (
    Chore("uploads", 1, verify_all),
    Chore("expired uploads", 240, verifying.forget_expired),
    Chore("unfinished uploads", 14_400, verifying.sweep),
)


def rounds(
    house: House, done: Callable[[str, float], None] | None = None, *, is_worker: bool
) -> list[Round]:
    """Begin the rounds of a process; `is_worker` where it does what one process alone needs do."""
    groups = (EVERYWHERE + WORKER, SLOW) if is_worker else (EVERYWHERE,)
    found = [Round(house, group, done) for group in groups]
    for each in found:
        each.start()
    return found


class Round(threading.Thread):
    """A thread that goes round the chores until it is told to stop, then once more."""

    def __init__(
        self,
        house: House,
        chores: tuple[Chore, ...],
        done: Callable[[str, float], None] | None = None,
    ) -> None:
        super().__init__(name="chores", daemon=True)
        self._house = house
        self._chores = chores
        self._done = done
        self._stopping = threading.Event()
        self.turns = 0

    def run(self) -> None:
        """Do each chore when its tick comes."""
        while not self._stopping.wait(TICK_SECONDS):
            self.turns += 1
            for chore in self._chores:
                if self.turns % chore.every_ticks == 0:
                    self.do(chore)
        for chore in self._chores:
            self.do(chore)

    def do(self, chore: Chore) -> None:
        """Do one chore; whatever it raises is logged and the round goes on."""
        ctx = clock.context_for(SYSTEM)
        try:
            chore.do(self._house, ctx)
        except Busy as error:  # a database that is away would fill the log
            log.warning("chore %s put off: %s", chore.name, error)
            return
        except Exception:  # the outermost frame of a background thread
            log.exception("chore %s failed", chore.name)
            return
        if self._done is not None:
            self._done(chore.name, ctx.now.timestamp())

    def finish(self) -> None:
        """Stop after one last round, so that counters and owed mail are not lost."""
        self._stopping.set()
        self.join(timeout=10)
