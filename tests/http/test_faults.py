"""A dependency that is down gives 503 with Retry-After at every door, and grants nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import create_engine, select
from werkzeug.test import TestResponse

from gatekeeper.app import create_app, make_house, read_keys
from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from tests.builders import WEIGHTS, World
from tests.conftest import Site, make_settings
from tests.live import free_port


def is_unavailable(answer: TestResponse) -> bool:
    """Say whether an answer is 503 with a Retry-After of whole seconds."""
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0


@pytest.fixture
def dead(site: Site) -> Iterator[Flask]:
    """An application whose Postgres does not listen."""
    url = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none"
    settings = make_settings(GATEKEEPER_DATABASE__URL=url, GATEKEEPER_DATABASE__BUSY_SECONDS="1")
    house = make_house(settings, site.data, demo=True)
    yield create_app(settings, house, read_keys(settings, site.data).sessions)
    house.db.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("GET", "/northfield/lyra-t0"), ("GET", "/releases/northfield/lyra"),
        ("GET", "/api/v1/models"), ("GET", "/api/v1/me"), ("POST", "/api/v1/links"),
        ("GET", "/api/models/northfield/lyra-t0"),
        ("GET", f"/northfield/lyra-t3/resolve/main/{WEIGHTS}"),
        ("HEAD", f"/northfield/lyra-t3/resolve/main/{WEIGHTS}"), ("GET", "/api/whoami-v2"),
    ],
)  # fmt: skip
def test_without_a_database_every_door_says_503_and_when_to_come_back(
    dead: Flask, world: World, method: str, path: str
) -> None:
    answer = dead.test_client().open(path, method=method, headers=world.cast.researcher.headers)
    assert is_unavailable(answer), (answer.status_code, answer.get_data()[:300])


@pytest.mark.parametrize(
    "path",
    ["/", "/account", "/api/v1/models", "/api/models/northfield/lyra-t0", "/d/token/file",
     f"/northfield/lyra-t3/resolve/main/{WEIGHTS}"],
)  # fmt: skip
def test_without_a_database_a_browser_that_was_signed_in_is_told_so_and_stays_so(
    dead: Flask, path: str
) -> None:
    client = dead.test_client()
    client.set_cookie("gk_session", "s" * 43)
    answer = client.get(path)
    assert is_unavailable(answer), (answer.status_code, answer.get_data()[:300])
    assert "Set-Cookie" not in answer.headers
    assert client.get("/healthz").status_code == 200


def test_without_a_database_the_process_is_alive_and_not_ready(dead: Flask) -> None:
    client = dead.test_client()
    assert client.get("/healthz").status_code == 200
    assert is_unavailable(client.get("/readyz"))


def test_a_database_locked_by_another_process_grants_nothing_and_recovers(
    site: Site, world: World
) -> None:
    if site.url:
        pytest.skip("SQLite's own lock")
    settings = make_settings(GATEKEEPER_DATABASE__BUSY_SECONDS="0.3")
    house = make_house(settings, site.data, demo=True)
    client = create_app(settings, house, read_keys(settings, site.data).sessions).test_client()
    body = {"model": "northfield/lyra-t3", "revision": "main", "path": WEIGHTS}
    headers = world.cast.researcher.headers
    lock = sqlite3.connect(site.data / "gatekeeper.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    assert is_unavailable(client.post("/api/v1/links", json=body, headers=headers))
    assert is_unavailable(
        client.get(f"/northfield/lyra-t3/resolve/main/{WEIGHTS}", headers=headers)
    )
    assert client.get("/api/v1/models").status_code == 200  # reading goes on
    lock.execute("ROLLBACK")
    lock.close()
    with house.db.reading() as read:
        assert read.connection.execute(select(t.links)).all() == []
    assert client.post("/api/v1/links", json=body, headers=headers).status_code == 201
    house.db.close()


def test_a_schema_that_is_behind_is_not_ready(app: Flask, site: Site) -> None:
    client = app.test_client()
    assert client.get("/readyz").get_json()["checks"]["schema"] is True
    edit(site, "UPDATE alembic_version SET version_num = '0000'")
    answer = client.get("/readyz")
    assert is_unavailable(answer)
    assert answer.get_json()["checks"] == {"database": True, "schema": False, "store": True}
    edit(site, "DROP TABLE alembic_version")
    assert is_unavailable(client.get("/readyz"))


@writes
def edit(site: Site, statement: str) -> None:
    """Change the database as somebody with SQL would."""
    engine = create_engine(site.url or f"sqlite:///{site.data / 'gatekeeper.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.mark.parametrize("furnished", ["sqlite"], indirect=True)  # a disk; S3: tests/fault
def test_a_store_that_is_gone_is_503_and_comes_back(app: Flask, site: Site) -> None:
    client = app.test_client()
    path = f"/northfield/lyra-t0/resolve/main/{WEIGHTS}"
    blobs = site.data / "store" / "blobs"
    shutil.move(blobs, blobs.with_name("away"))
    assert is_unavailable(client.get(path))
    assert is_unavailable(client.get("/readyz"))
    shutil.move(blobs.with_name("away"), blobs)
    answer = client.get(path)
    assert answer.status_code == 200
    answer.close()
