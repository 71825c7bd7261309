"""How these tests use the pages: as a browser that keeps its cookie and sends a page's forms."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.builders import World
from tests.cast import Member
from tests.conftest import Copy, Site

COOKIE = "gk_session"
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


def without_token(answer: TestResponse) -> str:
    """Return a page without its CSRF tokens, which tell the second they were made in."""
    return _CSRF.sub("", answer.get_data(as_text=True))


@dataclass(frozen=True, slots=True)
class Browser:
    """One browser: it fetches a page before it sends one of its forms."""

    client: FlaskClient

    @property
    def cookie(self) -> str:
        """The session's id, '' without one."""
        found = self.client.get_cookie(COOKIE)
        return found.value if found is not None else ""

    def get(self, path: str) -> TestResponse:
        """Fetch a page."""
        return self.client.get(path)

    def text(self, path: str) -> str:
        """Fetch a page that must be there, without its escapes."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return html.unescape(answer.get_data(as_text=True))

    def send(self, path: str, page: str = "", **form: Any) -> TestResponse:
        """Send a form as the page that shows it would: with its CSRF token."""
        found = _CSRF.search(self.get(page or path).get_data(as_text=True))
        token = found[1] if found is not None else ""
        return self.client.post(path, data={**form, "csrf_token": html.unescape(token)})

    def sign_in(self, member: Member) -> Browser:
        """Sign in through the form."""
        answer = self.send("/sign-in", email=member.email, password=member.password)
        assert answer.status_code == 303, answer.status_code
        return self


Open = Callable[..., Browser]


@pytest.fixture
def site(sqlite_copy: Copy) -> Site:
    """A furnished house on SQLite: what differs on Postgres lies below the pages."""
    return sqlite_copy(True)[0]


@pytest.fixture
def world(site: Site, sqlite_template: Callable[[bool], Any]) -> Iterator[World]:
    """The furnished house of this test, with its cast and models."""
    house = site.open()
    yield replace(sqlite_template(True)[1], house=house)
    house.db.close()


@pytest.fixture
def browser(app: Flask) -> Open:
    """Open a browser, signed in as one of the cast or as nobody."""

    def opened(member: Member | None = None) -> Browser:
        fresh = Browser(app.test_client())
        return fresh.sign_in(member) if member is not None else fresh

    return opened
