"""`serve` and `worker`: the HTTP server (gunicorn gthread) and its chores.

On SQLite one process serves and holds a lock on the data directory; the worker's chores run inside
it, started after the fork. Threads, connections and the limit on open files are set together.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import resource
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from gunicorn.app.base import BaseApplication

from gatekeeper import app, chores
from gatekeeper.cli import gthread, logs
from gatekeeper.cli.desk import Desk, command, lock_data, pass_desk
from gatekeeper.db import roles
from gatekeeper.web import metrics

FILES_BESIDE_THREADS = 256
WAITING_CONNECTIONS = 12_000
BACKLOG = 4096
CHORES_SECONDS = 12
HEARTBEAT_SECONDS = 1.0
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # Source: <malloc.h> of glibc
_LARGE_BLOCK_BYTES = 8 << 20

log = logging.getLogger("gatekeeper.serve")


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no type hints
    """Gunicorn over our application; the House is made in each worker, after the fork."""

    def __init__(
        self, desk: Desk, on_ready: Callable[[], None], connections: int, shared: Path | None
    ) -> None:
        self._desk = desk
        self._connections = connections
        self._shared = shared
        self._settings = desk.settings
        self._on_ready = on_ready
        self._rounds: list[chores.Round] = []
        super().__init__()

    def load_config(self) -> None:
        """Set what the settings say; nothing is read from files or the environment."""
        server = self._settings.server
        options: dict[str, Any] = {
            "bind": f"unix:{server.socket}" if server.socket else f"{server.host}:{server.port}",
            "umask": 0o007,  # of the socket: its group may connect
            "workers": server.processes,
            "worker_class": gthread.Worker,
            "threads": server.threads,
            "worker_connections": self._connections,
            "backlog": BACKLOG,
            "keepalive": 5,
            "graceful_timeout": server.stop_seconds + CHORES_SECONDS,
            "limit_request_line": 8190,
            "loglevel": "warning",
            "logger_class": logs.ServerLog,
            "control_socket_disable": True,
            "forwarded_allow_ips": "",
            "proc_name": "gatekeeper",
            "post_worker_init": self._ready,
            "worker_exit": self._finished,
            "child_exit": self._gone,
            "on_exit": self._ended,
        }
        for key, value in options.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        """Make the application and start the chores, in the worker."""
        house = self._desk.house
        keys = app.read_keys(self._settings, self._desk.data)
        if self._shared is not None:
            metrics.share(self._shared)
        counted = metrics.Metrics(self._settings.delivery.mode, self._shared)
        is_worker = self._desk.is_demo or not house.db.is_postgres
        self._rounds = chores.rounds(house, counted.chore_done, is_worker=is_worker)
        return app.create_app(self._settings, house, keys.sessions, counted)

    def _ready(self, worker: Any) -> None:
        # The rest is for the last round of the chores, before the parent kills what is left.
        worker.cfg.set("graceful_timeout", self._settings.server.stop_seconds)
        # What is loaded by now stays: collecting garbage need not go through it again and again.
        gc.collect()
        gc.freeze()
        if worker.age == 1:
            self._on_ready()

    def _gone(self, _arbiter: Any, worker: Any) -> None:
        if self._shared is not None:
            metrics.forget(worker.pid, self._shared)

    def _ended(self, _arbiter: Any) -> None:
        if self._shared is not None:
            shutil.rmtree(self._shared, ignore_errors=True)

    def _finished(self, _arbiter: Any, worker: Any) -> None:
        for each in self._rounds:
            each.finish()
        log.info("a process stopped")
        if getattr(worker, "nr_conns", 0):
            os._exit(0)  # a thread that still sends to a slow reader would hold the process


def run(desk: Desk, on_ready: Callable[[], None]) -> None:
    """Serve until a signal ends it; `on_ready` is called when requests are answered."""
    settings = desk.settings
    desk.house.objects.check()
    lock = lock_data(desk.data) if not settings.database.url.get_secret_value() else None
    db = desk.house.db
    if db.is_postgres and roles.may_rewrite(db.engine):
        log.warning("the role in database.url may change the ledger: see docs/postgres-roles.sql")
    db.close()  # checked; each worker opens its own after the fork
    desk.close()
    desk.serves = True
    _give_back_large_blocks()
    connections = _connections_within(settings.server.threads)
    shared = tempfile.mkdtemp(prefix="gatekeeper-") if settings.server.processes > 1 else ""
    try:
        Server(desk, on_ready, connections, Path(shared) if shared else None).run()
    finally:
        if lock is not None:
            os.close(lock)


def _connections_within(threads: int) -> int:
    """Raise the limit on open files; return how many connections it allows a process to hold.

    A connection that waits for a thread is a file, one that is answered two (its own and a blob).
    Others wait in the kernel's queue, which drops whoever finds it full.
    """
    wanted = 2 * threads + WAITING_CONNECTIONS + FILES_BESIDE_THREADS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    files = limit - FILES_BESIDE_THREADS
    return max(1, files - threads, files // 2)


def _give_back_large_blocks() -> None:
    """Have blocks of 8 MiB and more returned to the system when they are freed, under glibc.

    It learns from the first that such blocks come again, and would then keep 19 MiB for each thread
    that has hashed a password. Source: mallopt(3).
    """
    with suppress(AttributeError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        set_option(_M_TRIM_THRESHOLD, _LARGE_BLOCK_BYTES)


@click.command()
@pass_desk
@command
def serve(desk: Desk) -> None:
    """Serve pages, downloads and APIs."""
    public = desk.settings.site.public_url
    logs.configure(desk.settings.log)
    run(desk, lambda: print(f"Gatekeeper is ready at {public}", flush=True))


@click.command()
@click.option(
    "--heartbeat",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Touch this file every second while chores are done, for who watches the worker.",
)
@pass_desk
@command
def worker(desk: Desk, heartbeat: Path | None) -> None:
    """Send mail and do the other chores, for servers on Postgres; ends on SIGTERM or Ctrl-C."""
    logs.configure(desk.settings.log)
    desk.serves = True
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    rounds = chores.rounds(desk.house, is_worker=True)
    _watch(rounds[0], stop, heartbeat)
    for each in rounds:
        each.finish()


def _watch(rounds: chores.Round, stop: threading.Event, heartbeat: Path | None) -> None:
    seen = -1
    while not stop.wait(HEARTBEAT_SECONDS):
        if heartbeat is not None and rounds.turns != seen:
            heartbeat.touch()
        seen = rounds.turns
