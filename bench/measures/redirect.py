"""Delivery mode `redirect`: our answer is a 302, and the store (SeaweedFS) sends the bytes.

Three figures: the 302 beside a Flask hello-world; a small file, and one stream of 1 GiB, both parts
together, beside the store alone at an address signed before. For the small files both parts are
asked in closed loops of their own and their costs added; the stream is followed as a client does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.clients.drain import Wanted, drain, location_of
from bench.clients.loop import get, press
from bench.figures import Figure, by_cost, in_rounds
from bench.ground import Ground
from bench.processes import Server
from bench.servers import anchors, ours
from bench.servers.hall import LARGE_PATH, SMALL_FILES, WEIGHTS, small_path
from bench.servers.store import Store, seaweed

SECONDS, CONNECTIONS = 2.0, 16
SIGNED_SECONDS = 900
HELLO, ALONE = "Flask hello-world, same server", "the store alone"


@dataclass(frozen=True, slots=True)
class Site:
    """Our server, the store behind it, and Flask; and where the files are on the first two."""

    own: Server
    store: Store
    hello: Server
    links: Sequence[str]
    large: str
    digests: Sequence[str]
    large_digest: str

    def signed(self, sha256: str) -> str:
        """Return the path of an address of the store."""
        address = urlsplit(self.store.objects.presign(sha256, SIGNED_SECONDS, "attachment"))
        return f"{address.path}?{address.query}"


def measure(ground: Ground) -> Sequence[Figure]:
    """Measure the 302, small files and one stream."""
    with _running(ground) as site:
        costs = in_rounds(
            {
                "302": lambda: _asked(site.own, site.links, b"302"),
                "hello": lambda: _asked(site.hello, ["/"]),
                "store": lambda: _asked(site.store.server, map(site.signed, site.digests)),
                "followed": lambda: _followed(site),
                "straight": lambda: _straight(site),
            },
            ground.rounds,
        )
    both = [sum(parts) for parts in zip(costs["302"], costs["store"], strict=True)]
    request, gib = "server CPU-ms a request", "server CPU-s a GiB"
    return [
        _figure("redirect, the 302", HELLO, request, costs["302"], costs["hello"]),
        _figure("small files, redirect", ALONE, request, both, costs["store"]),
        _figure("one stream, redirect", ALONE, gib, costs["followed"], costs["straight"]),
    ]


@contextmanager
def _running(ground: Ground) -> Iterator[Site]:
    hall, place = ground.hall, ground.place
    folder = hall.files / WEIGHTS
    paths = [small_path(number) for number in range(SMALL_FILES)]
    with (
        seaweed(place("spool")) as store,
        anchors.flask(place("hello"), ours.THREADS) as hello,
        ours.redirect(hall, place, store) as own,
    ):
        digests = [_stored(store, folder / path) for path in paths]
        large = _stored(store, folder / LARGE_PATH)
        links = [hall.link(own.port, WEIGHTS, path) for path in paths]
        link = hall.link(own.port, WEIGHTS, LARGE_PATH)
        site = Site(own, store, hello, links, link, digests, large)
        for path in [*links, link]:  # what is written once an hour is there
            location_of(own.port, path)
        yield site


def _stored(store: Store, file: Path) -> str:
    with file.open("rb") as stream:
        return store.objects.put(stream, file.stat().st_size).sha256


def _asked(server: Server, paths: Iterable[str], status: bytes = b"200") -> float:
    """Ask for the paths in turn for some seconds; return the CPU-milliseconds of a request."""
    requests = [get(server.port, path) for path in paths]
    cpu = server.cpu_seconds()
    load = press(server.port, itertools.cycle(requests), SECONDS, CONNECTIONS, {status})
    return 1000 * (server.cpu_seconds() - cpu) / load.answers


def _followed(site: Site) -> float:
    """Ask us for the large file and go where we say; return the CPU-seconds of both servers."""
    both = Server(site.own.port, [*site.own.pids, *site.store.server.pids])

    def follow() -> None:
        address = urlsplit(location_of(site.own.port, site.large))
        drain(site.store.server.port, Wanted(f"{address.path}?{address.query}"))

    return _cpu_seconds(both, follow)


def _straight(site: Site) -> float:
    path = site.signed(site.large_digest)
    return _cpu_seconds(site.store.server, lambda: drain(site.store.server.port, Wanted(path)))


def _cpu_seconds(server: Server, download: Callable[[], object]) -> float:
    cpu = server.cpu_seconds()
    download()
    return server.cpu_seconds() - cpu


def _figure(
    name: str, anchor: str, unit: str, own: Sequence[float], theirs: Sequence[float]
) -> Figure:
    values = {"ours": own, "anchor": theirs}
    return Figure(name, anchor, unit, values, by_cost(own, theirs))
