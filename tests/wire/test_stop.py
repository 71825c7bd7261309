"""SIGTERM to `serve`: running downloads end, new connections are refused, and it exits with 0."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import select

from gatekeeper.db import tables as t
from gatekeeper.services.publishing import revisions
from tests.builders import World
from tests.cast import context
from tests.conftest import Site
from tests.live import free_port

SIZE_BYTES = 24 << 20
LIMIT_SECONDS = 60


@pytest.fixture
def large(world: World, tmp_path: Path) -> str:
    """The SHA-256 of an open file that no socket's buffers hold."""
    folder = tmp_path / "large"
    folder.mkdir()
    content = os.urandom(1 << 20) * (SIZE_BYTES >> 20)
    (folder / "large.bin").write_bytes(content)
    model = world.models["T0"]
    target = revisions.Target(model.namespace, model.name, model.release_name, model.tier)
    revisions.publish(world.house, context(), folder, target)
    return hashlib.sha256(content).hexdigest()


@contextmanager
def serving(site: Site, stop_seconds: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Serve a house until the block is left."""
    port = free_port()
    environment = {
        **os.environ, "GATEKEEPER_SERVER__PORT": str(port),
        "GATEKEEPER_SITE__PUBLIC_URL": f"http://127.0.0.1:{port}",
        "GATEKEEPER_SERVER__THREADS": "8", "GATEKEEPER_SERVER__MAX_DOWNLOADS": "4",
        "GATEKEEPER_SERVER__STOP_SECONDS": str(stop_seconds),
    }  # fmt: skip
    command = [sys.executable, "-m", "gatekeeper", "--data", str(site.data), "serve"]
    with (site.data.parent / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: connects(port) or process.poll() is not None)
        yield process, port
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


def wait_until(is_so: Callable[[], bool]) -> None:
    """Ask until it is so."""
    until = time.monotonic() + LIMIT_SECONDS
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def connects(port: int) -> bool:
    """Say whether somebody listens."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def ask(port: int, path: str) -> socket.socket:
    """Send a request over a connection that takes little at once."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    reader.settimeout(LIMIT_SECONDS)
    reader.connect(("127.0.0.1", port))
    reader.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return reader


def read_all(reader: socket.socket, before: bytes = b"") -> bytes:
    """Read to the end of what comes."""
    parts = [before]
    with suppress(ConnectionResetError):
        while part := reader.recv(1 << 20):
            parts.append(part)
    return b"".join(parts)


PATH = "/northfield/lyra-t0/resolve/main/large.bin"


def test_a_running_download_ends_and_nobody_new_is_taken(site: Site, large: str) -> None:
    with serving(site, 50) as (process, port):
        idle = ask(port, "/healthz")  # a connection that is kept alive holds nothing up
        assert idle.recv(1 << 16).startswith(b"HTTP/1.1 200")
        reader = ask(port, PATH)
        begun = reader.recv(1 << 14)
        assert begun.startswith(b"HTTP/1.1 200")
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: not connects(port))
        assert process.poll() is None
        head, _, body = read_all(reader, begun).partition(b"\r\n\r\n")
        assert f"content-length: {SIZE_BYTES}".encode() in head.lower()
        assert hashlib.sha256(body).hexdigest() == large
        assert process.wait(LIMIT_SECONDS) == 0
        idle.close()
        reader.close()


def test_a_reader_that_takes_too_long_is_cut_and_the_counters_are_written(
    site: Site, world: World, large: str
) -> None:
    with serving(site, 1) as (process, port):
        reader = ask(port, PATH)
        begun = reader.recv(1 << 14)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_SECONDS) == 0
        assert len(read_all(reader, begun)) < SIZE_BYTES
        reader.close()
    assert "a process stopped" in (site.data.parent / "log").read_text()  # it was not killed
    with world.house.db.reading() as read:
        (row,) = read.connection.execute(select(t.counters).where(t.counters.c.sha256 == large))
    assert row.bytes_offered == SIZE_BYTES
