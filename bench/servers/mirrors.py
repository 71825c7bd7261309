"""What a lab would put up instead for `snapshot_download`: Olah, or a plain nginx.

Olah is a caching mirror of a Hub: its upstream here is our own server, an open model, and it is
asked once before it is measured. nginx answers from files what our server answered once: the tree
of a revision, and every file with the headers the client needs. Neither asks who it is.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.processes import Server, free_port, running
from bench.servers.anchors import nginx
from bench.servers.hall import OPEN, WEIGHTS, Hall
from tests.cast import NAMESPACE
from tests.wire.clients import python_with

OLAH = "olah==0.5.4"
REPOSITORY = f"{NAMESPACE}/{OPEN}"

_STATIC_HUB = """
location = /api/agent-harnesses {{ default_type application/json; return 200 "{{}}"; }}
location = /api/models/{repository}/revision/main {{
  default_type application/json; alias {home}/revision.json;
}}
location /api/models/{repository}/tree/ {{
  default_type application/json; try_files /tree.json =404; root {home};
}}
location ~ ^/{repository}/resolve/[0-9a-z]+/(.+)$ {{
  add_header X-Repo-Commit {commit};
  alias {files}/$1;
}}
"""


@contextmanager
def olah(home: Path, upstream: Server) -> Iterator[Server]:
    """Run Olah before an upstream Hub until the block is left."""
    port, python = free_port(), python_with(OLAH)
    home.mkdir(parents=True, exist_ok=True)
    hub = f"127.0.0.1:{upstream.port}"
    command = [
        python, "-c", "from olah.server import cli; cli()",
        "--host", "127.0.0.1", "--port", str(port), "--hf-scheme", "http", "--hf-netloc", hub,
        "--hf-lfs-netloc", hub, "--mirror-netloc", f"127.0.0.1:{port}",
        "--repos-path", home / "repos", "--log-path", home / "logs",
    ]  # fmt: skip
    with running(command, port, home / "olah.log", cwd=home) as server:
        yield server


@contextmanager
def static_hub(home: Path, hall: Hall, hub: Server) -> Iterator[Server]:
    """Run nginx over a plain folder and what `hub` says about the same files."""
    home.mkdir(parents=True, exist_ok=True)
    api = f"http://127.0.0.1:{hub.port}/api/models/{REPOSITORY}"
    with urllib.request.urlopen(f"{api}/revision/main", timeout=30) as answer:
        (home / "revision.json").write_bytes(answer.read())
    with urllib.request.urlopen(f"{api}/tree/main?recursive=true", timeout=30) as answer:
        commit = answer.headers["X-Repo-Commit"]
        (home / "tree.json").write_bytes(answer.read())
    files = hall.files / WEIGHTS
    block = _STATIC_HUB.format(repository=REPOSITORY, home=home, commit=commit, files=files)
    with nginx(home, block) as server:
        yield server
