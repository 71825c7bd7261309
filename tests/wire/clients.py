"""The unmodified huggingface_hub, each version in a virtual environment of its own.

The environments are made once and kept under GATEKEEPER_TEST_CACHE (~/.cache/gatekeeper-tests).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.rooms import lacks

VERSIONS: Mapping[str, str] = {"0.36": "0.36.*", "1": "1.33.*", "2": "2.4.*"}
# Each brings a client of its own: 0.36 and 2.x.
TRANSFORMERS: Mapping[str, str] = {"4.57": "transformers==4.57.*", "5": "transformers==5.23.*"}
INSTALL_SECONDS = 600
RUN_SECONDS = 120

# What every script begins with: it prints one JSON value at the end.
PREAMBLE = """
import hashlib, json, os, sys
from pathlib import Path
import huggingface_hub as hub
from huggingface_hub import HfApi, hf_hub_download, snapshot_download

api = HfApi()

def failure(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except Exception as error:
        response = getattr(error, "response", None)
        return {
            "kinds": [kind.__name__ for kind in type(error).__mro__],
            "text": str(error),
            "status": getattr(response, "status_code", None),
        }
    return None

def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()

def tell(value):
    print("TOLD" + json.dumps(value, default=str))
"""


@dataclass(frozen=True, slots=True)
class Client:
    """One version of the client, as one person on one machine: endpoint, token and cache."""

    version: str
    python: Path
    home: Path
    endpoint: str = ""
    token: str = ""
    variables: tuple[tuple[str, str], ...] = ()

    def told(self, **variables: str) -> Client:
        """Return the client with variables of its environment set."""
        return replace(self, variables=(*self.variables, *variables.items()))

    @property
    def is_old(self) -> bool:
        """Say whether this is 0.36: siblings instead of trees, resumes across processes."""
        return self.version == "0.36"

    @property
    def cache(self) -> Path:
        """Where the client keeps what it downloaded."""
        return self.home / "hf" / "hub"

    def at(self, endpoint: str, token: str = "") -> Client:
        """Return the client as it speaks to an endpoint with a token."""
        return replace(self, endpoint=endpoint, token=token)

    def elsewhere(self, name: str) -> Client:
        """Return the client on another machine: with nothing downloaded yet."""
        return replace(self, home=self.home / name)

    @property
    def environment(self) -> dict[str, str]:
        """What the client's process sees."""
        self.home.mkdir(parents=True, exist_ok=True)
        found = {
            "PATH": f"{self.python.parent}:/usr/bin:/bin",
            "HOME": str(self.home),
            "HF_HOME": str(self.home / "hf"),
            "HF_ENDPOINT": self.endpoint,
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "NO_COLOR": "1",
        }
        found |= dict(self.variables)
        return found | ({"HF_TOKEN": self.token} if self.token else {})

    def run(self, script: str, seconds: float = RUN_SECONDS, **given: Any) -> Any:
        """Run a script with these names set and return what it told."""
        names = "".join(f"{name} = {value!r}\n" for name, value in given.items())
        done = self._start([str(self.python), "-c", PREAMBLE + names + script], seconds)
        told = [line for line in done.stdout.splitlines() if line.startswith("TOLD")]
        assert done.returncode == 0, done.stdout + done.stderr
        assert told, done.stdout + done.stderr
        return json.loads(told[-1].removeprefix("TOLD"))

    def hf(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the `hf` command."""
        return self._start([str(self.python.parent / "hf"), *arguments])

    def _start(
        self, command: Sequence[str], seconds: float = RUN_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def cache() -> Path:
    """Return the folder of what is fetched once and kept."""
    root = Path(os.environ.get("GATEKEEPER_TEST_CACHE") or Path.home() / ".cache/gatekeeper-tests")
    root.mkdir(parents=True, exist_ok=True)
    return root


def python_of(version: str) -> Path:
    """Return the interpreter that has this version, making its environment when it is missing."""
    return python_with(f"huggingface_hub=={VERSIONS[version]}")


def python_with(requirement: str) -> Path:
    """Return an interpreter that has a package and nothing else, made once and kept."""
    root = cache()
    name = requirement.replace("==", "-").removesuffix(".*")
    folder = root / f"{name}-py3{sys.version_info.minor}"
    with (root / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "is-complete").exists():
            _make(folder, requirement)
    return folder / "bin" / "python"


def _make(folder: Path, requirement: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    python = str(folder / "bin" / "python")
    uv = shutil.which("uv")
    make = [uv, "venv", "-q", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
    install = [uv, "pip", "install", "-q", "--python", python] if uv else [
        python, "-m", "pip", "install", "-q", "--no-compile",  # most of it is never imported
    ]  # fmt: skip
    for command in ([*make, str(folder)], [*install, requirement]):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if done.returncode:
            lacks("hub", f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-600:]}")
    (folder / "is-complete").touch()
