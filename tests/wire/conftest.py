"""The live server of this room, the clients that speak to it, and a proxy between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire import server
from tests.wire.clients import VERSIONS, Client, python_of
from tests.wire.proxy import Proxy, proxy_to
from tests.wire.server import Live


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server over a furnished house, one for the whole room."""
    with server.live(tmp_path_factory.mktemp("live")) as found:
        yield found


@pytest.fixture(params=VERSIONS)
def hub(request: pytest.FixtureRequest, live: Live, tmp_path: Path) -> Client:
    """Each version of the client, anonymous, with nothing cached."""
    python = python_of(request.param)
    return Client(request.param, python, tmp_path / "machine").at(live.url)


@pytest.fixture
def proxy(live: Live) -> Iterator[Proxy]:
    """A proxy in front of the server that writes requests down."""
    with proxy_to(live.port) as found:
        yield found
