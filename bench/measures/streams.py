"""Signed download of 1 GiB: one stream, sixteen streams, sixteen ranges, and aria2c.

By server CPU-seconds a GiB: bytes a second move with the machine's other guests, CPU-seconds hardly
do. Source: performance.md A.
"""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.clients.drain import Wanted, Wrong, drain_all, split
from bench.figures import Bound, Figure, by_cost, in_rounds
from bench.ground import Ground
from bench.processes import Server
from bench.servers import anchors, ours
from bench.servers.hall import LARGE_BYTES, LARGE_PATH, WEIGHTS, Hall

ANCHOR = "nginx secure_link"
STREAMS, RANGES, RANGE_TURNS, ARIA_TURNS = 16, 16, 4, 2
SHM = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Contender:
    """A running server and the signed address of the large file on it."""

    server: Server
    path: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What one download took."""

    cpu_seconds_a_gib: float
    gib_a_second: float


Download = Callable[[Contender], int]


def measure(ground: Ground) -> Sequence[Figure]:
    """Measure every way of downloading on every server."""
    with contenders(ground) as found:
        costs = {
            way: in_rounds(
                {name: partial(_cost, one, how) for name, one in found.items()},
                ground.rounds,
            )
            for way, how in _ways(ground).items()
        }
    return [
        *(_figure("full streams", costs["streams"], name) for name in found if name != ANCHOR),
        *(_figure("ranges", costs["ranges"], name) for name in found if name != ANCHOR),
        *(_figure("one stream", costs["one"], name) for name in found if name != ANCHOR),
        *(_figure("aria2c", costs["aria2c"], name) for name in found if name != ANCHOR),
    ]


@contextmanager
def contenders(ground: Ground) -> Iterator[Mapping[str, Contender]]:
    """Start every server over the same file; the anchor is one of them."""
    hall, folder = ground.hall, ground.hall.files / WEIGHTS
    with ExitStack() as stack:
        start = stack.enter_context
        anchor = start(anchors.secure_link(ground.place("secure-link"), folder))
        found = {ANCHOR: Contender(anchor, anchors.secure_link_to(LARGE_PATH))}
        for mode, serving in ours.modes(ground.place).items():
            server = start(serving(hall))
            found[mode] = Contender(server, hall.link(server.port, WEIGHTS, LARGE_PATH))
        yield found


def _ways(ground: Ground) -> Mapping[str, Download]:
    whole = hall_file(ground.hall)
    return {
        "one": lambda one: drain_all(one.server.port, [Wanted(one.path)]),
        "streams": lambda one: drain_all(one.server.port, [Wanted(one.path)] * STREAMS),
        "ranges": lambda one: sum(
            drain_all(one.server.port, split(one.path, LARGE_BYTES, RANGES))
            for _ in range(RANGE_TURNS)
        ),
        "aria2c": lambda one: sum(_aria2c(one, whole) for _ in range(ARIA_TURNS)),
    }


def hall_file(hall: Hall) -> Path:
    """Return the file as it was published."""
    return hall.files / WEIGHTS / LARGE_PATH


def _cost(one: Contender, download: Download) -> Cost:
    cpu, begun = one.server.cpu_seconds(), time.perf_counter()
    gib = download(one) / LARGE_BYTES
    seconds = time.perf_counter() - begun
    return Cost((one.server.cpu_seconds() - cpu) / gib, gib / seconds)


def _aria2c(one: Contender, whole: Path) -> int:
    """Download with sixteen connections and compare every byte."""
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as into:
        options = ["-x16", "-s16", "-k1M", "--file-allocation=none", "--quiet", "--no-conf"]
        address = f"http://127.0.0.1:{one.server.port}{one.path}"
        command = [shutil.which("aria2c") or "aria2c", *options, "-d", into, "-o", "got", address]
        subprocess.run(command, check=True, timeout=120)
        if not filecmp.cmp(Path(into) / "got", whole, shallow=False):
            raise Wrong("aria2c was given other bytes than were published")
    return LARGE_BYTES


_LIMITS = {
    ("full streams", "direct"): (0.8, 0.9),
    ("ranges", "direct"): (0.7, 0.85),
    ("full streams", "x-accel"): (0.9, 0.95),
}


def _figure(name: str, costs: Mapping[str, Sequence[Cost]], mode: str) -> Figure:
    own = [cost.cpu_seconds_a_gib for cost in costs[mode]]
    anchor = [cost.cpu_seconds_a_gib for cost in costs[ANCHOR]]
    floor, aim = _LIMITS.get((name, mode), (None, None))
    shown = "x-accel" if (name, mode) == ("full streams", "x-accel") else f"{name}, {mode}"
    return Figure(
        name=name if mode == "direct" else shown,
        anchor=ANCHOR,
        unit="server CPU-s a GiB",
        values={"ours": own, "anchor": anchor},
        ratios=by_cost(own, anchor),
        floor=floor,
        aim=aim,
        bound=Bound.AT_LEAST if floor else Bound.NONE,
        extra={
            "ours GiB/s": _middle(costs[mode]),
            "anchor GiB/s": _middle(costs[ANCHOR]),
        },
    )


def _middle(costs: Sequence[Cost]) -> float:
    speeds = sorted(cost.gib_a_second for cost in costs)
    return round(speeds[len(speeds) // 2], 2)
