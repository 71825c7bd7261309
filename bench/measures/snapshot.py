"""The same `snapshot_download` (200 small files, one of 1 GiB) by the real client, from each.

Ours is asked for the gated model with a token; the mirrors serve the same files to anybody. Wall
clock of the whole command into an empty cache, and CPU-seconds of the server.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench.figures import Figure, by_cost, in_rounds
from bench.ground import Ground
from bench.processes import Server
from bench.servers import mirrors, ours
from bench.servers.hall import SMALL_FILES, WEIGHTS
from tests.cast import NAMESPACE
from tests.wire.clients import Client, python_of

SECONDS = 500
MOST_ROUNDS = 3  # each takes many seconds, and they differ little
OLAH, NGINX = "Olah, cached before", "static nginx"
SHM = Path("/dev/shm")
SCRIPT = """
folder = Path(snapshot_download(repository))
tell(len([path for path in folder.rglob('*') if path.is_file()]))
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A server, and what is asked of it with which token."""

    server: Server
    repository: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one snapshot took."""

    seconds: float
    cpu_seconds: float


def measure(ground: Ground) -> Sequence[Figure]:
    """Measure ours, Olah and nginx with the same client."""
    hall = ground.hall
    with ExitStack() as stack:
        own = stack.enter_context(ours.direct(hall))
        cached = stack.enter_context(mirrors.olah(ground.place("olah"), own))
        plain = stack.enter_context(mirrors.static_hub(ground.place("static"), hall, own))
        sources = {
            "ours": Source(own, f"{NAMESPACE}/{WEIGHTS}", hall.reader.token),
            OLAH: Source(cached, mirrors.REPOSITORY),
            NGINX: Source(plain, mirrors.REPOSITORY),
        }
        for source in sources.values():  # Olah fills its cache
            _snapshot(source)
        slow = _snapshot(sources.pop(OLAH))  # once: it takes the better part of a minute
        costs = in_rounds(
            {name: partial(_snapshot, source) for name, source in sources.items()},
            min(ground.rounds, MOST_ROUNDS),
        )
        costs[OLAH] = [slow]
    return [_figure(costs, anchor, what) for anchor in (OLAH, NGINX) for what in ("wall", "cpu")]


def _snapshot(source: Source) -> Cost:
    home = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
    try:
        endpoint = f"http://127.0.0.1:{source.server.port}"
        client = Client("2", python_of("2"), home).at(endpoint, source.token)
        cpu, begun = source.server.cpu_seconds(), time.perf_counter()
        files = client.run(SCRIPT, SECONDS, repository=source.repository)
        seconds = time.perf_counter() - begun
        assert files == SMALL_FILES + 1, f"{files} files came"
        return Cost(seconds, source.server.cpu_seconds() - cpu)
    finally:
        shutil.rmtree(home)


def _figure(costs: Mapping[str, Sequence[Cost]], anchor: str, what: str) -> Figure:
    own, theirs = costs["ours"], costs[anchor]
    values = [
        [cost.seconds if what == "wall" else cost.cpu_seconds for cost in side]
        for side in (own, theirs)
    ]
    is_once = anchor == OLAH
    return Figure(
        name="snapshot" if what == "wall" else "snapshot, server",
        anchor=anchor,
        unit="seconds" if what == "wall" else "server CPU-s",
        values={"ours": values[0], "anchor": values[1]},
        ratios=[values[1][0] / median(values[0])] if is_once else by_cost(*values),
        note="Olah was measured once: it takes the better part of a minute" if is_once else "",
    )
