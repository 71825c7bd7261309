"""Parts of uploads on their way through nginx: with the shipped template, and the handbook's words.

Parts are as large as the settings ship them, so that what nginx allows is what they need.
"""

from __future__ import annotations

import hashlib
import http.client
import http.cookiejar
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.domain.links import DeliveryMode
from gatekeeper.domain.uploads import part_size
from gatekeeper.settings import Uploads, load
from tests.live import free_port
from tests.nginx import configuration, of_the_handbook, running_site
from tests.wire.server import Live

PART = load({})[0].uploads.part_bytes
BODY = os.urandom(PART + 4321)
SECONDS = 60
WORDS = {"template": configuration(), "handbook": of_the_handbook()}


@dataclass(frozen=True, slots=True)
class Front:
    """A running archive, and where nginx listens in front of it."""

    live: Live
    url: str

    @property
    def model(self) -> str:
        """An open model of the owner's."""
        return self.live.world.models["T0"].full_name

    @property
    def token(self) -> dict[str, str]:
        """What makes a request the owner's."""
        return self.live.world.cast.owner.headers


@pytest.fixture(params=list(WORDS))
def front(
    request: pytest.FixtureRequest, live_by_mode: Callable[[DeliveryMode], Live], tmp_path: Path
) -> Iterator[Front]:
    """Nginx with x-accel as we ship it, or as the handbook has it before a server of its own."""
    if request.param == "template":
        live = live_by_mode(DeliveryMode.X_ACCEL)
        yield Front(live, live.url)
        return
    live, port = live_by_mode(DeliveryMode.DIRECT), free_port()
    inside = WORDS["handbook"].replace("127.0.0.1:8000", f"127.0.0.1:{live.port}")
    with running_site(tmp_path / "nginx", port, f"server {{ listen 127.0.0.1:{port}; {inside} }}"):
        yield Front(live, f"http://127.0.0.1:{port}")


@dataclass(slots=True)
class Door:
    """Where somebody uploads, and the headers and cookies of theirs."""

    base: str
    headers: dict[str, str]
    opener: urllib.request.OpenerDirector = field(default_factory=urllib.request.build_opener)

    def ask(self, after: str, body: bytes | None = None, method: str = "", kind: str = "") -> Any:
        """Send a request to an address below the door's own; return the JSON of the answer."""
        headers = self.headers | ({"Content-Type": kind} if kind else {})
        request = urllib.request.Request(self.base + after, body, headers, method=method or None)
        with self.opener.open(request, timeout=SECONDS) as answer:
            return json.load(answer)

    def upload(self, begin: bytes, kind: str) -> str:
        """Upload the body in its parts, and wait until it is ready; return the upload's id."""
        begun = self.ask("", begin, kind=kind)
        assert [part["size_bytes"] for part in begun["parts"]] == [PART, len(BODY) - PART]
        for part in begun["parts"]:
            path = urllib.parse.urlsplit(part["url"]).path
            assert path.endswith(f"/uploads/{begun['id']}/parts/{part['number']}")
            start = (part["number"] - 1) * PART
            body = BODY[start : start + part["size_bytes"]]
            after = f"/{begun['id']}/parts/{part['number']}"
            self.ask(after, body, "PUT", "application/octet-stream")
        self.ask(f"/{begun['id']}/complete", b"{}" if kind == JSON else b"", "POST", kind)
        until = time.monotonic() + SECONDS
        while (stands := self.ask(f"/{begun['id']}"))["state"] == "verifying":
            assert time.monotonic() < until
        assert stands["state"] == "ready", stands
        return str(begun["id"])


JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def api_of(front: Front) -> Door:
    """Return the API's door, for the owner's token."""
    return Door(f"{front.url}/api/v1/uploads", front.token)


def page_of(front: Front) -> Door:
    """Return the door of the page's script, for the owner who has just signed in."""
    model, owner = front.live.world.models["T0"], front.live.world.cast.owner
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    page = f"{front.url}/own/{model.namespace}/{model.release_name}/{model.name}/files"
    door = Door(f"{page}/uploads", {"Accept": JSON}, urllib.request.build_opener(jar))

    def token(url: str, body: bytes | None = None) -> str:
        with door.opener.open(url, body, timeout=SECONDS) as answer:
            found = re.search(rb'name="csrf_token" value="([^"]+)"', answer.read())
        assert found is not None
        return found[1].decode()

    sign_in = f"{front.url}/sign-in"
    typed = {"csrf_token": token(sign_in), "email": owner.email, "password": owner.password}
    token(sign_in, urllib.parse.urlencode(typed).encode())
    door.headers["X-CSRFToken"] = token(page)
    return door


def test_what_comes_in_parts_by_api_and_page_is_published_byte_for_byte(front: Front) -> None:
    about = {"path": "by/api.bin", "size_bytes": len(BODY)}
    api = json.dumps({"model": front.model, **about}).encode()
    page = urllib.parse.urlencode(about | {"path": "by/page.bin"}).encode()
    uploads = [api_of(front).upload(api, JSON), page_of(front).upload(page, FORM)]
    model = Door(f"{front.url}/api/v1/models/{front.model}", front.token)
    revision = {"base": model.ask("")["revision"], "uploads": uploads}
    model.ask("/revisions", json.dumps(revision).encode(), kind=JSON)
    for path in ("by/api.bin", "by/page.bin"):
        address = f"{front.url}/{front.model}/resolve/main/{path}"
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            assert hashlib.sha256(answer.read()).digest() == hashlib.sha256(BODY).digest()


def refusal(
    front: Front, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, bytes]:
    """Send a body somewhere; return the status and body of the answer."""
    link = http.client.HTTPConnection(urllib.parse.urlsplit(front.url).netloc, timeout=SECONDS)
    link.request(method, path, body, headers)
    answer = link.getresponse()
    told = answer.status, answer.read()
    link.close()
    return told


def test_what_the_server_says_of_a_part_is_heard_through_nginx(front: Front) -> None:
    path = "/api/v1/uploads/upl_000000000000000000000000/parts/1"
    for method, headers, said in (
        ("PUT", front.token, (404, "not_found")),
        ("PUT", {"Authorization": "Bearer gk_wrong"}, (401, "token_invalid")),
        ("POST", front.token, (405, "bad_request")),
    ):
        status, body = refusal(front, method, path, headers, b"bytes")
        assert (status, json.loads(body)["code"]) == said


def test_no_other_address_takes_as_much(front: Front) -> None:
    part = "uploads/upl_000000000000000000000000/parts/1"
    for path in (
        "/api/v1/uploads", "/sign-in", f"/{part}", f"/api/v1/{part}/x", f"/api/v1/x/{part}",
        f"/own/a/b/files/{part}", f"/x/own/a/b/c/files/{part}", f"/api/v1/{part}.txt",
    ):  # fmt: skip
        status, body = refusal(front, "PUT", path, front.token, BODY[: 3 << 20])
        assert status == 413, path
        assert b"nginx" in body, path


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_nginx_takes_the_largest_part_that_the_settings_allow(words: str) -> None:
    usual, file = (
        next(int(limit.le) for limit in Uploads.model_fields[key].metadata if hasattr(limit, "le"))
        for key in ("part_bytes", "max_file_bytes")
    )
    found = re.search(r"location ~ \S*/parts/\S+ \{[^}]*client_max_body_size (\d+)g;", words)
    assert found is not None
    assert int(found[1]) << 30 >= max(part_size(file, few) for few in (5 << 20, usual))
    assert "proxy_request_buffering off;" in words[found.start() :].partition("}")[0]
