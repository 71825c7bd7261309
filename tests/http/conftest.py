"""The http room runs on SQLite with a disk and on Postgres with S3, both real.

GATEKEEPER_TEST_DATABASES narrows it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from gatekeeper.app import create_app, read_keys
from tests.builders import World
from tests.conftest import Copy, Site

DATABASES = os.environ.get("GATEKEEPER_TEST_DATABASES", "sqlite,postgres_s3").split(",")


@pytest.fixture(params=DATABASES)
def furnished(request: pytest.FixtureRequest) -> tuple[Site, World]:
    """A furnished house on one of the pairs that nobody has opened."""
    copy: Copy = request.getfixturevalue(f"{request.param}_copy")
    site, world = copy(True)
    assert world is not None
    return site, world


@pytest.fixture
def site(furnished: tuple[Site, World]) -> Site:
    """Where the house of this test lies."""
    return furnished[0]


@pytest.fixture
def world(furnished: tuple[Site, World]) -> Iterator[World]:
    """The furnished house of this test, with its cast and models."""
    site, world = furnished
    house = site.open()
    yield replace(world, house=house)
    house.db.close()


@pytest.fixture(scope="module", params=DATABASES)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, Flask]]:
    """One house and its application for a module's tests that change nothing."""
    copying = request.getfixturevalue(f"{request.param}_copying")
    with copying(tmp_path_factory.mktemp("shared")) as copy:
        site, world = copy(True)
        house = site.open()
        app = create_app(site.settings, house, read_keys(site.settings, site.data).sessions)
        app.testing = True
        yield replace(world, house=house), app
        house.db.close()
