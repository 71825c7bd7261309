"""Listing: what a page of the Hub's list of models costs, from the first of 10,000 to the last.

Each list is followed by its Link through the application in this process, without HTTP, as the
clients follow it. Every card is read anew, which is what a walk through more models than are kept
comes to, and before each page something is said to have changed. A page's time is its median over
the rounds, so that a slow moment is not taken for a slow page; the slowest of all pages stands
beside the 100 ms that a page may take. The first and the last page are asked some times more.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median

from flask.testing import FlaskClient

from bench.figures import Bound, Figure, by_yield, in_rounds
from bench.ground import Ground
from bench.measures.growth import change
from bench.servers import crowd, shelf
from bench.servers.shelf import EVERY, FEW, MODELS, NAMED, WORD, Shelf
from gatekeeper.app import create_app, read_keys
from gatekeeper.services import contents
from gatekeeper.settings import load
from tests.statements import counted

PAGE_MS = 100.0
MOST_ROUNDS = 3
TIMES = 5
ANCHOR = f"{PAGE_MS:.0f} ms a page"
_DOOR = "/api/models?limit=100"

# name -> (whether a holder of a grant asks, query, how many models come)
LISTS: Mapping[str, tuple[bool, str, int]] = {
    "listing": (False, "", MODELS),
    "listing, a holder's": (True, "", MODELS),
    "listing, with files": (True, "&full=true", MODELS),
    "listing, last changed": (True, "&sort=lastModified", MODELS),
    "listing, a rare tag": (False, f"&filter={FEW}", -(-MODELS // EVERY)),
    "listing, a search": (True, f"&search={WORD}", NAMED),
}


@dataclass(frozen=True, slots=True)
class Page:
    """What one page took, how many models it had, and where the next one is ('' at the end)."""

    cpu_ms: float
    wall_ms: float
    statements: int
    models: int
    next: str


@dataclass(frozen=True, slots=True)
class Walk:
    """All pages of a list; CPU-ms of its first and last asked again, its first with cards kept."""

    pages: Sequence[Page]
    first_ms: float
    last_ms: float
    warm_ms: float


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who follows a list through the application."""

    shelf: Shelf
    client: FlaskClient
    headers: Mapping[str, str]

    def walk(self, query: str, models: int) -> Walk:
        """Follow a list to its end, then ask for its ends again."""
        _forget_cards()
        first, *_, last = places = list(self._places(f"{_DOOR}{query}"))
        pages = [page for _, page in places]
        assert sum(page.models for page in pages) == models, f"not all of {models} came: {query}"
        ends = in_rounds(
            {"first": partial(self._cold, first[0]), "last": partial(self._cold, last[0])}, TIMES
        )
        self._cold(first[0])
        warm = [self._ask(first[0]).cpu_ms for _ in range(TIMES)]
        return Walk(pages, median(ends["first"]), median(ends["last"]), median(warm))

    def _places(self, path: str) -> Iterator[tuple[str, Page]]:
        while path:
            page = self._ask(path)
            yield path, page
            path = page.next

    def _cold(self, path: str) -> float:
        _forget_cards()
        return self._ask(path).cpu_ms

    def _ask(self, path: str) -> Page:
        change(self.shelf.house, crowd.forget)
        with counted(self.shelf.house) as seen:
            cpu, wall = time.thread_time(), time.perf_counter()
            answer = self.client.get(path, headers=dict(self.headers))
            answer.get_data()
            cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
        link = answer.headers.get("Link", "").partition("<http://localhost")[2].partition(">")[0]
        return Page(1000 * cpu, 1000 * wall, len(seen), len(answer.get_json()), link)


def measure(ground: Ground) -> Sequence[Figure]:
    """Follow every list from its first page to its last, in rounds."""
    with shelf.stocked(ground.place("listing") / "data") as found, _as_served():
        settings = load({"GATEKEEPER_LIMITS__ENABLED": "false"})[0]
        app = create_app(settings, found.house, read_keys(settings, found.data).sessions)
        people = {
            is_holder: Reader(found, app.test_client(), found.holder.headers if is_holder else {})
            for is_holder in (False, True)
        }
        people[True].walk(f"&search={WORD}", NAMED)  # what is imported and compiled but once
        walks = in_rounds(
            {
                name: partial(people[is_holder].walk, query, models)
                for name, (is_holder, query, models) in LISTS.items()
            },
            min(ground.rounds, MOST_ROUNDS),
        )
    return [figure for name, rounds in walks.items() for figure in _figures(name, rounds)]


@contextmanager
def _as_served() -> Iterator[None]:
    """Keep the collector from what was there before, as `serve` does when it starts."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def _forget_cards() -> None:
    contents._front_matter.cache_clear()  # noqa: SLF001  nobody else needs to


def _figures(name: str, rounds: Sequence[Walk]) -> list[Figure]:
    cpu, wall = (_pages(rounds, which) for which in ("cpu_ms", "wall_ms"))
    ends = {"ours": [w.last_ms for w in rounds], "anchor": [w.first_ms for w in rounds]}
    asked = {
        "ours": [float(walk.pages[-1].statements) for walk in rounds],
        "anchor": [float(walk.pages[0].statements) for walk in rounds],
    }
    most = max(page.statements for walk in rounds for page in walk.pages)
    told = {
        "pages": float(len(cpu)),
        "median page CPU-ms": median(cpu),
        "first page with its cards kept CPU-ms": median(w.warm_ms for w in rounds),
    }
    return [
        _figure(f"{name}, slowest page", ANCHOR, "CPU-ms", _beside(cpu), (1.0, 1.0), told),
        _figure(f"{name}, slowest page, wall", ANCHOR, "ms", _beside(wall), (1.0, 1.0)),
        _figure(f"{name}, last page", "the first page", "CPU-ms", ends, (4.0, 2.0)),
        _figure(
            f"{name}, last page, statements", "the first page", "statements", asked, (1.0, 1.0),
            {"most of any page": float(most)},
        ),
    ]  # fmt: skip


def _pages(rounds: Sequence[Walk], which: str) -> list[float]:
    """Return the time of each page, the median over the rounds."""
    return [
        median(getattr(page, which) for page in same)
        for same in zip(*(walk.pages for walk in rounds), strict=True)
    ]


def _beside(pages: Sequence[float]) -> dict[str, Sequence[float]]:
    return {"ours": [max(pages)], "anchor": [PAGE_MS]}


def _figure(
    name: str,
    anchor: str,
    unit: str,
    values: Mapping[str, Sequence[float]],
    limits: tuple[float, float],
    extra: Mapping[str, float] | None = None,
) -> Figure:
    return Figure(
        name=name,
        anchor=anchor,
        unit=unit,
        values=values,
        ratios=by_yield(values["ours"], values["anchor"]),
        floor=limits[0],
        aim=limits[1],
        bound=Bound.AT_MOST,
        extra={key: round(value, 1) for key, value in (extra or {}).items()},
    )
