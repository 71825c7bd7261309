"""`hf auth login`: a program asks, a person decides in a browser, the program gets a token."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from gatekeeper.domain.people import Scope
from gatekeeper.services import devices, sessions, tokens
from gatekeeper.services.devices import NoToken, Refusal
from gatekeeper.web.hub.device import GRANT
from tests.builders import World
from tests.cast import Cast, context
from tests.http.pages.conftest import Browser, Open


class Program:
    """What waits in a terminal."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self.codes: dict[str, Any] = self.client.post(
            "/oauth/device", data={"client_id": "anything"}
        ).get_json()
        self.code = self.codes["user_code"]

    def ask(self, **sent: str) -> tuple[int, dict[str, Any]]:
        """Come for the token."""
        form = {"grant_type": GRANT, "device_code": self.codes["device_code"], **sent}
        answer = self.client.post("/oauth/token", data=form)
        assert "no-store" in answer.headers["Cache-Control"]
        return answer.status_code, answer.get_json()


@pytest.fixture
def program(app: Flask) -> Program:
    """A program that has just begun."""
    return Program(app)


def _decide(browser: Browser, code: str, act: str, scope: str = "read") -> int:
    return browser.send(
        "/device", f"/device?code={code}", code=code, act=act, scope=scope
    ).status_code


def test_a_program_that_is_let_in_acts_as_the_person_and_gets_its_token_once(
    program: Program, browser: Open, cast: Cast
) -> None:
    assert program.codes["verification_uri_complete"].endswith(f"/device?code={program.code}")
    assert program.ask()[1]["error"] == "authorization_pending"
    owner = browser(cast.owner)
    page = owner.text(f"/device?code={program.code.lower().replace('-', ' ')}")
    assert program.code in page
    assert "Is it yours?" in page
    assert _decide(owner, program.code, "allow", "write") == 303
    status, told = program.ask()
    assert (status, told["token_type"]) == (200, "bearer")
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    me = program.client.get("/api/whoami-v2", headers=headers).get_json()
    assert (me["name"], me["auth"]["accessToken"]["role"]) == (cast.owner.username, "write")
    assert program.code in me["auth"]["accessToken"]["displayName"]
    assert program.ask() == (400, {**program.ask()[1], "error": "invalid_grant"})
    assert program.code in owner.text("/account")


def test_a_program_that_is_turned_away_hears_so(
    program: Program, browser: Open, cast: Cast
) -> None:
    researcher = browser(cast.researcher)
    assert _decide(researcher, program.code, "deny") == 303
    assert program.ask()[1]["error"] == "access_denied"
    assert _decide(researcher, program.code, "allow") == 404


@pytest.mark.parametrize("code", ["BBBB-BBBB", "x", "", "BCDF", "B" * 5000, "\u202e"])
def test_a_code_that_nobody_shows_is_told_so(browser: Open, cast: Cast, code: str) -> None:
    person = browser(cast.researcher)
    answer = person.send("/device", "/device", code=code, act="allow", scope="read")
    assert answer.status_code == 404
    assert "No program waits with this code" in answer.get_data(as_text=True)


def test_nobody_lets_a_program_in_without_an_account_a_click_or_a_proven_address(
    program: Program, browser: Open, cast: Cast
) -> None:
    assert browser().get(f"/device?code={program.code}").status_code == 302
    sent = {"code": program.code, "act": "allow", "scope": "read"}
    forged = browser(cast.researcher).client.post("/device", data=sent)
    assert forged.status_code == 400  # no CSRF token
    assert _decide(browser(cast.stranger), program.code, "allow") == 403
    assert program.ask()[1]["error"] in {"authorization_pending", "slow_down"}


def test_one_answer_counts_and_only_its_person_is_meant(
    program: Program, browser: Open, cast: Cast
) -> None:
    assert _decide(browser(cast.researcher), program.code, "allow") == 303
    assert _decide(browser(cast.owner), program.code, "allow", "write") == 404
    _, told = program.ask()
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    me = program.client.get("/api/whoami-v2", headers=headers).get_json()
    assert me["name"] == cast.researcher.username


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"device_code": "0" * 64}, "invalid_grant"),
        ({"device_code": ""}, "invalid_grant"),
    ],
)
def test_what_is_no_code_gets_no_token(program: Program, sent: dict[str, str], error: str) -> None:
    status, told = program.ask(**sent)
    assert (status, told["error"]) == (400, error)
    assert "access_token" not in told


def test_haste_and_delay_are_told_in_the_words_of_the_rfc(world: World) -> None:
    house, begun = world.house, context()
    codes = devices.begin(house, begun)

    def ask(seconds: float) -> Refusal | None:
        try:
            later = context(now=begun.now + timedelta(seconds=seconds))
            devices.redeem(house, later, codes.device_code)
        except NoToken as error:
            return error.refusal
        return None

    assert [ask(1), ask(2), ask(8), ask(901)] == [
        Refusal.PENDING, Refusal.SLOW_DOWN, Refusal.PENDING, Refusal.EXPIRED,
    ]  # fmt: skip
    researcher = context(world.cast.researcher.actor, begun.now + timedelta(seconds=901))
    with pytest.raises(devices.NotFound):
        devices.answer(house, researcher, codes.user_code, Scope.READ, allows=True)
    sessions.sweep(house, context(now=begun.now + timedelta(days=3)))
    assert ask(901) is Refusal.UNKNOWN


def test_no_secret_of_a_program_lies_in_the_database(world: World, program: Program) -> None:
    secret = program.codes["device_code"]
    with world.house.db.reading() as read:
        found = read.devices.by_user_code(devices.typed(program.code), context().now)
    assert found is not None
    assert secret not in repr(found)
    assert found.digest == tokens.digest_of(secret)


def test_the_address_of_a_code_is_as_random_as_it_looks(house: Any) -> None:
    codes = {devices.begin(house, context()).user_code for _ in range(50)}
    assert len(codes) == 50
    assert all(
        re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", c) for c in codes
    )
