"""A TCP proxy that fails on purpose, between the product and something it depends on."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

BREAK_AFTER_BYTES = 100_000
SLOW_BYTES, SLOW_SECONDS = 4096, 0.02


class Fault(StrEnum):
    """What goes wrong with each connection, also with those that are open already."""

    NONE = "none"
    DOWN = "down"  # connections are reset
    HANG = "hang"  # requests are taken and nothing is answered
    FAIL = "fail"  # every request is answered 500
    BREAK = "break"  # an answer ends after 100 kB
    SLOW = "slow"  # an answer comes at 200 kB/s
    ALTER = "alter"  # the last byte of each piece of an answer's body is another one


_500 = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class FaultyProxy:
    """Forwards to one port of this machine and fails as `fault` says."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.fault = Fault.NONE
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening and forwarding."""
        self.fault = Fault.DOWN
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.fault is Fault.DOWN:
                _reset(client)
                continue
            server = socket.create_connection(("127.0.0.1", self._upstream))
            for forward in (self._requests, self._answers):
                threading.Thread(target=forward, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        for chunk in _chunks(client):
            match self.fault:
                case Fault.DOWN:
                    _reset(client)
                    break
                case Fault.HANG:
                    continue
                case Fault.FAIL:
                    with suppress(OSError):
                        client.sendall(_500)
                    break
                case _:
                    with suppress(OSError):
                        server.sendall(chunk)
        _close(server, client)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        sent = 0
        for chunk in _chunks(server):
            if self.fault is Fault.DOWN:
                _reset(client)
                break
            with suppress(OSError):
                client.sendall(self._spoiled(chunk, sent))
            sent += len(chunk)
            if self.fault is Fault.BREAK and sent > BREAK_AFTER_BYTES:
                break
        _close(client, server)

    def _spoiled(self, chunk: bytes, sent: int) -> bytes:
        match self.fault:
            case Fault.BREAK:
                return chunk[: max(0, BREAK_AFTER_BYTES - sent)]
            case Fault.SLOW:
                time.sleep(len(chunk) / SLOW_BYTES * SLOW_SECONDS)
            case Fault.ALTER if b"HTTP/1.1 " not in chunk:
                return chunk[:-1] + bytes([chunk[-1] ^ 1])
            case _:
                pass
        return chunk


def _chunks(sock: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while chunk := sock.recv(1 << 14):
            yield chunk


def _reset(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _close(*socks: socket.socket) -> None:
    for sock in socks:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()


@contextmanager
def faulty_proxy(port: int) -> Iterator[FaultyProxy]:
    """Run a proxy in front of a port of this machine; it fails only once it is told to."""
    proxy = FaultyProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
