"""Thousands of readers on a bad line: are all of them served, and does the site still answer?

Each takes 16 KiB a second of the large file. Meanwhile `/healthz` is asked on fresh connections at
fixed times, and people sign in. Memory is what the server holds more than before, a reader. A 99th
percentile is that of all askings of all rounds: a wait for a packet sent again, of 1, 3 or 7
seconds, is in one round and not in the next.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.clients import probe
from bench.clients.probe import Probe
from bench.figures import Bound, Figure, by_yield, in_rounds
from bench.ground import Ground
from bench.processes import Server
from bench.servers import anchors, flask_anchor, ours
from bench.servers.hall import LARGE_PATH, WEIGHTS, Hall

DIRECT_READERS, FRONT_READERS = 2000, 10_000
MOST_ROUNDS = 3
WATCH_SECONDS = 14.0
LEAST_BYTES = 64 << 10  # what each reader must have by the end
HEALTH_SECONDS, SIGN_IN_SECONDS = 0.05, 0.5
ANCHOR = "nginx X-Accel + Flask"


@dataclass(slots=True)
class Watch:
    """What was seen while the readers read."""

    readers: int
    served: int = 0
    answers: Mapping[str, int] = field(default_factory=dict)  # how often each status was read
    bytes_a_reader: float = 0.0
    health: Probe = field(default_factory=Probe)
    sign_in: Probe = field(default_factory=Probe)
    quiet_sign_in: Probe = field(default_factory=Probe)


def measure(ground: Ground) -> Sequence[Figure]:
    """Watch our server and the anchor under the same readers, each on its own."""
    direct = in_rounds(
        {
            "ours": lambda: _watch_ours(
                ours.direct(ground.hall, threads=DIRECT_READERS + 200), ground.hall, DIRECT_READERS
            ),
            "anchor": lambda: _watch_anchor(ground, DIRECT_READERS),
        },
        min(ground.rounds, MOST_ROUNDS),
    )
    front = in_rounds(
        {
            "ours": lambda: _watch_ours(
                ours.x_accel(ground.hall, ground.place), ground.hall, FRONT_READERS
            ),
            "anchor": lambda: _watch_anchor(ground, FRONT_READERS),
        },
        min(ground.rounds, MOST_ROUNDS),
    )
    return [
        *_figures("slow readers", direct["ours"], direct["anchor"]),
        *_figures("slow readers, 10,000 x-accel", front["ours"], front["anchor"]),
    ]


def _watch_ours(starting: AbstractContextManager[Server], hall: Hall, readers: int) -> Watch:
    with starting as server:
        return _watch(server, hall.link(server.port, WEIGHTS, LARGE_PATH), readers, hall)


def _watch_anchor(ground: Ground, readers: int) -> Watch:
    with anchors.x_accel(ground.place("x-accel"), ground.hall.files / WEIGHTS) as server:
        return _watch(server, flask_anchor.link(LARGE_PATH), readers)


def _watch(server: Server, path: str, readers: int, hall: Hall | None = None) -> Watch:
    """Let so many read for a while; people sign in where there are people."""
    seen = Watch(readers)
    if hall is not None:
        seen.quiet_sign_in.ask_at(lambda: _sign_in(server, hall), SIGN_IN_SECONDS, 5)
    probe.health(server.port)
    before = server.pss_bytes()
    with _crowd(server.port, path, readers) as crowd:
        asking = threading.Thread(
            target=seen.health.ask_at,
            args=(lambda: probe.health(server.port), HEALTH_SECONDS, WATCH_SECONDS),
        )
        asking.start()
        if hall is not None:
            seen.sign_in.ask_at(lambda: _sign_in(server, hall), SIGN_IN_SECONDS, WATCH_SECONDS - 1)
        asking.join()
        seen.bytes_a_reader = (server.pss_bytes() - before) / readers
        counted = crowd()
        seen.served, seen.answers = counted["served"], counted["answers"]
    return seen


def _sign_in(server: Server, hall: Hall) -> None:
    member = hall.people[1]
    probe.sign_in(server.port, member.email, member.password)


@contextmanager
def _crowd(port: int, path: str, readers: int) -> Iterator[Callable[[], Any]]:
    """Run the readers in a process of their own; calling what is given ends and counts them."""
    command = [sys.executable, "-m", "bench.clients.slow"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told, lines = process.stdin, process.stdout
        print(json.dumps([port, [path], readers]), file=told, flush=True)
        assert lines.readline() == "open\n"

        def count() -> Any:
            print(json.dumps(LEAST_BYTES), file=told, flush=True)
            return json.loads(lines.readline())

        try:
            yield count
        finally:
            process.kill()


def _figures(name: str, own: Sequence[Watch], anchor: Sequence[Watch]) -> Sequence[Figure]:
    served = [watch.served for watch in own], [watch.served for watch in anchor]
    kib = [[w.bytes_a_reader / 1024 for w in watches] for watches in (own, anchor)]
    health = [w.health for w in own], [w.health for w in anchor]
    signing = [w.sign_in for w in own], [w.quiet_sign_in for w in own]
    return [
        _figure(name, ANCHOR, "readers served", served,
                [w.served / w.readers for w in own], (1.0, 1.0), Bound.AT_LEAST,
                f"told {_told(own)}; {ANCHOR}: {_told(anchor)}"),
        _waits(f"{name}, health p99", ANCHOR, health, (3.0, 3.0)),
        _figure(f"{name}, memory", "64 KiB a reader", "KiB a reader", (kib[0], [64.0]),
                [k / 64 for k in kib[0]], (1.0, 0.75), note=f"{ANCHOR}: {median(kib[1]):.1f} KiB"),
        _waits(f"{name}, sign-in p99", "our own server without readers", signing),
    ]  # fmt: skip


def _told(watches: Sequence[Watch]) -> str:
    found: Counter[str] = Counter()
    for watch in watches:
        found.update(watch.answers)
    return ", ".join(f"{status} x {n:,}" for status, n in sorted(found.items()))


def _waits(
    name: str,
    anchor: str,
    probes: tuple[Sequence[Probe], Sequence[Probe]],
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Compare the 99th percentiles of all askings; the note has them round by round."""
    both = Probe.of(probes[0]), Probe.of(probes[1])
    rounds = [" ".join(f"{p.p99_ms:,.0f}" for p in side) for side in probes]
    note = (
        f"{len(both[0].seconds)} askings, {len(both[0].failed)} failed; in the rounds "
        f"{rounds[0]} ms beside {rounds[1]} ms"
    )
    values = [both[0].p99_ms], [both[1].p99_ms]
    return _figure(name, anchor, "ms", values, by_yield(*values), limits, note=note)


def _figure(
    name: str,
    anchor: str,
    unit: str,
    values: tuple[Sequence[float], Sequence[float]],
    ratios: Sequence[float],
    limits: tuple[float, float] | None = None,
    bound: Bound = Bound.AT_MOST,
    note: str = "",
) -> Figure:
    return Figure(
        name=name,
        anchor=anchor,
        unit=unit,
        values={"ours": values[0], "anchor": values[1]},
        ratios=ratios,
        floor=limits[0] if limits else None,
        aim=limits[1] if limits else None,
        bound=bound if limits else Bound.NONE,
        note=note,
    )
