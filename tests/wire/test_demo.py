"""`gatekeeper demo` as a newcomer meets it: the ready line, the accounts, the files, and delivery.

Runs the real server on a loopback port, with few download places so that the cap can be reached.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.live import PLACES, Demo, free_port, start, stop

KEYS = {
    "admin", "owner", "handler", "approver", "approver2", "compliance", "researcher", "applicant",
    "stranger",
}  # fmt: skip
GATED, SHARD = "northfield/lyra-1558m", "model-00001-of-00002.safetensors"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that was started, stopped, and started again over the same data."""
    data, port = tmp_path_factory.mktemp("demo") / "data", free_port()
    first, _ = start(data, port)
    stop(first)
    process, output = start(data, port)
    try:
        yield Demo(data, port, output)
    finally:
        stop(process)


def test_it_prints_the_ready_line_and_the_accounts(demo: Demo) -> None:
    lines = demo.output.splitlines()
    assert f"Gatekeeper is ready at http://127.0.0.1:{demo.port}" in lines
    for account in demo.logins["accounts"].values():
        assert account["email"] in demo.output
        assert account["password"] in demo.output
    assert f"rm -r {demo.data}" in demo.output
    assert "Filling" not in demo.output  # the second start kept what the first one made


def test_logins_and_demo_json_say_what_is_true(demo: Demo) -> None:
    assert demo.logins["url"] == f"http://127.0.0.1:{demo.port}"
    assert set(demo.logins["accounts"]) == KEYS
    described = json.loads((demo.data / "demo.json").read_text())
    assert {"account": "researcher", "model": GATED} in described["grants"]
    assert {g["account"] for g in described["grants"]} == {"researcher"}
    for model in described["models"]:
        listed = demo.ask(f"/api/models/{model['id']}").json
        assert {f["path"] for f in model["files"]} == {s["rfilename"] for s in listed["siblings"]}
        if model["tier"] == "T0":
            file = model["files"][0]
            got = demo.ask(f"/{model['id']}/resolve/main/{file['path']}").body
            assert hashlib.sha256(got).hexdigest() == file["sha256"]
            assert len(got) == file["size_bytes"]


def test_a_second_server_on_the_same_data_or_port_is_refused(demo: Demo, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gatekeeper", "demo", "--data"]
    busy = subprocess.run(
        [*command, str(tmp_path / "other"), "--port", str(demo.port)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert busy.returncode == 1
    assert f"PORT={demo.port + 1}" in busy.stderr
    same = subprocess.run(
        [*command, str(demo.data), "--port", str(free_port())],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert same.returncode == 1
    assert "another server runs" in same.stderr


def test_a_demo_refuses_a_directory_that_is_none_and_an_outside_address(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("keep me")
    command = [sys.executable, "-m", "gatekeeper", "demo", "--port", str(free_port()), "--data"]
    refused = subprocess.run(
        [*command, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert refused.returncode == 1
    assert (tmp_path / "thesis.tex").read_text() == "keep me"
    outside = subprocess.run(
        [*command, str(tmp_path / "new")], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "GATEKEEPER_SERVER__HOST": "0.0.0.0"},
    )  # fmt: skip
    assert outside.returncode == 1
    assert "loopback" in outside.stderr


def link(demo: Demo) -> str:
    """Get a signed address for the researcher's first shard."""
    body = {"model": GATED, "revision": "main", "path": SHARD}
    made = demo.ask("/api/v1/links", "researcher", body)
    assert made.status == 201, made.body
    return "/d/" + made.json["url"].partition("/d/")[2]


def slow_reader(demo: Demo, path: str) -> socket.socket:
    """Begin a download and read its first bytes only."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(20)
    reader.connect(("127.0.0.1", demo.port))
    reader.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert reader.recv(64).startswith(b"HTTP/1.1 200")
    return reader


def test_slow_downloads_fill_the_places_and_never_the_server(demo: Demo) -> None:
    path = link(demo)
    with ExitStack() as readers:
        for _ in range(PLACES):
            readers.enter_context(closing(slow_reader(demo, path)))
        refused = demo.ask(path)
        assert refused.status == 503
        assert int(refused.headers["Retry-After"]) > 0
        for page in ("/healthz", "/readyz", "/", "/sign-in"):
            assert demo.ask(page).status == 200, page
        assert demo.ask(path, method="HEAD").status == 200
    deadline = time.monotonic() + 20
    while demo.ask(path).status != 200:  # the places come back once the server sees the end
        assert time.monotonic() < deadline


def test_a_revoked_grant_closes_every_door_at_once(demo: Demo) -> None:
    path, resolve = link(demo), f"/{GATED}/resolve/main/{SHARD}"
    whole = demo.ask(path)
    assert whole.status == 200
    part = demo.ask(path, Range="bytes=100-199", **{"If-Range": whole.headers["ETag"]})
    assert (part.status, part.body) == (206, whole.body[100:200])
    assert demo.ask(path, Range=f"bytes={len(whole.body)}-").status == 416
    with closing(slow_reader(demo, path)):
        grants = demo.ask("/api/v1/grants", "researcher").json["items"]
        grant = next(g for g in grants if GATED in g["models"])
        address = f"/api/v1/grants/{grant['id']}"
        revoked = demo.ask(f"{address}/suspend", "approver", {"reason": "leak", "note": "found"})
        assert revoked.status == 200, revoked.body
        for again in (
            demo.ask(path),
            demo.ask(path, Range="bytes=0-9"),
            demo.ask(path, method="HEAD"),
            demo.ask(resolve, "researcher"),
            demo.ask(resolve, "researcher", Range="bytes=0-9"),
        ):
            assert again.status == 403
            assert whole.body[:64] not in again.body
    assert demo.ask(f"{address}/reinstate", "approver", {"note": "settled"}).status == 200
    assert demo.ask(path).status == 200
