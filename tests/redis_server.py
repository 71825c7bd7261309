"""A real Redis of the tests' own, on loopback: start, stop, and it keeps nothing over a stop."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live import free_port
from tests.rooms import lacks


class Redis:
    """One server, at a port of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return once it answers."""
        words = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return
            except OSError:
                assert time.monotonic() < until, "redis-server did not start"
                time.sleep(0.02)

    def stop(self) -> None:
        """Kill it, also where it is frozen."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def running_redis() -> Iterator[Redis]:
    """Run a Redis until the block is left; skip where the tool is missing."""
    if shutil.which("redis-server") is None:
        lacks("redis", "redis-server is not installed")
    server = Redis()
    server.start()
    try:
        yield server
    finally:
        server.stop()
