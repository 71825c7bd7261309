"""Threads that record facts one after the other, as requests would, without HTTP in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta

from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.access import Basis
from gatekeeper.domain.catalogue import ModelId, RevisionId
from gatekeeper.domain.facts.downloads import FileServed
from gatekeeper.domain.people import Context, PersonId
from tests.cast import context

THREADS = 32
PERSON, MODEL, REVISION = PersonId("per_bench"), ModelId("mod_bench"), RevisionId("0" * 40)


@dataclass(slots=True)
class Acts:
    """How long each act took until it was durable, in seconds."""

    seconds: float
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Acts a second."""
        return len(self.latencies) / self.seconds

    @property
    def p99_ms(self) -> float:
        """The 99th percentile of an act, in milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[int(0.99 * (len(ordered) - 1))]


Acting = Callable[[Context], AbstractContextManager[Act]]


def act_on(acting: Acting, seconds: float) -> Acts:
    """Record the fact of a download an act, in every thread, until the time is over."""
    begun = time.perf_counter()

    def work(number: int) -> list[float]:
        found = []
        hour = context().now.replace(minute=0, second=0, microsecond=0) + timedelta(days=number)
        while (asked := time.perf_counter()) < begun + seconds:
            hour += timedelta(hours=1)
            ctx = context()
            sha256 = ctx.fresh(32).hex()
            with acting(ctx) as act:
                act.record(FileServed(PERSON, None, MODEL, REVISION, sha256, Basis.MEMBER, hour))
            found.append(time.perf_counter() - asked)
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        latencies = [one for found in pool.map(work, range(THREADS)) for one in found]
    return Acts(time.perf_counter() - begun, latencies)
