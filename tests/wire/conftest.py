"""The live servers of this room, the clients that speak to them, and a proxy between them.

What a server was asked during a test that fails is kept: failures.py says where.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatekeeper.domain.links import DeliveryMode
from tests.wire import failures, server
from tests.wire.clients import VERSIONS, Client, python_of
from tests.wire.proxy import Proxy, proxy_to
from tests.wire.server import Live


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a server was asked during a test that failed, and say where it is."""
    report = yield
    if report.failed and (kept := failures.keep(item)) is not None:
        report.sections.append(("requests", f"what the server was asked: {kept}"))
    return report


@pytest.fixture(autouse=True)
def _observed(request: pytest.FixtureRequest) -> None:
    """Note where a test begins in the log of its server."""
    names = {"live", "any_live"} & set(request.fixturenames)
    failures.begin(request.node, [request.getfixturevalue(name).requests for name in names])


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server over a furnished house, one for the whole room."""
    with server.live(tmp_path_factory.mktemp("live")) as found:
        yield found


@pytest.fixture(scope="session")
def live_by_mode(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[DeliveryMode], Live]]:
    """Start the server of a delivery mode when it is first asked for."""
    with ExitStack() as running:
        made: dict[DeliveryMode, Live] = {}

        def start(mode: DeliveryMode) -> Live:
            folder = tmp_path_factory.mktemp(mode)
            match mode:
                case DeliveryMode.DIRECT:
                    found: Live = request.getfixturevalue("live")
                    return found
                case DeliveryMode.X_ACCEL:
                    return running.enter_context(server.live_behind_nginx(folder))
                case DeliveryMode.REDIRECT:
                    store = request.getfixturevalue("seaweed")
                    database = request.getfixturevalue("postgres_database")
                    return running.enter_context(server.live_on_s3(folder, database, store))

        def ask(mode: DeliveryMode) -> Live:
            if mode not in made:
                made[mode] = start(mode)
            return made[mode]

        yield ask


@pytest.fixture(params=list(DeliveryMode))
def any_live(request: pytest.FixtureRequest, live_by_mode: Callable[[DeliveryMode], Live]) -> Live:
    """A server for each way that bytes leave: SQLite and a disk twice, Postgres and S3."""
    return live_by_mode(request.param)


@dataclass(frozen=True, slots=True)
class Way:
    """The way that bytes take: where to ask so that `proxy` sees and can cut them."""

    url: str
    proxy: Proxy


@contextmanager
def way_of(live: Live) -> Iterator[Way]:
    """Put a proxy on the way of a file's bytes."""
    if live.bytes_proxy is not None:
        live.bytes_proxy.take()
        yield Way(live.url, live.bytes_proxy)
        return
    with proxy_to(live.port) as found:
        yield Way(found.url, found)


@pytest.fixture
def way(any_live: Live) -> Iterator[Way]:
    """The way of a file's bytes in each delivery mode."""
    with way_of(any_live) as found:
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
