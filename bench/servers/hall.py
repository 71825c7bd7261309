"""The house that is measured: people with tokens and grants, and the files they fetch.

Furnished by the services alone, once a run. The same files lie in a plain folder for the anchors.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gatekeeper.app import make_house, make_keys
from gatekeeper.db import migrations
from gatekeeper.domain.catalogue import Model
from gatekeeper.services import outbox
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import revisions
from gatekeeper.settings import load
from tests import builders
from tests.builders import FORM, RELEASE, RESEARCH
from tests.cast import NAMESPACE, Cast, Member, context, hire, hire_one

WEIGHTS, TINY = "weights", "tiny"  # gated models, each a folder of its name
OPEN = "weights-open"  # the files of WEIGHTS once more, for anybody
LARGE_BYTES = 1 << 30
SMALL_BYTES, SMALL_FILES = 100 << 10, 200
TINY_BYTES, TINY_FILES = 200, 250
PEOPLE = 80
LARGE_PATH = "large.safetensors"


@dataclass(frozen=True, slots=True)
class Hall:
    """A furnished data directory, and the plain folder with the same files."""

    data: Path
    files: Path
    people: Sequence[Member]
    cast: Cast
    database_url: str = ""

    @property
    def reader(self) -> Member:
        """Somebody who holds a grant on every model here."""
        return self.people[0]

    def address(self, model: str, path: str) -> str:
        """Return where the Hub client fetches a file."""
        return f"/{NAMESPACE}/{model}/resolve/main/{path}"

    def link(self, port: int, model: str, path: str) -> str:
        """Ask the running server for a signed link as a holder would."""
        body = {"model": f"{NAMESPACE}/{model}", "revision": "main", "path": path}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/links",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self.reader.token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: str = json.loads(answer.read())["url"]
        return found[found.index("/d/") :]

    def twin(self, data: Path) -> Hall:
        """Copy the house into an empty place, the blobs as other names of the same files."""
        shutil.copytree(self.data / "keys", data / "keys")
        shutil.copytree(self.data / "store", data / "store", copy_function=os.link)
        copy_database(self.data, data)
        return replace(self, data=data)


def copy_database(source: Path, target: Path) -> None:
    """Copy the SQLite database of one data directory into another, whole."""
    with (
        closing(sqlite3.connect(source / "gatekeeper.db")) as own,
        closing(sqlite3.connect(target / "gatekeeper.db")) as other,
    ):
        own.backup(other)


def small_path(number: int) -> str:
    """Return the path of one of the small or tiny files."""
    return f"part-{number:03}.bin"


def write_files(files: Path) -> None:
    """Write the folders that are published and served."""
    block = os.urandom(64 << 20)  # not sparse: what a disk gives is read as from a real file
    for name in (WEIGHTS, TINY):
        (files / name).mkdir(parents=True)
    with (files / WEIGHTS / LARGE_PATH).open("wb") as large:
        for _ in range(LARGE_BYTES // len(block)):
            large.write(block)
    for name, count, size in ((WEIGHTS, SMALL_FILES, SMALL_BYTES), (TINY, TINY_FILES, TINY_BYTES)):
        for number in range(count):
            (files / name / small_path(number)).write_bytes(os.urandom(size))


def furnish(data: Path, files: Path, database_url: str = "") -> Hall:
    """Make a house in an empty directory: the models, and people who hold TINY.

    The first of them holds WEIGHTS as well.
    """
    bare(data, database_url)
    with opened(data, database_url) as house:
        builders.add_release(house)
        cast = hire(house)
        builders.publish_agreement(house, RESEARCH)
        weights = _publish(house, files / WEIGHTS, WEIGHTS)
        tiny = _publish(house, files / TINY, TINY)
        _publish(house, files / WEIGHTS, OPEN, "T0")
        people = [hire_one(house, f"reader{number}") for number in range(PEOPLE)]
        for person in people:
            builders.grant(house, person, tiny, cast.approver)
        builders.grant(house, people[0], weights, cast.approver)
        while outbox.deliver(house, context()):  # or the server that is measured would
            pass
        house.db.sequence_all()
        _share(house, data, files / WEIGHTS)
    return Hall(data, files, people, cast, database_url)


def _share(house: House, data: Path, folder: Path) -> None:
    """Make a folder's files other names of the blobs: reading one shows how it was written."""
    for file in folder.iterdir():
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        file.unlink()
        os.link(data / "store" / "blobs" / str(house.objects.path(sha256)), file)


def bare(data: Path, database_url: str = "") -> Path:
    """Make a house with a schema and nobody in it; return its directory."""
    data.mkdir(parents=True)
    make_keys(data)
    with opened(data, database_url) as house:
        migrations.upgrade(house.db.engine)
    return data


@contextmanager
def opened(data: Path, database_url: str = "") -> Iterator[House]:
    """Open a house in this process, as a command beside the server does."""
    settings = load({"GATEKEEPER_DATABASE__URL": database_url} if database_url else {})[0]
    house = make_house(settings, data)
    try:
        yield house
    finally:
        house.db.close()


def _publish(house: House, folder: Path, name: str, tier: str = "T3") -> Model:
    target = revisions.Target(
        namespace=NAMESPACE,
        name=name,
        release=RELEASE,
        tier=house.tiers[tier],
        agreements=(RESEARCH,) if tier != "T0" else (),
        form=FORM if tier != "T0" else None,
    )
    revisions.publish(house, context(), folder, target)
    with house.db.reading() as read:
        model = read.catalogue.model(NAMESPACE, name)
    assert model is not None
    return model
