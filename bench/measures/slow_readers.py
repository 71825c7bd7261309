"""Thousands of readers on a bad line: are all of them served, and does the site still answer?

Each takes 16 KiB a second of the large file. Meanwhile `/healthz` is asked on fresh connections,
and people sign in. Memory is what the server holds more than before, a reader.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.clients import probe
from bench.clients.probe import Probe
from bench.figures import Bound, Figure
from bench.ground import Ground
from bench.processes import Server
from bench.servers import anchors, flask_anchor, ours
from bench.servers.hall import LARGE_PATH, WEIGHTS, Hall

DIRECT_READERS, FRONT_READERS = 2000, 10_000
WATCH_SECONDS = 14.0
LEAST_BYTES = 64 << 10  # what each reader must have by the end
HEALTH_SECONDS, SIGN_IN_SECONDS = 0.05, 0.5
ANCHOR = "nginx X-Accel + Flask"


@dataclass(slots=True)
class Watch:
    """What was seen while the readers read."""

    readers: int
    served: int = 0
    answers: Mapping[str, int] = field(default_factory=dict)  # readers by status
    bytes_a_reader: float = 0.0
    health: Probe = field(default_factory=Probe)
    sign_in: Probe = field(default_factory=Probe)
    quiet_sign_in: Probe = field(default_factory=Probe)


def measure(ground: Ground) -> Sequence[Figure]:
    """Watch our server and the anchor under the same readers, one after the other."""
    hall = ground.hall
    with anchors.x_accel(ground.place("x-accel"), hall.files / WEIGHTS) as server:
        anchor = _watch(server, flask_anchor.link(LARGE_PATH), DIRECT_READERS)
    with ours.direct(hall, threads=DIRECT_READERS + 200) as server:
        link = hall.link(server.port, WEIGHTS, LARGE_PATH)
        own = _watch(server, link, DIRECT_READERS, hall)
    with anchors.x_accel(ground.place("x-accel"), hall.files / WEIGHTS) as server:
        many = _watch(server, flask_anchor.link(LARGE_PATH), FRONT_READERS)
    with ours.x_accel(hall, ground.place) as server:
        link = hall.link(server.port, WEIGHTS, LARGE_PATH)
        front = _watch(server, link, FRONT_READERS, hall)
    return [
        *_figures("slow readers", own, anchor),
        *_figures("slow readers, 10,000 x-accel", front, many),
    ]


def _watch(server: Server, path: str, readers: int, hall: Hall | None = None) -> Watch:
    """Let so many read for a while; people sign in where there are people."""
    seen = Watch(readers)
    if hall is not None:
        _repeat(seen.quiet_sign_in, lambda: _sign_in(server, hall), SIGN_IN_SECONDS, 5)
    probe.health(server.port)
    before = server.pss_bytes()
    with _crowd(server.port, path, readers) as crowd:
        asking = threading.Thread(
            target=_repeat,
            args=(seen.health, lambda: probe.health(server.port), HEALTH_SECONDS, WATCH_SECONDS),
        )
        asking.start()
        if hall is not None:
            _repeat(
                seen.sign_in, lambda: _sign_in(server, hall), SIGN_IN_SECONDS, WATCH_SECONDS - 1
            )
        asking.join()
        seen.bytes_a_reader = (server.pss_bytes() - before) / readers
        counted = crowd()
        seen.served, seen.answers = counted["served"], counted["answers"]
    return seen


def _sign_in(server: Server, hall: Hall) -> None:
    member = hall.people[1]
    probe.sign_in(server.port, member.email, member.password)


def _repeat(into: Probe, call: Callable[[], None], every: float, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.monotonic()
        into.ask(call)
        time.sleep(max(0.0, every - (time.monotonic() - begun)))


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


def _figures(name: str, own: Watch, anchor: Watch) -> Sequence[Figure]:
    served, health = (own.served, anchor.served), (own.health.p99_ms, anchor.health.p99_ms)
    faults = own.health.faults + own.sign_in.faults
    answers = ", ".join(f"{status or 'none'} x {n}" for status, n in sorted(own.answers.items()))
    return [
        _figure(name, ANCHOR, "readers served", served, own.served / own.readers, (1.0, 1.0),
                Bound.AT_LEAST, note=f"answered {answers}; {faults} of the probes failed"),
        _figure(f"{name}, health p99", ANCHOR, "ms", health, health[0] / health[1], (3.0, 3.0)),
        _figure(f"{name}, memory", "64 KiB a reader", "KiB a reader",
                (own.bytes_a_reader / 1024, 64.0), own.bytes_a_reader / (64 << 10), (1.0, 0.75),
                note=f"{ANCHOR}: {anchor.bytes_a_reader / 1024:.1f} KiB"),
        _figure(f"{name}, sign-in p99", "our own server without readers", "ms",
                (own.sign_in.p99_ms, own.quiet_sign_in.p99_ms),
                own.sign_in.p99_ms / own.quiet_sign_in.p99_ms),
    ]  # fmt: skip


def _figure(
    name: str,
    anchor: str,
    unit: str,
    values: tuple[float, float],
    ratio: float,
    limits: tuple[float, float] | None = None,
    bound: Bound = Bound.AT_MOST,
    note: str = "",
) -> Figure:
    return Figure(
        name=name,
        anchor=anchor,
        unit=unit,
        values={"ours": [values[0]], "anchor": [values[1]]},
        ratios=[ratio],
        floor=limits[0] if limits else None,
        aim=limits[1] if limits else None,
        bound=bound if limits else Bound.NONE,
        note=note,
    )
