"""Starts our own server over a hall, in a delivery mode."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bench.processes import Server, free_port, running
from bench.servers.anchors import nginx_as
from bench.servers.hall import Hall
from bench.servers.store import BUCKET, Store
from tests.nginx import configuration
from tests.seaweed import CREDENTIALS, settings_for

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
        "GATEKEEPER_LOG__REQUESTS": "false",  # the anchors write none either
        "GATEKEEPER_DATABASE__URL": hall.database_url,
        **environment,
    }
    command = [sys.executable, "-m", "gatekeeper", "--data", hall.data, "serve"]
    with running(command, port, hall.data.parent / "gatekeeper.log", settings) as server:
        yield server


@contextmanager
def x_accel(hall: Hall, place: Callable[[str], Path], threads: int = THREADS) -> Iterator[Server]:
    """Run it behind nginx, with the configuration we ship; nginx sends the bytes."""
    front = free_port()
    settings = {
        "GATEKEEPER_SITE__PUBLIC_URL": f"http://127.0.0.1:{front}",
        "GATEKEEPER_DELIVERY__MODE": "x-accel",
        "GATEKEEPER_SERVER__TRUSTED_PROXIES": "1",
    }
    twin = hall.twin(place("twin") / "data")  # a data directory has one server
    with direct(twin, threads, **settings) as app:
        blobs = twin.data / "store" / "blobs"
        site = configuration(
            GATEKEEPER_LISTEN=f"127.0.0.1:{front} backlog=8192",
            GATEKEEPER_SERVERS=f"server 127.0.0.1:{app.port} max_fails=0;",
            GATEKEEPER_BLOBS=str(blobs),
        )
        with nginx_as(place("nginx"), front, site) as found:
            yield Server(front, [*found.pids, *app.pids])


@contextmanager
def redirect(hall: Hall, place: Callable[[str], Path], store: Store) -> Iterator[Server]:
    """Run it before a store that holds its blobs and sends them."""
    settings = {
        **settings_for(BUCKET, store.url),
        **CREDENTIALS,
        "GATEKEEPER_DELIVERY__MODE": "redirect",
    }
    with direct(hall.twin(place("twin") / "data"), THREADS, **settings) as server:
        yield server


Serving = Callable[[Hall], AbstractContextManager[Server]]


def modes(place: Callable[[str], Path]) -> Mapping[str, Serving]:
    """Return how to serve a hall in each delivery mode measured; `place` gives empty directories.

    Not `redirect`, where a store sends the bytes: bench/measures/redirect.py.
    """
    return {"direct": direct, "x-accel": lambda hall: x_accel(hall, place)}
