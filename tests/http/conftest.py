"""The http room runs on SQLite with a disk and on Postgres with S3, both real.

GATEKEEPER_TEST_DATABASES narrows it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

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
