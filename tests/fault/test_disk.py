"""SQLite on a disk that is full or may only be read: 503, nothing granted, back without a restart.

The disk is a real one: a small tmpfs, and files made immutable. Both need root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Table, func, select
from werkzeug.test import TestResponse

from gatekeeper.app import create_app, make_house, read_keys
from gatekeeper.db import tables as t
from gatekeeper.services import audit
from gatekeeper.services.ports import House
from tests.builders import WEIGHTS, World, artifact_canary
from tests.conftest import make_settings
from tests.http.test_faults import is_unavailable
from tests.rooms import lacks

THREADS = 6
ROOM = 200_000  # bytes left for acts
GATED = f"/northfield/lyra-t3/resolve/main/{WEIGHTS}"


def run(*command: str) -> None:
    """Run a command of the system, or skip where it may not be done."""
    if shutil.which(command[0]) is None:
        lacks("disk", f"{command[0]} is not here")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lacks("disk", f"{' '.join(command)}: {done.stderr.strip()}")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """An empty file system of four megabytes."""
    with tempfile.TemporaryDirectory(prefix="gk-disk-") as directory:
        run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", directory)
        try:
            yield Path(directory)
        finally:
            subprocess.run(["umount", directory], check=True)


@dataclass(frozen=True, slots=True)
class Served:
    """A furnished house whose database lies on a disk of its own, and its application."""

    app: Flask
    house: House
    world: World

    def link(self) -> TestResponse:
        """Ask for a link, which must be recorded."""
        body = {"model": "northfield/lyra-t3", "revision": "main", "path": WEIGHTS}
        headers = self.world.cast.researcher.headers
        return self.app.test_client().post("/api/v1/links", json=body, headers=headers)

    def get(self, path: str) -> TestResponse:
        """Ask for a page or a file."""
        return self.app.test_client().get(path, headers=self.world.cast.researcher.headers)

    def count(self, table: Table) -> int:
        """Count the rows of a table."""
        with self.house.db.reading() as read:
            return read.connection.execute(select(func.count()).select_from(table)).scalar_one()


@contextmanager
def served(sqlite_copy: Callable[..., Any], database: Path) -> Iterator[Served]:
    """Serve a house whose database was moved to `database`."""
    site, world = sqlite_copy(True)
    shutil.move(site.data / "gatekeeper.db", database)
    settings = make_settings(
        GATEKEEPER_DATABASE__URL=f"sqlite:///{database}",
        GATEKEEPER_DATABASE__BUSY_SECONDS="1",
    )
    house = make_house(settings, site.data, demo=True)
    try:
        app = create_app(settings, house, read_keys(settings, site.data).sessions)
        yield Served(app, house, world)
        assert list(audit.verify(house)) == []
        assert audit.compare(house) == []
    finally:
        house.db.close()


def fill(disk: Path) -> Path:
    """Fill a disk up to its last byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    return filler


def test_a_full_disk_is_503_to_all_in_the_batch_and_what_was_answered_is_kept(
    sqlite_copy: Callable[..., Any], small_disk: Path
) -> None:
    with served(sqlite_copy, small_disk / "gatekeeper.db") as here:
        assert here.link().status_code == 201
        filler = fill(small_disk)
        os.truncate(filler, filler.stat().st_size - ROOM)
        given, answers = 1, list[TestResponse]()
        with ThreadPoolExecutor(THREADS) as pool:
            while not any(map(is_unavailable, answers)):
                answers = list(pool.map(lambda _: here.link(), range(THREADS)))
                assert all(a.status_code == 201 or is_unavailable(a) for a in answers)
                given += sum(a.status_code == 201 for a in answers)
                assert given < 5000, "the disk never filled up"
        assert here.count(t.links) == given
        fill(small_disk)
        gated = here.get(GATED)
        # The log of the database may have been emptied meanwhile: then there is room to record it.
        assert is_unavailable(gated) or here.count(t.servings) == 1
        assert (artifact_canary("lyra-t3").encode() in gated.get_data()) == (
            not is_unavailable(gated)
        )
        assert here.get("/api/v1/models").status_code == 200  # reading goes on
        filler.unlink()
        assert here.link().status_code == 201
        assert here.count(t.links) == given + 1


@contextmanager
def immutable(*files: Path) -> Iterator[None]:
    """Let nobody write files, not even root or whoever has them open."""
    run("chattr", "+i", *map(str, files))
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *map(str, files)], check=True)


@pytest.mark.parametrize("open_before", [True, False])
def test_a_database_that_may_only_be_read_is_503_to_acts_and_comes_back(
    sqlite_copy: Callable[..., Any], tmp_path: Path, open_before: bool
) -> None:
    database = tmp_path / "gatekeeper.db"
    with served(sqlite_copy, database) as here:
        given = 0
        if open_before:
            assert here.link().status_code == 201
            given = 1
        # Not the -shm: it is mapped into memory, where the kernel answers a write with a signal.
        with immutable(database, *tmp_path.glob("gatekeeper.db-wal")):
            for _ in range(3):
                assert is_unavailable(here.link())
            assert is_unavailable(here.get(GATED))
        assert here.link().status_code == 201
        assert here.count(t.links) == given + 1
