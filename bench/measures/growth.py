"""Growth: what a page and an answer cost with ever more of everything in the database.

Models, people, cases, grants and entries grow together, from 10² over 10⁴ to 10⁵, and entries alone
on to 10⁶; with `FULL=1` everything to 10⁶ and entries to 10⁷, which takes long to fill. Everybody
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
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from bench.figures import Bound, Figure
from bench.ground import Ground
from bench.servers import crowd
from bench.servers.hall import TINY, Hall, copy_database, opened
from gatekeeper.app import create_app, read_keys
from gatekeeper.services import sessions
from gatekeeper.services.ports import House
from gatekeeper.settings import load
from tests.cast import NAMESPACE, Member, context

SIZES, ENTRIES = (100, 10_000, 100_000), 1_000_000
FULL_SIZES, FULL_ENTRIES = (100, 10_000, 1_000_000), 10_000_000
TIMES = 11
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
    "one's access": ("reader", "GET", "/access"),
    "audit page": ("compliance", "GET", "/audit"),
    "audit of a model": ("compliance", "GET", f"{_V1}/audit/entries?model={NAMESPACE}/{TINY}"),
    "one's record": ("reader", "GET", "/account/record"),
}
LAST_PAGE = f"{_V1}/audit/entries?limit=50&before={{}}"
FIRST_PAGE = f"{_V1}/audit/entries?limit=50"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one answer took."""

    ms: float
    statements: int


@dataclass(frozen=True, slots=True)
class Site:
    """The house that grows, its application, and who asks."""

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
            self._change(crowd.forget)
            return _ask(client, method, path.format(turn=next(turns)), headers)

        once(), once()
        self._change(crowd.forget)
        with self._counted() as seen:
            _ask(client, method, path.format(turn=next(turns)), headers)
        return Cost(1000 * median(once() for _ in range(TIMES)), len(seen))

    def fill(self, first: int, last: int) -> None:
        """Let everything grow to so many."""
        self._change(crowd.fill, first, last)

    def fill_ledger(self, first: int, last: int) -> None:
        """Let the entries alone grow to so many."""
        self._change(crowd.fill_ledger, first, last)

    def _change(self, change: Callable[..., None], *arguments: int) -> None:
        with self.house.db.engine.execution_options(immediate=True).begin() as connection:
            change(connection, *arguments)

    def _session(self, who: str) -> str:
        session_id = f"session-of-{who}-{time.monotonic_ns()}"
        person = self.people[who].id
        payload = json.dumps({"_user_id": person})
        sessions.begin(self.house, context(), session_id, person, payload, "bench")
        return session_id

    @contextmanager
    def _counted(self) -> Iterator[list[str]]:
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        event.listen(self.house.db.engine, "before_cursor_execute", note)
        yield seen
        event.remove(self.house.db.engine, "before_cursor_execute", note)


def measure(ground: Ground) -> Sequence[Figure]:
    """Fill, and ask at every door at every size."""
    sizes, entries = (FULL_SIZES, FULL_ENTRIES) if ground.full else (SIZES, ENTRIES)
    found: dict[int, dict[str, Cost]] = {}
    with _grown(ground) as site:
        for before, size in pairwise((0, *sizes)):
            site.fill(before, size)
            if size == sizes[-1]:
                site.fill_ledger(size, entries)
            found[size] = {name: site.ask(*door) for name, door in DOORS.items()}
        pages = [_pages(site) for _ in range(ground.rounds)]
    return [_last_page(pages, entries), *_figures(found, entries)]


@contextmanager
def _grown(ground: Ground) -> Iterator[Site]:
    """Copy the hall's database and open it with its application."""
    hall, data = ground.hall, ground.place("growth")
    shutil.copytree(hall.data / "keys", data / "keys")
    copy_database(hall.data, data)
    settings = load({"GATEKEEPER_LIMITS__ENABLED": "false"})[0]
    with opened(data) as house:
        app = create_app(settings, house, read_keys(settings, data).sessions)
        yield Site(house, app, _people(hall))


def _people(hall: Hall) -> Mapping[str, Member]:
    return {
        "reader": hall.reader,
        "handler": hall.cast.handler,
        "compliance": hall.cast.compliance,
    }


def _ask(client: FlaskClient, method: str, path: str, headers: Mapping[str, str]) -> float:
    begun = time.thread_time()
    answer = client.open(path, method=method, headers=dict(headers))
    answer.get_data()
    answer.close()
    assert answer.status_code == 200, (path, answer.status_code, answer.get_data()[:300])
    return time.thread_time() - begun


def _pages(site: Site) -> tuple[float, float]:
    """Return what the first and the last page of the ledger take, in milliseconds."""
    first = site.ask("compliance", "GET", FIRST_PAGE)
    return first.ms, site.ask("compliance", "GET", LAST_PAGE.format(51)).ms


def _last_page(pages: Sequence[tuple[float, float]], entries: int) -> Figure:
    return Figure(
        name="last audit page",
        anchor=f"the first page of {entries:,} entries",
        unit="CPU-ms",
        values={"ours": [last for _, last in pages], "anchor": [first for first, _ in pages]},
        ratios=[last / first for first, last in pages],
        floor=4.0,
        aim=2.0,
        bound=Bound.AT_MOST,
    )


def _figures(found: Mapping[int, Mapping[str, Cost]], entries: int) -> list[Figure]:
    least, most = min(found), max(found)
    few, many = found[least], found[most]
    grown = f"{least} of everything, now {most:,} and {entries:,} entries"
    return [
        figure
        for name in DOORS
        for figure in (
            Figure(
                name=f"growth, {name}",
                anchor=grown,
                unit="CPU-ms",
                values={"ours": [many[name].ms], "anchor": [few[name].ms]},
                ratios=[many[name].ms / few[name].ms],
                floor=4.0,
                aim=2.0,
                bound=Bound.AT_MOST,
                extra={
                    f"ms at {size:,}": round(costs[name].ms, 1) for size, costs in found.items()
                },
            ),
            Figure(
                name=f"growth, {name}, statements",
                anchor=grown,
                unit="statements",
                values={"ours": [many[name].statements], "anchor": [few[name].statements]},
                ratios=[many[name].statements / max(1, few[name].statements)],
                floor=1.0,
                aim=1.0,
                bound=Bound.AT_MOST,
                extra={
                    f"statements at {size:,}": costs[name].statements
                    for size, costs in found.items()
                },
            ),
        )
    ]
