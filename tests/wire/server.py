"""A live server over a furnished house, as its own process, for clients that speak HTTP.

The test's process opens the same house and acts beside the server, as the command line would.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gatekeeper.app import make_house, make_keys
from gatekeeper.db import migrations
from gatekeeper.domain.catalogue import AgreementId, Model
from gatekeeper.domain.links import DeliveryMode
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import revisions
from gatekeeper.settings import load
from tests import builders
from tests.builders import FORM, RELEASE, RESEARCH, World
from tests.cast import NAMESPACE, Member, context, hire_one
from tests.nginx import running_nginx
from tests.seaweed import CREDENTIALS, Seaweed, s3_client, settings_for
from tests.wire.proxy import Proxy, proxy_to

MANY = "many-files"
LARGE = "large-gated"
CROWD = "crowd"
CROWD_SIZE = 101  # one more than the server puts on a page
SMALL_FILES = 40
LARGE_BYTES = 24 << 20
ODD_PATH = "sub dir/a b#c.txt"
ODD_BYTES = b"a file with an odd name\n"
LFS_BYTES = (b"weights that anybody may have " * 50_000)[: 1 << 20]
BUCKET = "wire-weights"
START_SECONDS = 60


@dataclass(slots=True)
class Live:
    """A running server, its house opened in this process, and who and what is in it."""

    url: str
    data: Path
    world: World
    log: Path
    requests: Path  # what it was asked: tests/wire/observed.py
    many: Model
    large: Model
    large_bytes: bytes
    settings: dict[str, str]
    bytes_proxy: Proxy | None = None  # where files come from when they come from the store
    hired: list[Member] = field(default_factory=list)

    @property
    def house(self) -> House:
        """The house, opened beside the server."""
        return self.world.house

    @property
    def mode(self) -> DeliveryMode:
        """Who sends the bytes."""
        return self.house.policy.delivery_mode

    @property
    def port(self) -> int:
        """Where the server listens on loopback."""
        return int(self.url.rpartition(":")[2])

    def hire(self) -> Member:
        """Register somebody whom no other test knows: verified, without a grant."""
        member = hire_one(self.house, f"guest{len(self.hired)}")
        self.hired.append(member)
        return member


def environment(port: int) -> dict[str, str]:
    """Return the settings of the server and of the house beside it."""
    return {
        "GATEKEEPER_SERVER__PORT": str(port),
        "GATEKEEPER_SERVER__THREADS": "64",
        "GATEKEEPER_SERVER__MAX_DOWNLOADS": "48",
        "GATEKEEPER_DATABASE__BUSY_SECONDS": "15",
        "GATEKEEPER_SITE__PUBLIC_URL": f"http://127.0.0.1:{port}",
        "GATEKEEPER_LIMITS__ENABLED": "false",
    }


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def live(directory: Path) -> Iterator[Live]:
    """Furnish a house in an empty directory and serve it until the block is left."""
    with _furnished(directory, environment(free_port())) as site:
        _crowd(site.house, directory / CROWD)
        with serving(site.data, site.settings, site.log, site.requests):
            yield site


@contextmanager
def live_behind_nginx(directory: Path) -> Iterator[Live]:
    """Serve a house whose bytes nginx sends from the disk."""
    port, front = free_port(), free_port()
    settings = environment(port) | {
        "GATEKEEPER_SITE__PUBLIC_URL": f"http://127.0.0.1:{front}",
        "GATEKEEPER_DELIVERY__MODE": "x-accel",
        "GATEKEEPER_SERVER__TRUSTED_PROXIES": "1",
    }
    blobs = directory / "data" / "store" / "blobs"
    with (
        _furnished(directory, settings) as site,
        serving(site.data, site.settings, site.log, site.requests),
        running_nginx(directory / "nginx", front, port, blobs),
    ):
        yield site


@contextmanager
def live_on_s3(directory: Path, database_url: str, store: Seaweed) -> Iterator[Live]:
    """Serve a house on Postgres whose bytes an S3 server sends, under another host name."""
    with proxy_to(store.port) as bytes_proxy:
        settings = environment(free_port()) | settings_for(BUCKET, store.url) | CREDENTIALS
        settings |= {
            "GATEKEEPER_DATABASE__URL": database_url,
            "GATEKEEPER_DELIVERY__MODE": "redirect",
            "GATEKEEPER_STORE__S3__PUBLIC_ENDPOINT_URL": f"http://localhost:{bytes_proxy.port}",
        }
        s3_client(store.url).create_bucket(Bucket=BUCKET)
        with (
            _furnished(directory, settings) as site,
            serving(site.data, settings, site.log, site.requests),
        ):
            site.bytes_proxy = bytes_proxy
            yield site


@contextmanager
def _furnished(directory: Path, settings: dict[str, str]) -> Iterator[Live]:
    data = directory / "data"
    data.mkdir()
    make_keys(data)
    house = make_house(load(settings)[0], data, demo=True)
    migrations.upgrade(house.db.engine)
    world = builders.furnish(house, directory / "furnished")
    large_bytes = os.urandom(LARGE_BYTES)
    site = Live(
        url=settings["GATEKEEPER_SITE__PUBLIC_URL"],
        settings=settings,
        data=data,
        world=world,
        log=directory / "server.log",
        requests=directory / "requests.log",
        many=_many(house, directory / MANY),
        large=_large(house, directory / LARGE, large_bytes),
        large_bytes=large_bytes,
    )
    try:
        yield site
    finally:
        house.db.close()


def _many(house: House, folder: Path) -> Model:
    """Publish an open model with many files, a branch with a slash and a tag."""
    (folder / "sub dir").mkdir(parents=True)
    (folder / "README.md").write_text(
        "---\nlicense: mit\ntags: [tiny, tests]\nlanguage:\n  - en\n  - de\n"
        "pipeline_tag: text-generation\nlibrary_name: transformers\n---\n# Many\n"
    )
    (folder / "config.json").write_text('{"model_type": "none"}\n')
    (folder / ODD_PATH).write_bytes(ODD_BYTES)
    (folder / "model.safetensors").write_bytes(LFS_BYTES)
    for number in range(SMALL_FILES):
        shard = folder / "shards" / f"{number % 4}"
        shard.mkdir(parents=True, exist_ok=True)
        (shard / f"part-{number:03}.json").write_text(f'{{"part": {number}}}\n')
    model = _publish(house, folder, MANY, "T0", tag="v1.0")
    (folder / "config.json").write_text('{"model_type": "feature"}\n')
    _publish(house, folder, MANY, "T0", branch="feat/x")
    return model


def _large(house: House, folder: Path, large_bytes: bytes) -> Model:
    folder.mkdir()
    (folder / "README.md").write_text("# Large\n")
    (folder / "config.json").write_text('{"large": true}\n')
    (folder / "model.safetensors").write_bytes(large_bytes)
    return _publish(house, folder, LARGE, "T3", asks=(RESEARCH,), form=True)


def _crowd(house: House, folder: Path) -> None:
    folder.mkdir()
    builders.add_release(house, CROWD, RELEASE)
    (folder / "README.md").write_text("# One of many\n")
    for number in range(CROWD_SIZE):
        _publish(house, folder, f"one-{number:03}", "T0", namespace=CROWD)


def _publish(
    house: House,
    folder: Path,
    name: str,
    tier: str,
    *,
    namespace: str = NAMESPACE,
    branch: str = "main",
    tag: str = "",
    asks: tuple[AgreementId, ...] = (),
    form: bool = False,
) -> Model:
    target = revisions.Target(
        namespace=namespace,
        name=name,
        release=RELEASE,
        tier=house.tiers[tier],
        agreements=asks,
        form=FORM if form else None,
        branch=branch,
        tag=tag,
        message=f"Publish {name}\n\nWith everything in it.",
    )
    revisions.publish(house, context(), folder, target)
    with house.db.reading() as read:
        model = read.catalogue.model(namespace, name)
    assert model is not None
    return model


@contextmanager
def serving(data: Path, settings: dict[str, str], log: Path, requests: Path) -> Iterator[None]:
    """Serve a data directory as a process of its own until the block is left."""
    observed = [sys.executable, str(Path(__file__).with_name("observed.py")), str(requests)]
    command = [*observed, "--data", str(data), "serve"]
    with log.open("wb") as said:
        process = subprocess.Popen(
            command,
            env={**os.environ, **settings},
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(int(settings["GATEKEEPER_SERVER__PORT"]), process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-4000:]}")
