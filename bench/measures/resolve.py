"""Resolve with a durable entry: bearer token, decision, entry, commit, bytes; against hello-world.

Every request is by a person for a file that was not recorded this hour, so each one writes. The
anchor is a Flask hello-world on gunicorn with the same options.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from statistics import median

from bench.clients.drain import Wrong
from bench.clients.loop import get, press
from bench.figures import Bound, Figure, by_cost, in_rounds
from bench.ground import Ground
from bench.processes import Server
from bench.servers import anchors, ours
from bench.servers.hall import TINY, TINY_FILES, Hall, opened, small_path

SECONDS, CONNECTIONS = 3.0, 32


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request took."""

    cpu_ms: float
    per_second: float
    p99_ms: float
    answers: int


def measure(ground: Ground) -> Sequence[Figure]:
    """Measure resolve that writes, resolve that need not, and hello-world.

    Raises: Wrong when an answer came whose entry is not there.
    """
    hall = ground.hall
    before = _served(hall)
    with ExitStack() as stack:
        hello = stack.enter_context(anchors.flask(ground.place("hello"), ours.THREADS))
        server = stack.enter_context(ours.direct(hall))
        first = [_request(hall, server.port, person, 0) for person in range(len(hall.people))]
        press(server.port, iter(first), 60, 8)  # who asks is known, as on any server that runs
        fresh, again = _every_other(hall, server.port), first[0]
        costs = in_rounds(
            {
                "hello": lambda: _cost(hello, itertools.repeat(get(hello.port, "/"))),
                "fresh": lambda: _cost(server, fresh),
                "known": lambda: _cost(server, itertools.repeat(again)),
            },
            ground.rounds,
        )
    answers, entries = sum(cost.answers for cost in costs["fresh"]), _served(hall) - before
    if entries < answers:
        raise Wrong(f"{answers} answers, and {entries} entries")
    return [_figure("resolve", costs, "fresh"), _figure("resolve, no entry owed", costs, "known")]


def _every_other(hall: Hall, port: int) -> Iterator[bytes]:
    """Ask once for every file but the first as every person, in no order."""
    pairs = list(itertools.product(range(len(hall.people)), range(1, TINY_FILES)))
    Random(1).shuffle(pairs)
    for person, file in pairs:
        yield _request(hall, port, person, file)


def _request(hall: Hall, port: int, person: int, file: int) -> bytes:
    return get(port, hall.address(TINY, small_path(file)), hall.people[person].token)


def _cost(server: Server, requests: Iterator[bytes]) -> Cost:
    cpu = server.cpu_seconds()
    load = press(server.port, requests, SECONDS, CONNECTIONS)
    spent = server.cpu_seconds() - cpu
    return Cost(
        1000 * spent / load.answers, load.per_second, 1000 * load.percentile(0.99), load.answers
    )


def _served(hall: Hall) -> int:
    """Count the entries that say a file was served."""
    with opened(hall.data, hall.database_url) as house, house.db.reading() as read:
        found = read.connection.exec_driver_sql(
            "SELECT count(*) FROM entries WHERE kind = 'FileServed'"
        )
        return int(found.scalar_one())


def _figure(name: str, costs: Mapping[str, Sequence[Cost]], which: str) -> Figure:
    own, anchor = [cost.cpu_ms for cost in costs[which]], [cost.cpu_ms for cost in costs["hello"]]
    return Figure(
        name=name,
        anchor="Flask hello-world, same server",
        unit="server CPU-ms a request",
        values={"ours": own, "anchor": anchor},
        ratios=by_cost(own, anchor),
        floor=0.25 if which == "fresh" else None,
        aim=0.35 if which == "fresh" else None,
        bound=Bound.AT_LEAST if which == "fresh" else Bound.NONE,
        extra={
            "ours a second": round(median(cost.per_second for cost in costs[which])),
            "anchor a second": round(median(cost.per_second for cost in costs["hello"])),
            "ours p99 ms": round(median(cost.p99_ms for cost in costs[which]), 1),
        },
    )
