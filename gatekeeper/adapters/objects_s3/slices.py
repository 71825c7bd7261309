"""Reading a part of a blob over the network."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError

from gatekeeper.adapters.objects_s3.client import ATTEMPTS, asking
from gatekeeper.domain.errors import Unavailable

# Asks for the bytes from a position on; returns a body and how many bytes it has.
Get = Callable[[int, int], tuple[Any, int]]


class S3Slice:
    """Bytes [start, end) of a blob; a body that breaks off is asked for again where it ended.

    Safe to repeat: a key is a digest, so what it names never changes.
    """

    def __init__(self, get: Get, start: int, end: int) -> None:
        self._get = get
        self._at, self._end = start, end
        self._body: Any = None

    def ask(self) -> None:
        """Ask for what is left of the slice; raises Unavailable, IntegrityBroken."""
        if self._at < self._end:
            with asking("get"):
                self._body, size_bytes = self._get(self._at, self._end)
            self._end = self._at + size_bytes  # the blob may end before the slice does

    def fileno(self) -> int:
        """Have no descriptor: the bytes come over the network."""
        raise io.UnsupportedOperation("fileno")

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes of what is left of the slice; raises Unavailable."""
        for _ in range(ATTEMPTS):
            if self._body is None:
                self.ask()
            left = max(0, self._end - self._at)
            wanted = left if size < 0 else min(size, left)
            if not wanted:
                return b""
            with suppress(BotoCoreError, OSError):
                if chunk := self._body.read(wanted):
                    self._at += len(chunk)
                    return bytes(chunk)
            self.close()
        raise Unavailable("the store broke off in the middle of a blob")

    def seek(self, offset: int, /) -> None:
        """Stand at a byte of the whole blob."""
        self.close()
        self._at = min(offset, self._end)

    def close(self) -> None:
        """Let go of the connection; twice is fine."""
        if self._body is not None:
            self._body.close()
            self._body = None
