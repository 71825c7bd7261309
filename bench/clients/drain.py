"""Reads answers without looking at them: the kernel throws the bytes away (MSG_TRUNC).

So the reader costs almost nothing, and what is measured is the server. Source: tcp(7).
"""

from __future__ import annotations

import socket
from collections.abc import Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

BLOCK_BYTES = 1 << 22
WHOLE_OR_PART = frozenset({b"200", b"206"})
_WAIT_SECONDS = 120


class Wrong(Exception):
    """An answer was not what a benchmark may count."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One GET: a path, and the part of it where one is wanted."""

    path: str
    start: int | None = None
    end: int | None = None

    def request(self, port: int) -> bytes:
        """Write the request; the connection ends with it."""
        part = f"Range: bytes={self.start}-{(self.end or 0) - 1}\r\n" if self.end else ""
        lines = f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{part}"
        return f"{lines}Connection: close\r\n\r\n".encode()


def split(path: str, size_bytes: int, parts: int) -> list[Wanted]:
    """Cut a file into ranges of the same size."""
    step = size_bytes // parts
    return [Wanted(path, i * step, (i + 1) * step) for i in range(parts)]


def drain_all(port: int, wanted: Sequence[Wanted]) -> int:
    """Ask for everything at once, a connection each; return the bytes that came.

    Raises: Wrong for an answer that is not 200 or 206, or is shorter than it says.
    """
    with ThreadPoolExecutor(len(wanted)) as pool:
        return sum(pool.map(lambda one: drain(port, one), wanted))


def drain(port: int, wanted: Wanted) -> int:
    """Read one answer to its end; return the length of its body in bytes."""
    with socket.create_connection(("127.0.0.1", port), _WAIT_SECONDS) as connection:
        connection.sendall(wanted.request(port))
        head, rest = read_head(connection)
        size = length_of(head)
        left = size - len(rest)
        # With MSG_TRUNC nothing is ever written into it.
        block = bytearray(min(BLOCK_BYTES, max(left, 1)))
        while left > 0:
            got = connection.recv_into(block, min(left, len(block)), socket.MSG_TRUNC)
            if got == 0:
                raise Wrong(f"{left} bytes of {wanted.path} are missing")
            left -= got
    return size


def read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return the head of an answer and what came of its body with it."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        chunk = connection.recv(4096)
        if not chunk:
            raise Wrong(f"the connection ended within the head: {seen[:200]!r}")
        seen += chunk
    head, _, rest = seen.partition(b"\r\n\r\n")
    return head, rest


def location_of(port: int, path: str) -> str:
    """Ask for a path and return where the answer, a 302, sends us; raises Wrong for another."""
    with socket.create_connection(("127.0.0.1", port), _WAIT_SECONDS) as connection:
        connection.sendall(Wanted(path).request(port))
        head, _ = read_head(connection)
    return _field(head, b"Location", {b"302"}).decode()


def length_of(head: bytes, statuses: Container[bytes] = WHOLE_OR_PART) -> int:
    """Return the Content-Length of a 200 or 206, or of what else may come; raises Wrong."""
    return int(_field(head, b"Content-Length", statuses))


def _field(head: bytes, wanted: bytes, statuses: Container[bytes]) -> bytes:
    if head[9:12] not in statuses:
        raise Wrong(head[:300].decode(errors="replace"))
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == wanted.lower():
            return value.strip()
    raise Wrong(f"an answer without {wanted.decode()}")
