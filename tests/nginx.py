"""nginx from the system in front of a server on loopback, with the configuration we ship."""

from __future__ import annotations

import os
import re
import shutil
import socket
import string
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gatekeeper import resources
from tests.rooms import lacks

START_SECONDS = 20
_AROUND = """
daemon off; master_process off; worker_processes 1; error_log stderr warn; pid $folder/pid;
events { worker_connections 4096; }
http {
    client_body_temp_path $folder/body; proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/f; uwsgi_temp_path $folder/u; scgi_temp_path $folder/s;
    include $folder/site.conf;
}
"""


def configuration(**values: str) -> str:
    """Fill in the template that we ship, as a container's start does."""
    template = (resources.directory("config") / "nginx.conf.template").read_text()
    return string.Template(template).safe_substitute(values)


def found_nginx() -> str:
    """Return where nginx lies; skip where it is not installed."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        lacks("nginx", "nginx is not installed")
    return nginx


def of_the_handbook() -> str:
    """Return what docs/operating.md gives for inside a `server` block of one's own."""
    handbook = Path(__file__).parents[1] / "docs" / "operating.md"
    block = re.search(r"```nginx\n(.*?)```", handbook.read_text(), re.DOTALL)
    assert block is not None
    return block[1]


@contextmanager
def running_nginx(folder: Path, port: int, upstream_port: int, blobs: Path) -> Iterator[None]:
    """Run nginx on a port, in front of a server on another, until the block is left."""
    site = configuration(
        GATEKEEPER_LISTEN=f"127.0.0.1:{port}",
        GATEKEEPER_SERVERS=f"server 127.0.0.1:{upstream_port} max_fails=0;",
        GATEKEEPER_BLOBS=str(blobs),
    )
    with running_site(folder, port, site):
        yield


@contextmanager
def running_site(folder: Path, port: int, site: str) -> Iterator[None]:
    """Run nginx with a configuration that listens on a port, until the block is left."""
    nginx = found_nginx()
    folder.mkdir()
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(string.Template(_AROUND).substitute(folder=folder))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")], stdout=log, stderr=log
        )
    try:
        _wait(port, process, folder / "log")
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nginx did not start:\n{log.read_text()[-3000:]}")
