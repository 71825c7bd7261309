"""A TCP proxy that writes down the requests it sees and can cut one answer in the middle."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import unquote

_REQUEST = re.compile(rb"(?ms)^(GET|HEAD|POST|PUT|DELETE) (\S+) HTTP/1\.1\r\n(.*?)\r\n\r\n")
_RANGE = re.compile(rb"(?im)^range: *(.*?)\r?$")
_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)\r?$")
_CREDENTIALS = re.compile(rb"(?im)^(authorization|cookie):")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: method, target as sent, Range header ('' without), whether it has secrets."""

    method: str
    target: str
    range: str
    has_credentials: bool

    @property
    def path(self) -> str:
        """The decoded path without the query."""
        return unquote(self.target.partition("?")[0])


_WAYS_UP = {"/info/lfs/objects/batch": "git-LFS", "/xet-write-token/": "Xet"}


def ways_up(seen: list[Seen]) -> set[str]:
    """Say by which ways large files went up."""
    return {way for part, way in _WAYS_UP.items() for request in seen if part in request.path}


class Proxy:
    """Forwards to one port of this machine; `url` is where clients find it."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._cut_after: int | None = None
        self._at_upload: tuple[int, Callable[[], None]] | None = None
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, size_bytes: int) -> None:
        """Cut the next connection whose answers reach this many bytes, once."""
        with self._lock:
            self._cut_after = size_bytes

    def at_upload(self, size_bytes: int, act: Callable[[], None]) -> None:
        """Act in the middle of an upload: once a connection has sent this many bytes, once."""
        with self._lock:
            self._at_upload = size_bytes, act

    def take(self) -> list[Seen]:
        """Return the requests since the last call, without the clients' telemetry."""
        with self._lock:
            seen, self._seen = self._seen, []
        quiet = ("/api/telemetry", "/api/agent-harnesses")
        return [request for request in seen if not request.path.startswith(quiet)]

    def close(self) -> None:
        """Stop listening; what runs may run out."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._upstream))
            for target in (self._requests, self._answers):
                threading.Thread(target=target, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        pending, body_bytes, sent = b"", 0, 0
        for chunk in _chunks(client):
            sent += len(chunk)
            self._act_at(sent)
            pending += chunk
            pending, body_bytes = pending[body_bytes:], max(0, body_bytes - len(pending))
            while match := _REQUEST.search(pending):
                found = _RANGE.search(match[3])
                seen = Seen(
                    match[1].decode(),
                    match[2].decode(),
                    found[1].decode() if found else "",
                    has_credentials=_CREDENTIALS.search(match[3]) is not None,
                )
                with self._lock:
                    self._seen.append(seen)
                length = _LENGTH.search(match[3])
                end = match.end() + (int(length[1]) if length else 0)
                pending, body_bytes = pending[end:], max(0, end - len(pending))
            with suppress(OSError):
                server.sendall(chunk)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        sent = 0
        for chunk in _chunks(server):
            room = self._room(sent, len(chunk))
            with suppress(OSError):
                client.sendall(chunk[:room])
            sent += room
            if room < len(chunk):
                break
        for sock in (client, server):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _act_at(self, sent: int) -> None:
        with self._lock:
            if self._at_upload is None or sent < self._at_upload[0]:
                return
            act, self._at_upload = self._at_upload[1], None
        act()

    def _room(self, sent: int, size: int) -> int:
        """Return how much of a chunk may pass; less than all of it cuts the connection."""
        with self._lock:
            if self._cut_after is None or sent + size <= self._cut_after:
                return size
            room, self._cut_after = max(0, self._cut_after - sent), None
            return room


def _chunks(sock: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while chunk := sock.recv(1 << 16):
            yield chunk


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """Run a proxy in front of a port of this machine."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
