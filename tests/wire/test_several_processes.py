"""Several processes over one Postgres: /metrics tells of all of them, whichever answers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Copy
from tests.live import free_port

START_SECONDS = 60
ASKED = (
    'gatekeeper_http_requests_total{dialect="machines",method="GET",'
    'route="/robots.txt",status="200"}'
)


def get(url: str) -> str:
    """Fetch an address over a connection of its own, so that any process may answer."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


def figure(url: str, name: str) -> float:
    """Read one figure."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", get(f"{url}/metrics"), re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.fixture
def served(postgres_copy: Copy, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server of three processes."""
    site, _ = postgres_copy(True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ, "GATEKEEPER_DATABASE__URL": site.url, "GATEKEEPER_DATABASE__POOL_SIZE": "4",
        "GATEKEEPER_SERVER__PORT": str(port), "GATEKEEPER_SERVER__PROCESSES": "3",
        "GATEKEEPER_SERVER__THREADS": "8", "GATEKEEPER_SERVER__MAX_DOWNLOADS": "4",
        "GATEKEEPER_SITE__PUBLIC_URL": url, "GATEKEEPER_LIMITS__ENABLED": "false",
        "TMPDIR": str(tmp_path),
    }  # fmt: skip
    command = [sys.executable, "-m", "gatekeeper", "--data", str(site.data), "serve"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(url)
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert list(tmp_path.glob("gatekeeper-*")) == []  # the figures' files are gone


def _wait_for(url: str) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            get(f"{url}/readyz")
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.2)
        else:
            return


def processes_of(parent: int) -> list[int]:
    """Return the children of a process."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children]


def test_the_figures_of_all_processes_are_told_by_each(
    served: tuple[str, subprocess.Popen[bytes]],
) -> None:
    url, process = served
    for _ in range(30):
        get(f"{url}/robots.txt")
    assert {figure(url, ASKED) for _ in range(12)} == {30.0}
    assert figure(url, "gatekeeper_download_places") % 4 == 0
    killed = processes_of(process.pid)[0]
    os.kill(killed, signal.SIGKILL)
    until = time.monotonic() + START_SECONDS
    while killed in processes_of(process.pid) or len(processes_of(process.pid)) < 3:
        assert time.monotonic() < until, "no process took its place"
        time.sleep(0.1)
    for _ in range(10):
        get(f"{url}/robots.txt")
    assert {figure(url, ASKED) for _ in range(6)} == {40.0}  # what it had counted stays
