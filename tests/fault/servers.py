"""Several servers and a worker over one Postgres and one Redis, as their own processes."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from gatekeeper.db import ledger
from gatekeeper.services.ports import House
from tests.builders import WEIGHTS, World
from tests.cast import Member
from tests.conftest import Site
from tests.live import Answer, free_port
from tests.redis_server import Redis

SECONDS = 180  # after which a test says that it never came to that
LEADER = text(
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::bigint << 32) + l.objid::bigint = "
    f"{ledger.SEQUENCER_LOCK}"
)
OURS = text(
    "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'gatekeeper %'"
)
WAITING = text(
    "SELECT DISTINCT application_name FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
)
API_CALLS = 40

T = TypeVar("T")
_visitors = itertools.count(1)


def until(ask: Callable[[], T]) -> T:
    """Ask until the answer is something, and return it."""
    end = time.monotonic() + SECONDS
    while not (answer := ask()):
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)
    return answer


def os_pid(application_name: str) -> int:
    """Return the process that a Postgres session belongs to."""
    words = application_name.split()
    assert words[0] == "gatekeeper"
    return int(words[1])


@dataclass(slots=True)
class Server:
    """One `gatekeeper serve` of so many processes."""

    port: int
    process: subprocess.Popen[bytes]

    def ask(
        self, path: str, member: Member | None = None, body: object = None, **headers: str
    ) -> Answer:
        """Send one request, as a visitor whom no limit knows; raises OSError or HTTPException."""
        address = f"2001:db8::{next(_visitors):x}"
        sent = {"X-Forwarded-For": address, **(member.headers if member else {})}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        text = None
        if body is not None:
            text, sent["Content-Type"] = json.dumps(body), "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST" if text else "GET", path, text, sent)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def link(self, member: Member, **headers: str) -> Answer:
        """Ask for a link to a gated file."""
        body = {"model": "northfield/lyra-t3", "revision": "main", "path": WEIGHTS}
        return self.ask("/api/v1/links", member, body, **headers)

    def children(self) -> set[int]:
        """Return the processes that serve."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return {int(pid) for pid in found.split()}


@dataclass(slots=True)
class Servers:
    """Two servers, a worker, what they share, and the house opened beside them."""

    many: Server
    one: Server
    worker: subprocess.Popen[bytes]
    postgres: Any
    redis: Redis
    site: Site
    world: World
    house: House

    def sql(self, statement: Any) -> list[str]:
        """Return the first column of what Postgres answers."""
        with create_engine(self.site.url, poolclass=NullPool).connect() as connection:
            return [str(row[0]) for row in connection.execute(statement)]


def environment(site: Site, redis: Redis, port: int, processes: int) -> dict[str, str]:
    """Return the settings of one server."""
    ours = {
        "SERVER__PORT": str(port),
        "SERVER__PROCESSES": str(processes),
        "SERVER__THREADS": "64",
        "SERVER__MAX_DOWNLOADS": "48",
        "SERVER__TRUSTED_PROXIES": "1",  # a request says where it comes from
        "SITE__PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DATABASE__URL": site.url,
        "DATABASE__POOL_SIZE": "8",
        "LIMITS__STORAGE_URL": redis.url,
        "LIMITS__API": f"{API_CALLS}/hour",
    }
    return {f"GATEKEEPER_{key}": value for key, value in ours.items()}


@contextmanager
def running(
    words: str, site: Site, settings: Mapping[str, str], log: Path, most_files: int = 0
) -> Iterator[Any]:
    """Run a command of ours until the block is left, perhaps with a hard limit on open files."""
    command = [sys.executable, "-m", "gatekeeper", "--data", str(site.data), words]
    if most_files:
        command = ["prlimit", f"--nofile={most_files}", *command]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@contextmanager
def all_running(site: Site, redis: Redis, logs: Path) -> Iterator[tuple[Server, Server, Any]]:
    """Run a server of three processes, one of one, and a worker; wait until all are at work."""
    with ExitStack() as stack:
        servers = []
        for processes in (3, 1):
            port, log = free_port(), logs / f"serve-{processes}.log"
            settings = environment(site, redis, port, processes)
            process = stack.enter_context(running("serve", site, settings, log))
            servers.append((Server(port, process), processes, log))
        settings = environment(site, redis, 0, 1)
        worker = stack.enter_context(running("worker", site, settings, logs / "worker.log"))
        for server, processes, log in servers:
            until(lambda log=log: "is ready" in log.read_text())
            until(lambda server=server, n=processes: len(server.children()) == n)
        yield servers[0][0], servers[1][0], worker
