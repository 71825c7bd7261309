"""The first account of a new install: the address `init` prints makes one administrator, once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from gatekeeper import clock
from gatekeeper.app import create_app, make_house, read_keys
from gatekeeper.cli import main
from gatekeeper.domain.people import OPERATOR, SiteRole
from gatekeeper.services import audit, people, registration
from gatekeeper.services.ports import House
from tests.cast import context
from tests.conftest import make_settings
from tests.http.pages.conftest import Open

TYPED = {
    "email": "ada@lab.example", "username": "ada", "name": "Ada Root", "affiliation": "",
    "password": "a few plain words",
}  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where the install goes."""
    return tmp_path / "fresh"


@pytest.fixture
def path(data: Path) -> str:
    """What `gatekeeper init` prints, without the host."""
    result = CliRunner().invoke(main, ["init", "--data", str(data)])
    assert result.exit_code == 0, result.output
    return re.search(r"https?://[^/]+(/register/\S+)", result.output)[1]  # type: ignore[index]


@pytest.fixture
def house(path: str, data: Path) -> Iterator[House]:
    """The house that was set up, with nobody in it."""
    house = make_house(make_settings(), data)
    yield house
    house.db.close()


@pytest.fixture
def app(house: House, data: Path) -> Flask:
    """The application over it."""
    settings = make_settings()
    app = create_app(settings, house, read_keys(settings, data).sessions)
    app.testing = True
    return app


def test_the_address_of_init_makes_the_administrator_and_is_dead_afterwards(
    browser: Open, house: House, path: str
) -> None:
    admin = browser()
    page = admin.text(path)
    assert "First administrator" in page
    assert "Registered already?" not in page  # there is nobody to sign in
    anonymous = admin.cookie
    answer = admin.send(path, **TYPED)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    account = admin.text("/account")
    assert "You are the administrator." in account
    assert "Administer" in account  # the scope of a token only an administrator may make
    assert admin.cookie != anonymous
    assert admin.get("/audit").status_code == 200
    person = people.sign_in(house, TYPED["email"], TYPED["password"])
    assert person.is_verified
    assert person.site_roles == {SiteRole.ADMIN}
    for other in (admin, browser()):
        answer = other.get(path)
        assert answer.status_code == 403
        assert "This link does not work." in answer.get_data(as_text=True)
    assert list(audit.verify(house)) == []
    assert audit.compare(house) == []


def test_a_used_address_is_dead_for_a_form_that_was_open(
    browser: Open, house: House, path: str
) -> None:
    browser().send(path, **TYPED)
    answer = browser().send(path, "/sign-in", **{**TYPED, "email": "e@l.example", "username": "e"})
    assert answer.status_code == 403
    assert "This link does not work." in answer.get_data(as_text=True)
    with house.db.reading() as read:
        assert read.people.by_username("e") is None


def test_what_is_wrong_is_said_and_what_was_typed_is_kept(browser: Open, path: str) -> None:
    admin = browser()
    answer = admin.send(path, **{**TYPED, "name": '"><b>Ada\x01', "password": "short"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "Use 10 to 256 characters" in page
    assert 'value="&#34;&gt;&lt;b&gt;Ada' in page
    assert "<b>Ada" not in page
    assert 'value="short"' not in page
    assert admin.send(path, **TYPED).status_code == 303


@pytest.mark.parametrize("token", ["x", "A" * 120 + "." + "B" * 43, "a" * 600])
def test_no_other_address_makes_one(browser: Open, house: House, path: str, token: str) -> None:
    guest = browser()
    for answer in (
        guest.get(f"/register/{token}"),
        guest.send(f"/register/{token}", path, **TYPED),
    ):
        assert answer.status_code == 403
    with house.db.reading() as read:
        assert not read.people.anybody()


def test_an_address_of_yesterday_and_a_form_without_its_token_make_none(
    browser: Open, house: House, path: str
) -> None:
    yesterday = context(OPERATOR, clock.read_clock() - timedelta(days=1, seconds=1))
    old = f"/register/{registration.first_admin_token(house, yesterday)}"
    guest = browser()
    assert guest.get(old).status_code == 403
    assert guest.send(old, path, **TYPED).status_code == 403
    assert guest.client.post(path, data=TYPED).status_code == 400
    with house.db.reading() as read:
        assert not read.people.anybody()
