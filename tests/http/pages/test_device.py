"""`hf auth login`: a program asks, a person decides in a browser, the program gets a token."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from gatekeeper.db.devices import DeviceState
from gatekeeper.domain.errors import Busy
from gatekeeper.domain.people import Scope
from gatekeeper.services import devices, members, sessions, tokens
from gatekeeper.services.devices import NoToken, Refusal
from gatekeeper.web.hub.device import GRANT
from tests.builders import World
from tests.cast import Cast, context
from tests.http.pages.conftest import Browser, Open
from tests.http.pages.test_account import letter


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


def test_whoever_resets_their_password_lets_no_program_in_that_was_let_in_before(
    program: Program, browser: Open, cast: Cast, world: World
) -> None:
    """Whoever held the account may have: the owner of the address ends it with the tokens."""
    thief = browser(cast.researcher)
    assert _decide(thief, program.code, "allow") == 303
    thief.send("/reset", email=cast.researcher.email)
    path = letter(world.house, cast.researcher.email, "reset")
    assert browser().send(path, password="five quite plain words here").status_code == 303
    assert program.ask()[1]["error"] == "invalid_grant"


def test_nobody_who_is_suspended_lets_a_program_in(
    program: Program, browser: Open, cast: Cast, world: World
) -> None:
    house, person = world.house, cast.researcher
    assert _decide(browser(person), program.code, "allow") == 303
    members.set_suspended(house, context(), person.email, "leak", suspended=True)
    assert program.ask()[1]["error"] == "invalid_grant"
    late = devices.begin(house, context())
    with house.db.acting(context()) as act:  # an answer that they gave just before
        digest = tokens.digest_of(late.device_code)
        act.devices.answer(digest, DeviceState.ALLOWED, person.id, Scope.READ)
    assert program.ask(device_code=late.device_code)[1]["error"] == "access_denied"
    with house.db.reading() as read:
        assert [token.id for token in read.people.tokens_of(person.id)] == [person.token_id]


def test_a_code_without_a_token_waits_for_nobodys_turn_to_write(world: World) -> None:
    house, researcher = world.house, context(world.cast.researcher.actor)
    hasty, denied = devices.begin(house, context()), devices.begin(house, context())
    devices.answer(house, researcher, denied.user_code, Scope.READ, allows=False)
    with pytest.raises(NoToken):
        devices.redeem(house, context(), hasty.device_code)
    with house.db.acting(context()):  # the one turn that there is on SQLite
        for code, refusal in (
            ("0" * 64, Refusal.UNKNOWN),
            (denied.device_code, Refusal.DENIED),
            (hasty.device_code, Refusal.SLOW_DOWN),
        ):
            with pytest.raises(NoToken, match=refusal):
                devices.redeem(house, context(), code)


def test_a_code_is_good_until_its_token_is_recorded(world: World, program: Program) -> None:
    house, researcher = world.house, context(world.cast.researcher.actor)
    devices.answer(house, researcher, program.code, Scope.READ, allows=True)

    def too_many(_size: int) -> bytes:
        raise Busy("in the middle of it")

    with pytest.raises(Busy):
        devices.redeem(house, replace(context(), fresh=too_many), program.codes["device_code"])
    assert program.ask()[0] == 200
    assert program.ask()[1]["error"] == "invalid_grant"


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
