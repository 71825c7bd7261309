"""Signed download of files of 100 KiB: what a request costs, bytes hardly count.

Anchors: nginx `secure_link` (no application at all) and nginx X-Accel before a Flask that checks a
signature and asks no database. Ours asks the database on every request.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median

from bench.clients.loop import get, press
from bench.figures import Bound, Figure, by_cost, in_rounds
from bench.ground import Ground
from bench.processes import Server
from bench.servers import anchors, flask_anchor, ours
from bench.servers.hall import SMALL_FILES, WEIGHTS, Hall, small_path

SECURE_LINK, X_ACCEL = "nginx secure_link", "nginx X-Accel + Flask"
SECONDS, CONNECTIONS = 1.0, 16


@dataclass(frozen=True, slots=True)
class Contender:
    """A running server and a request for each small file on it."""

    server: Server
    requests: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request took."""

    cpu_ms: float
    per_second: float


def measure(ground: Ground) -> Sequence[Figure]:
    """Measure every delivery mode beside both anchors."""
    with contenders(ground) as found:
        costs = in_rounds(
            {name: partial(cost_of, one) for name, one in found.items()}, ground.rounds
        )
    modes = [name for name in found if name not in {SECURE_LINK, X_ACCEL}]
    return [
        figure
        for mode in modes
        for figure in (_figure(costs, mode, X_ACCEL), _figure(costs, mode, SECURE_LINK))
    ]


@contextmanager
def contenders(ground: Ground) -> Iterator[Mapping[str, Contender]]:
    """Start every server over the same files."""
    hall, folder = ground.hall, ground.hall.files / WEIGHTS
    paths = [small_path(number) for number in range(SMALL_FILES)]
    with ExitStack() as stack:
        start = stack.enter_context
        plain = start(anchors.secure_link(ground.place("secure-link"), folder))
        flask = start(anchors.x_accel(ground.place("x-accel"), folder))
        found = {
            SECURE_LINK: _contender(plain, [anchors.secure_link_to(path) for path in paths]),
            X_ACCEL: _contender(flask, [flask_anchor.link(path) for path in paths]),
        }
        for mode, serving in ours.modes(ground.place).items():
            server = start(serving(hall))
            found[mode] = _contender(server, _links(hall, server, paths))
        for one in found.values():  # what is written once an hour is there
            press(one.server.port, iter([*one.requests, *one.requests]), 60, 8)
        yield found


def cost_of(one: Contender) -> Cost:
    """Ask for a few seconds; return what one request took."""
    cpu = one.server.cpu_seconds()
    load = press(one.server.port, itertools.cycle(one.requests), SECONDS, CONNECTIONS)
    return Cost(1000 * (one.server.cpu_seconds() - cpu) / load.answers, load.per_second)


def _contender(server: Server, paths: Sequence[str]) -> Contender:
    return Contender(server, [get(server.port, path) for path in paths])


def _links(hall: Hall, server: Server, paths: Sequence[str]) -> list[str]:
    return [hall.link(server.port, WEIGHTS, path) for path in paths]


def _figure(costs: Mapping[str, Sequence[Cost]], mode: str, anchor: str) -> Figure:
    own = [cost.cpu_ms for cost in costs[mode]]
    theirs = [cost.cpu_ms for cost in costs[anchor]]
    is_bound = (mode, anchor) == ("direct", X_ACCEL)
    return Figure(
        name="small files" if is_bound else f"small files, {mode}",
        anchor=anchor,
        unit="server CPU-ms a request",
        values={"ours": own, "anchor": theirs},
        ratios=by_cost(own, theirs),
        floor=0.8 if is_bound else None,
        aim=0.9 if is_bound else None,
        bound=Bound.AT_LEAST if is_bound else Bound.NONE,
        extra={
            "ours a second": round(median(cost.per_second for cost in costs[mode])),
            "anchor a second": round(median(cost.per_second for cost in costs[anchor])),
        },
    )
