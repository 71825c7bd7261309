"""Starts our own server over a hall, in a delivery mode."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bench.processes import Server, free_port, running
from bench.servers.hall import Hall

THREADS = 512  # the default of the settings


@contextmanager
def direct(hall: Hall, threads: int = THREADS, **environment: str) -> Iterator[Server]:
    """Run `gatekeeper serve`, which sends every byte itself, until the block is left."""
    port = free_port()
    settings = {
        "GATEKEEPER_SERVER__PORT": str(port),
        "GATEKEEPER_SERVER__THREADS": str(threads),
        "GATEKEEPER_SERVER__MAX_DOWNLOADS": str(threads - 32),
        "GATEKEEPER_SITE__PUBLIC_URL": f"http://127.0.0.1:{port}",
        "GATEKEEPER_LIMITS__ENABLED": "false",
        "GATEKEEPER_DATABASE__URL": hall.database_url,
        **environment,
    }
    command = [sys.executable, "-m", "gatekeeper", "--data", hall.data, "serve"]
    with running(command, port, hall.data.parent / "gatekeeper.log", settings) as server:
        yield server


Serving = Callable[[Hall], AbstractContextManager[Server]]


def modes(place: Callable[[str], Path]) -> Mapping[str, Serving]:  # noqa: ARG001  nginx needs one
    """Return how to serve a hall in each delivery mode."""
    return {"direct": direct}
