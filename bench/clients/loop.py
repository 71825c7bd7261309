"""Load in a closed loop: so many connections that stay open, each asks again when it was answered.

One thread and one selector, so that the client takes little of the machine it shares. Latency is
from the first byte sent to the last byte read.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from bench.clients.drain import WHOLE_OR_PART, Wrong, length_of

_BLOCK = 1 << 20


@dataclass(slots=True)
class Load:
    """What came of it: latencies in seconds, in the order of the answers."""

    seconds: float
    latencies: list[float] = field(default_factory=list)

    @property
    def answers(self) -> int:
        """How many requests were answered."""
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    def percentile(self, part: float) -> float:
        """Return the latency that `part` of the answers stayed under."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class _Line:
    """One connection: what it waits for and since when."""

    def __init__(self, port: int, statuses: Container[bytes]) -> None:
        self.statuses = statuses
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.asked_at = 0.0
        self.head = b""
        self.left = -1  # of the body; below 0 while the head comes in

    def ask(self, request: bytes) -> None:
        self.asked_at, self.head, self.left = time.perf_counter(), b"", -1
        if self.socket.send(request) != len(request):
            raise Wrong("a request did not fit into the socket")

    def read(self, block: bytearray) -> bool:
        """Read what is there; say whether the answer is complete."""
        if self.left < 0:
            chunk = self.socket.recv(8192)
            if not chunk:
                raise Wrong("the server closed a connection that should stay open")
            self.head += chunk
            head, found, rest = self.head.partition(b"\r\n\r\n")
            if not found:
                return False
            self.left = length_of(head, self.statuses) - len(rest)
        elif self.left:
            self.left -= self.socket.recv_into(block, min(self.left, _BLOCK), socket.MSG_TRUNC)
        return self.left == 0


def press(
    port: int,
    requests: Iterator[bytes],
    seconds: float,
    connections: int = 32,
    statuses: Container[bytes] = WHOLE_OR_PART,
) -> Load:
    """Ask until the time is over or the requests are; return what was answered in it.

    `requests` are whole HTTP/1.1 requests that keep the connection. Raises: Wrong for any answer
    of another status.
    """
    block = bytearray(_BLOCK)
    load = Load(seconds)
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            line = _Line(port, statuses)
            line.ask(next(requests))
            selector.register(line.socket, selectors.EVENT_READ, line)
        begun = time.perf_counter()
        until, is_over = begun + seconds, False
        while not is_over:
            for key, _ in selector.select(0.2):
                if key.data.read(block):
                    load.latencies.append(time.perf_counter() - key.data.asked_at)
                    request = next(requests, None)
                    if request is None:
                        is_over = True
                        break
                    key.data.ask(request)
            is_over = is_over or time.perf_counter() >= until
        load.seconds = time.perf_counter() - begun
        for registered in list(selector.get_map().values()):
            registered.data.socket.close()
    return load


def get(port: int, path: str, token: str = "") -> bytes:
    """Write a GET that keeps its connection, with a bearer token where one is given."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{bearer}\r\n".encode()
