"""Every kind of store, for the suites that hold for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.adapters.objects_local import LocalObjects
from gatekeeper.services.ports import ObjectStore
from tests.seaweed import Seaweed, s3_objects


@pytest.fixture
def local(tmp_path: Path) -> ObjectStore:
    """A disk."""
    return LocalObjects(tmp_path / "store")


@pytest.fixture
def s3(seaweed: Seaweed, bucket: str, tmp_path: Path) -> ObjectStore:
    """A bucket."""
    return s3_objects(seaweed.url, bucket, tmp_path / "spool")


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """Every kind of store."""
    found: ObjectStore = request.getfixturevalue(request.param)
    return found
