"""A range of a blob as a server sends it: by the kernel first, by plain reads otherwise."""

from __future__ import annotations

import io
import socket
from pathlib import Path

import pytest

from gatekeeper.adapters.objects_local import LocalObjects
from gatekeeper.web.streaming import HeldSlice

BYTES = bytes(range(256)) * 400


@pytest.fixture
def held(tmp_path: Path) -> HeldSlice:
    """Bytes 100 to 50,100 of a blob, as a response holds them."""
    store = LocalObjects(tmp_path)
    stored = store.put(io.BytesIO(BYTES), len(BYTES))
    return HeldSlice(store.open(stored.sha256, 100, 50_100), lambda: None)


def test_a_client_that_hung_up_is_a_broken_pipe_and_nothing_else(held: HeldSlice) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(BrokenPipeError):
        ours.sendfile(held, offset=100, count=50_000)  # type: ignore[arg-type]
    held.close()


def test_what_the_kernel_cannot_send_is_read_from_the_same_place(held: HeldSlice) -> None:
    held.seek(1000)
    assert held.read(10) == BYTES[1000:1010]
    held.seek(50_000)
    assert held.read() == BYTES[50_000:50_100]
    held.seek(60_000)
    assert held.read() == b""
    held.close()
