"""A running `gatekeeper demo` for the rooms that need a real server: start, ask, stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLACES = 4  # concurrent downloads, few enough for a test to fill


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo."""

    data: Path
    port: int
    output: str

    @property
    def logins(self) -> dict[str, Any]:
        """What logins.json says."""
        found: dict[str, Any] = json.loads((self.data / "logins.json").read_text())
        return found

    def ask(
        self,
        path: str,
        account: str = "",
        body: object = None,
        method: str | None = None,
        **headers: str,
    ) -> Answer:
        """Send one request, as an account where one is named."""
        if account:
            headers["Authorization"] = f"Bearer {self.logins['accounts'][account]['token']}"
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())


def free_port() -> int:
    """Return a port nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(data: Path, port: int, **environment: str) -> tuple[subprocess.Popen[str], str]:
    """Start a demo and return it with what it printed up to its last line of greeting."""
    command = [sys.executable, "-m", "gatekeeper", "demo", "--data", str(data), "--port", str(port)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "GATEKEEPER_SERVER__THREADS": "16",
             "GATEKEEPER_SERVER__MAX_DOWNLOADS": str(PLACES), **environment},
    )  # fmt: skip
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line)
        if line.startswith("Stop with"):
            break
    return process, "".join(printed)


def stop(process: subprocess.Popen[str]) -> None:
    """End a demo as Ctrl-C does."""
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    if process.stdout is not None:
        process.stdout.close()
