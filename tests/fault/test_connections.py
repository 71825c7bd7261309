"""Clients that wait at a server's door while it is told to stop, and clients that do not leave."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

from gatekeeper.cli import gthread
from tests.conftest import Site
from tests.fault.servers import running, until
from tests.live import free_port

WAITING = 40
PATIENCE_SECONDS = 30
ASK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
ASK_AND_LEAVE = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"

Door = tuple[str, int] | str


@pytest.fixture(params=["port", "socket"])
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    """Where a server listens."""
    with tempfile.TemporaryDirectory(prefix="gk-") as folder:  # the path of a socket is short
        yield ("127.0.0.1", free_port()) if request.param == "port" else f"{folder}/socket"


@contextmanager
def serving(site: Site, door: Door, most_files: int = 0, **environment: str) -> Iterator[Any]:
    """Run a server that listens there until the block is left."""
    listens = (
        {"GATEKEEPER_SERVER__SOCKET": door, "GATEKEEPER_SERVER__TRUSTED_PROXIES": "1"}
        if isinstance(door, str)
        else {"GATEKEEPER_SERVER__PORT": str(door[1])}
    )
    log = site.data.parent / "log"
    settings = {**listens, "GATEKEEPER_LIMITS__ENABLED": "false", **environment}
    with running("serve", site, settings, log, most_files) as server:
        until(lambda: "is ready" in log.read_text() or server.poll() is not None)
        yield server


def connect(door: Door) -> socket.socket:
    """Knock; raises OSError where nobody listens."""
    link = socket.socket(socket.AF_UNIX if isinstance(door, str) else socket.AF_INET)
    link.settimeout(PATIENCE_SECONDS)
    try:
        link.connect(door)
    except OSError:
        link.close()
        raise
    return link


def test_who_had_reached_a_server_is_answered_and_who_comes_later_is_not_kept_waiting(
    site: Site, door: Door
) -> None:
    """The server's process is frozen while it is told to stop: clients wait in the kernel."""
    with serving(site, door) as server, ExitStack() as open_links:
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
        worker = int(children.split()[0])
        os.kill(worker, signal.SIGSTOP)
        until(lambda: _status(worker, "State").startswith("T"))  # or it would take SIGTERM first
        links = [open_links.enter_context(connect(door)) for _ in range(WAITING)]
        for link in links:
            link.sendall(ASK)
        server.send_signal(signal.SIGTERM)
        until(lambda: _is_told(worker))
        os.kill(worker, signal.SIGCONT)
        assert all(link.recv(4096).startswith(b"HTTP/1.1 200 ") for link in links)
        open_links.close()
        until(lambda: _is_shut(door))
        assert server.wait(60) == 0


def _is_told(pid: int) -> bool:
    """Say whether SIGTERM waits for a frozen process."""
    return bool(int(_status(pid, "ShdPnd"), 16) & 1 << (signal.SIGTERM - 1))


def _status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


def _is_shut(door: Door) -> bool:
    try:
        connect(door).close()
    except OSError:
        return True
    return False


def test_clients_that_were_answered_and_do_not_leave_keep_nobody_else_out(
    site: Site, door: Door
) -> None:
    with serving(site, door), ExitStack() as open_links:
        for _ in range(WAITING):
            open_links.enter_context(connect(door)).sendall(ASK_AND_LEAVE)
        with connect(door) as patient:
            patient.sendall(ASK)
            assert patient.recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("threads", ["8", "512"])
def test_connections_that_stay_open_are_answered_in_turn_whether_or_not_there_are_threads_for_all(
    site: Site, threads: str
) -> None:
    door = ("127.0.0.1", free_port())
    numbers = {"GATEKEEPER_SERVER__THREADS": threads, "GATEKEEPER_SERVER__MAX_DOWNLOADS": "4"}
    with serving(site, door, **numbers), ExitStack() as open_links:
        links = [open_links.enter_context(connect(door)) for _ in range(WAITING)]
        for _ in range(3):
            for link in links:
                link.sendall(ASK)
            assert {status(link) for link in links} == {200}
        links[0].sendall(ASK + ASK)  # the second is read with the first: the kernel has no more
        assert [status(links[0]), status(links[0])] == [200, 200]


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /healthz HT", id="half a head"),
        pytest.param(
            b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\nemail=",
            id="half a form",
        ),
    ],
)
def test_a_crowd_that_never_ends_its_requests_keeps_nobody_else_out(
    site: Site, door: Door, begun: bytes
) -> None:
    with serving(site, door), ExitStack() as open_links:
        for _ in range(WAITING):
            open_links.enter_context(connect(door)).sendall(begun)
        for _ in range(3):
            with connect(door) as link:
                link.sendall(ASK)
                assert status(link) == 200
        assert WAITING > 2 * gthread.AT_WORK


@pytest.mark.parametrize("threads", ["8", "128"])
def test_a_crowd_larger_than_the_files_a_server_may_open_is_answered_one_after_the_other(
    site: Site, threads: str
) -> None:
    door = ("127.0.0.1", free_port())
    numbers = {"GATEKEEPER_SERVER__THREADS": threads, "GATEKEEPER_SERVER__MAX_DOWNLOADS": "4"}
    with serving(site, door, most_files=400, **numbers), ExitStack() as open_links:
        links = [open_links.enter_context(connect(door)) for _ in range(600)]
        for link in links:
            link.sendall(ASK)
        for link in links:
            assert status(link) == 200
            link.close()
    assert "Too many open files" not in (site.data.parent / "log").read_text()


def test_a_request_that_came_in_time_is_heard_late_and_a_silent_connection_is_closed() -> None:
    worker = gthread.Worker(1, os.getpid(), [], None, 30, Config(), None)
    worker.poller = selectors.DefaultSelector()
    heard: list[object] = []
    clients = []
    with ExitStack() as open_links:
        open_links.callback(worker.tmp.close)
        open_links.callback(worker.poller.close)
        for _ in range(2):
            client, link = (open_links.enter_context(end) for end in socket.socketpair())
            kept = TConn(worker.cfg, link, "", "")
            kept.timeout = time.monotonic() + 3600
            worker.keepalived_conns.append(kept)
            worker.poller.register(link, selectors.EVENT_READ, heard.append)
            clients.append(client)
        speaking, silent = clients
        worker.nr_conns = 2
        worker.wait_for_and_dispatch_events(0)
        speaking.sendall(ASK)
        for kept in worker.keepalived_conns:
            kept.timeout = time.monotonic()  # over, since it was looked last
        worker.murder_keepalived()
        assert worker.nr_conns == 2
        worker.wait_for_and_dispatch_events(0)
        assert heard == [worker.keepalived_conns.popleft().sock]  # as a request would be taken up
        worker.murder_keepalived()
        assert worker.nr_conns == 1
        assert silent.recv(1) == b""


def status(link: socket.socket) -> int:
    """Read one answer, byte by byte: what comes behind it is another's."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = link.recv(1)
        assert byte, "the server hung up"
        head += byte
    lines = head.decode().lower().splitlines()
    left = next(int(line.split()[1]) for line in lines if line.startswith("content-length:"))
    while left:
        part = link.recv(left)
        assert part, "the server hung up"
        left -= len(part)
    return int(lines[0].split()[1])
