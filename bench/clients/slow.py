"""Readers on a bad line: each takes at most 16 KiB a second, and none of them gives up.

A small receive buffer makes the server feel it: what the reader has not taken waits there. Whoever
is told 502, 503 or 504 comes again after two seconds, as `curl --retry` and the Hub's client come
again; how often each status was told is counted.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

RECEIVE_BUFFER = 16 << 10
STEP_BYTES = 8 << 10
STEP_SECONDS = 0.5
LAST_SECONDS = 60
AGAIN_SECONDS = 2.0
_COME_AGAIN = {b"502", b"503", b"504"}


@dataclass(slots=True)
class _Reader:
    request: bytes
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
        self._sent_away: deque[_Reader] = deque()  # in the order in which they come again
        self.told: Counter[str] = Counter()  # how often each status was read

    def add(self, request: bytes) -> None:
        """Open one more download."""
        reader = _Reader(request, self._ask(request))
        self._readers.append(reader)
        self._due.append(reader)

    def turn(self) -> None:
        """Let everybody read whose time has come."""
        now = time.monotonic()
        while self._sent_away and self._sent_away[0].next_at <= now:
            reader = self._sent_away.popleft()
            reader.socket, reader.seen, reader.got_bytes = self._ask(reader.request), b"", 0
            self._due.append(reader)
        while self._due and self._due[0].next_at <= now:
            reader = self._due.popleft()
            with suppress(BlockingIOError, ConnectionError):
                self._read(reader)
            if reader.seen[9:12] in _COME_AGAIN:
                reader.socket.close()
                reader.next_at = now + AGAIN_SECONDS
                self._sent_away.append(reader)
            else:
                reader.next_at = now + STEP_SECONDS
                self._due.append(reader)

    def _ask(self, request: bytes) -> socket.socket:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", self._port))
        connection.sendall(request)
        connection.setblocking(False)
        return connection

    def _read(self, reader: _Reader) -> None:
        chunk = reader.socket.recv(STEP_BYTES)
        if not reader.seen and chunk:
            reader.seen = chunk[:16]
            self.told[chunk[9:12].decode(errors="replace")] += 1
        reader.got_bytes += len(chunk)

    def served(self, at_least_bytes: int) -> int:
        """Count the readers that were answered 200 or 206 and have so many bytes."""
        return sum(
            reader.seen[9:12] in {b"200", b"206"} and reader.got_bytes >= at_least_bytes
            for reader in self._readers
        )

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
    print(json.dumps({"served": crowd.served(least_bytes), "answers": crowd.told}))
    crowd.close()


if __name__ == "__main__":
    main()
