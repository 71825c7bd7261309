"""Readers on a bad line: each takes at most 16 KiB a second, and none of them gives up.

A small receive buffer makes the server feel it: what the reader has not taken waits there.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

RECEIVE_BUFFER = 16 << 10
STEP_BYTES = 8 << 10
STEP_SECONDS = 0.5
LAST_SECONDS = 60


@dataclass(slots=True)
class _Reader:
    socket: socket.socket
    seen: bytes = b""
    got_bytes: int = 0
    next_at: float = 0.0


class SlowReaders:
    """So many open downloads of one server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._readers: list[_Reader] = []
        self._due: deque[_Reader] = deque()  # in the order in which they may read again

    def add(self, request: bytes) -> None:
        """Open one more download."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", self._port))
        connection.sendall(request)
        connection.setblocking(False)
        reader = _Reader(connection)
        self._readers.append(reader)
        self._due.append(reader)

    def turn(self) -> None:
        """Let everybody read whose time has come."""
        now = time.monotonic()
        while self._due and self._due[0].next_at <= now:
            reader = self._due.popleft()
            with suppress(BlockingIOError, ConnectionError):
                chunk = reader.socket.recv(STEP_BYTES)
                reader.seen = reader.seen or chunk[:16]
                reader.got_bytes += len(chunk)
            reader.next_at = now + STEP_SECONDS
            self._due.append(reader)

    def served(self, at_least_bytes: int) -> int:
        """Count the readers that were answered 200 or 206 and have so many bytes."""
        return sum(
            reader.seen[9:12] in {b"200", b"206"} and reader.got_bytes >= at_least_bytes
            for reader in self._readers
        )

    def answers(self) -> dict[str, int]:
        """Count the readers by the status they were answered; '' has none yet."""
        found: dict[str, int] = {}
        for reader in self._readers:
            status = reader.seen[9:12].decode(errors="replace")
            found[status] = found.get(status, 0) + 1
        return found

    def close(self) -> None:
        """Hang up."""
        for reader in self._readers:
            reader.socket.close()


def requests(paths: Sequence[str], port: int, count: int) -> list[bytes]:
    """Write a GET for each reader, going round the paths."""
    return [
        f"GET {paths[i % len(paths)]} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        for i in range(count)
    ]


def main() -> None:
    """Read (port, paths, count) as JSON; open, say so, read until told how much each must have.

    Then wait for the last of them, a minute at most, and tell how many have it.

    A process of its own: nothing else waits for these thousands.
    """
    port, paths, count = json.loads(sys.stdin.readline())
    crowd = SlowReaders(port)
    for request in requests(paths, port, count):
        crowd.add(request)
        crowd.turn()
    print("open", flush=True)
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        crowd.turn()
    least_bytes = json.loads(sys.stdin.readline())
    until = time.monotonic() + LAST_SECONDS
    while crowd.served(least_bytes) < count and time.monotonic() < until:
        crowd.turn()
    print(json.dumps({"served": crowd.served(least_bytes), "answers": crowd.answers()}))
    crowd.close()


if __name__ == "__main__":
    main()
