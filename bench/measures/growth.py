"""Growth: what a page and an answer cost with ever more of everything in the database.

Models, people, cases, grants and entries grow together, from 10² over 10⁴ to 10⁵, and entries alone
on to 10⁶; with `FULL=1` everything to 10⁶ and entries to 10⁷, which takes long to fill. A copy is
kept at each size and all are asked in rounds, so that a slow minute slows all of them. Everybody
asked for one model and holds it, and a hundred cases are open. Each door is asked through the
application in this process, without HTTP, and counts the CPU-seconds of its thread; before each
question something is said to have changed, so that nothing is answered from what is remembered. The
number of statements must not change at all; time may, by what another level of an index costs.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

from flask import Flask
from flask.testing import FlaskClient

from bench.figures import Bound, Figure, by_yield, in_rounds
from bench.ground import Ground
from bench.servers import crowd
from bench.servers.hall import TINY, Hall, copy_database, opened
from gatekeeper.app import create_app, read_keys
from gatekeeper.services import sessions
from gatekeeper.services.ports import House
from gatekeeper.settings import load
from tests.cast import NAMESPACE, Member, context
from tests.statements import counted

SIZES, ENTRIES = (100, 10_000, 100_000), 1_000_000
FULL_SIZES, FULL_ENTRIES = (100, 10_000, 1_000_000), 10_000_000
TIMES = 5
_V1 = "/api/v1"

# What is asked of whom: name -> (key of the cast or of a reader, method, path)
DOORS: Mapping[str, tuple[str, str, str]] = {
    "decide": ("reader", "HEAD", f"/{NAMESPACE}/{TINY}/resolve/main/part-{{turn:03}}.bin"),
    "catalogue page": ("", "GET", "/"),
    "catalogue page, a holder's": ("reader", "GET", "/"),
    "releases, API": ("reader", "GET", f"{_V1}/releases"),
    "models, API": ("reader", "GET", f"{_V1}/models"),
    "models, Hub": ("", "GET", "/api/models?sort=lastModified"),
    "a model's page": ("reader", "GET", f"/{NAMESPACE}/{TINY}"),
    "queue": ("handler", "GET", "/review"),
    "queue, API": ("handler", "GET", f"{_V1}/applications"),
    "grants, API": ("compliance", "GET", f"{_V1}/grants?model={NAMESPACE}/{TINY}"),
    "one's grants of a model, API": ("reader", "GET", f"{_V1}/grants?model={NAMESPACE}/{TINY}"),
    "one's access": ("reader", "GET", "/access"),
    "audit page": ("compliance", "GET", "/audit"),
    "audit of a model": ("compliance", "GET", f"{_V1}/audit/entries?model={NAMESPACE}/{TINY}"),
    "one's record": ("reader", "GET", "/account/record"),
}
_ENTRIES = f"{_V1}/audit/entries?limit=50"
PAGES = {"first": _ENTRIES, "last": f"{_ENTRIES}&before=51"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one answer took."""

    ms: float
    statements: int


@dataclass(frozen=True, slots=True)
class Site:
    """A house of some size, its application, and who asks."""

    house: House
    app: Flask
    people: Mapping[str, Member]

    def ask(self, who: str, method: str, path: str) -> Cost:
        """Ask for what is written once an hour, then some times more; return the median.

        A path with `{turn}` asks for another file each time: a decision is made, not remembered.
        """
        client, headers = self.app.test_client(), {}
        if who and path.startswith(("/api/", f"/{NAMESPACE}/{TINY}/resolve")):
            headers = self.people[who].headers
        elif who:
            client.set_cookie("gk_session", self._session(who), domain="localhost")
        turns = iter(range(TIMES + 3))

        def once() -> float:
            change(self.house, crowd.forget)
            return _ask(client, method, path.format(turn=next(turns)), headers)

        once(), once()
        change(self.house, crowd.forget)
        with counted(self.house) as seen:
            _ask(client, method, path.format(turn=next(turns)), headers)
        return Cost(1000 * median(once() for _ in range(TIMES)), len(seen))

    def _session(self, who: str) -> str:
        session_id = f"session-of-{who}-{time.monotonic_ns()}"
        person = self.people[who].id
        payload = json.dumps({"_user_id": person})
        sessions.begin(self.house, context(), session_id, person, payload, "bench")
        return session_id


def measure(ground: Ground) -> Sequence[Figure]:
    """Fill, and ask at every door at every size, in rounds."""
    sizes, entries = (FULL_SIZES, FULL_ENTRIES) if ground.full else (SIZES, ENTRIES)
    with _grown(ground, sizes, entries) as sites:
        found = {
            name: in_rounds(
                {str(size): partial(site.ask, *door) for size, site in sites.items()},
                ground.rounds,
            )
            for name, door in DOORS.items()
        }
        pages = in_rounds(
            {
                name: partial(sites[sizes[-1]].ask, "compliance", "GET", page)
                for name, page in PAGES.items()
            },
            ground.rounds,
        )
    return [_last_page(pages, entries), *_figures(found, entries)]


@contextmanager
def _grown(ground: Ground, sizes: Sequence[int], entries: int) -> Iterator[Mapping[int, Site]]:
    """Let one database grow, keep a copy of it at each size, and open all of them."""
    hall, largest = ground.hall, sizes[-1]
    places = {size: ground.place(f"growth-{size}") for size in sizes}
    for data in places.values():
        shutil.copytree(hall.data / "keys", data / "keys")
    copy_database(hall.data, places[largest])
    with opened(places[largest]) as house:
        for before, size in pairwise((0, *sizes)):
            change(house, crowd.fill, before, size)
            if size != largest:
                copy_database(places[largest], places[size])
        change(house, crowd.fill_ledger, largest, entries)
    with ExitStack() as stack:
        yield {
            size: _site(hall, stack.enter_context(opened(data)), data)
            for size, data in places.items()
        }


def _site(hall: Hall, house: House, data: Path) -> Site:
    settings = load({"GATEKEEPER_LIMITS__ENABLED": "false"})[0]
    app = create_app(settings, house, read_keys(settings, data).sessions)
    return Site(house, app, _people(hall))


def _people(hall: Hall) -> Mapping[str, Member]:
    return {
        "reader": hall.reader,
        "handler": hall.cast.handler,
        "compliance": hall.cast.compliance,
    }


def change(house: House, by: Callable[..., None], *arguments: int) -> None:
    """Change a house's database without a fact."""
    with house.db.engine.execution_options(immediate=True).begin() as connection:
        by(connection, *arguments)


def _ask(client: FlaskClient, method: str, path: str, headers: Mapping[str, str]) -> float:
    begun = time.thread_time()
    answer = client.open(path, method=method, headers=dict(headers))
    answer.get_data()
    answer.close()
    assert answer.status_code == 200, (path, answer.status_code, answer.get_data()[:300])
    return time.thread_time() - begun


def _last_page(pages: Mapping[str, Sequence[Cost]], entries: int) -> Figure:
    first, last = ([cost.ms for cost in pages[name]] for name in ("first", "last"))
    return Figure(
        name="last audit page",
        anchor=f"the first page of {entries:,} entries",
        unit="CPU-ms",
        values={"ours": last, "anchor": first},
        ratios=by_yield(last, first),
        floor=4.0,
        aim=2.0,
        bound=Bound.AT_MOST,
    )


def _figures(found: Mapping[str, Mapping[str, Sequence[Cost]]], entries: int) -> list[Figure]:
    return [
        figure
        for name, costs in found.items()
        for figure in (
            _figure(name, costs, entries, "CPU-ms", (4.0, 2.0)),
            _figure(name, costs, entries, "statements", (1.0, 1.0)),
        )
    ]


def _figure(
    name: str,
    costs: Mapping[str, Sequence[Cost]],
    entries: int,
    unit: str,
    limits: tuple[float, float],
) -> Figure:
    """Set the largest size beside the smallest; the sizes come in order."""
    is_time = unit == "CPU-ms"
    grown = {
        size: [cost.ms if is_time else float(cost.statements) for cost in rounds]
        for size, rounds in costs.items()
    }
    least, *_, most = grown
    return Figure(
        name=f"growth, {name}" if is_time else f"growth, {name}, statements",
        anchor=f"{least} of everything, now {int(most):,} and {entries:,} entries",
        unit=unit,
        values={"ours": grown[most], "anchor": grown[least]},
        ratios=by_yield(grown[most], grown[least]),
        floor=limits[0],
        aim=limits[1],
        bound=Bound.AT_MOST,
        extra={
            f"{unit} at {int(size):,}": round(median(values), 1) for size, values in grown.items()
        },
    )
