"""A real install from nothing: init, serve, and an account opened by a letter that arrived."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from tests.contract.test_mail_smtp import PostOffice
from tests.live import free_port

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")

START_SECONDS = 60
PERSON = {"email": "noor@newcomer.example", "name": "Noor Haddad", "username": "noor",
          "affiliation": "", "password": "another horse battery"}  # fmt: skip


class Visitor:
    """A browser without JavaScript: cookies, and forms with the token of their page."""

    def __init__(self, url: str) -> None:
        self.url = url
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)

    def get(self, path: str) -> str:
        """Fetch a page."""
        with self._opener.open(self.url + path, timeout=20) as answer:
            return str(answer.read().decode())

    def send(self, path: str, to: str = "", **form: str) -> str:
        """Send a form of a page, to another address where one is named; follow where it leads."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get(path))
        assert token is not None
        body = urllib.parse.urlencode({**form, "csrf_token": token[1]}).encode()
        with self._opener.open(self.url + (to or path), body, timeout=20) as answer:
            return str(answer.read().decode())


@pytest.fixture
def post_office() -> Iterator[tuple[PostOffice, int]]:
    """A real SMTP server on loopback."""
    desk, port = PostOffice(), free_port()
    controller = Controller(desk, hostname="127.0.0.1", port=port)
    controller.start()
    yield desk, port
    controller.stop()


@pytest.fixture
def site(tmp_path: Path, post_office: tuple[PostOffice, int]) -> Iterator[str]:
    """A server over a fresh data directory, with that post office; its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "GATEKEEPER_SITE__PUBLIC_URL": url, "GATEKEEPER_SERVER__PORT": str(port),
        "GATEKEEPER_SERVER__THREADS": "16", "GATEKEEPER_SERVER__MAX_DOWNLOADS": "4",
        "GATEKEEPER_MAIL__BACKEND": "smtp", "GATEKEEPER_MAIL__HOST": "127.0.0.1",
        "GATEKEEPER_MAIL__PORT": str(post_office[1]), "GATEKEEPER_MAIL__SECURITY": "none",
        "GATEKEEPER_MAIL__SENDER": "desk@lab.example",
    }  # fmt: skip
    command = [sys.executable, "-m", "gatekeeper", "--data", str(tmp_path / "data")]
    subprocess.run([*command, "init"], env=environment, check=True, capture_output=True)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, "serve"], env=environment, stdout=log, stderr=log)
    try:
        _wait_for(url)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _wait_for(url: str) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.2)
        else:
            return


def test_an_account_is_opened_by_the_letter_that_arrived(
    site: str, post_office: tuple[PostOffice, int]
) -> None:
    visitor = Visitor(site)
    assert "Look at your mail" in visitor.send("/register", **PERSON)
    with pytest.raises(urllib.error.HTTPError) as early:
        visitor.send("/sign-in", email=PERSON["email"], password=PERSON["password"])
    assert early.value.code == 401
    early.value.close()
    link = _link_in(post_office[0])
    assert link.startswith(site)
    assert "Your address is verified" in visitor.send(link.removeprefix(site))
    visitor.send("/sign-in", email=PERSON["email"], password=PERSON["password"])
    assert PERSON["name"] in visitor.get("/account")


def _link_in(desk: PostOffice) -> str:
    until = time.monotonic() + START_SECONDS
    while not desk.kept:
        assert time.monotonic() < until, "no letter came"
        time.sleep(0.1)
    assert desk.recipients == [PERSON["email"]]
    text = desk.kept[0].get_body(("plain",))
    assert text is not None
    found = re.search(r"http://\S+/verify/\S+", text.get_content())
    assert found is not None
    return found[0]
