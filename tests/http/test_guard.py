"""What stands around every answer: security headers, limits a client cannot forge its way past."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gatekeeper.app import create_app
from gatekeeper.domain.people import Actor, Context
from gatekeeper.services import people
from tests.builders import WEIGHTS, World
from tests.conftest import Copy, Site, make_settings
from tests.http.doors import Door
from tests.http.pages.conftest import Browser
from tests.http.test_matrix import DOORS, Stage, knock, stage

__all__ = ["stage"]  # the fixture


@pytest.fixture
def furnished(sqlite_copy: Copy) -> tuple[Site, World]:
    """A house on SQLite and a disk: what stands around an answer knows nothing of either."""
    site, world = sqlite_copy(True)
    assert world is not None
    return site, world


SIGN_IN = {"email": "a@b.example", "password": "a wrong password"}


def is_protected(answer: TestResponse) -> bool:
    """Say whether a browser that got this answer runs, frames, guesses and tells nothing."""
    csp = answer.headers["Content-Security-Policy"]
    is_inert = csp.startswith("sandbox; default-src 'none'")
    is_page = "default-src 'self'" in csp and "frame-ancestors 'none'" in csp
    return (is_inert or (is_page and "unsafe" not in csp)) and (
        answer.headers["X-Content-Type-Options"],
        answer.headers["Referrer-Policy"],
        answer.headers["X-Frame-Options"],
        answer.headers["Cross-Origin-Opener-Policy"],
        answer.headers["Cross-Origin-Resource-Policy"],
    ) == ("nosniff", "no-referrer", "DENY", "same-origin", "same-origin")


def is_kept_by_nobody(answer: TestResponse) -> bool:
    """Say whether no cache shared by several people gives this answer to another one."""
    control = answer.headers["Cache-Control"]
    return "private" in control and {"Authorization", "Cookie"} <= set(answer.vary.as_set(True))


EVERY_DOOR = [(key, found[0]) for key, found in sorted(DOORS.items())]


@pytest.mark.parametrize(
    ("key", "door"), EVERY_DOOR, ids=lambda part: part.path if isinstance(part, Door) else part[1]
)
def test_every_answer_carries_the_security_headers(
    stage: Stage, key: tuple[str, str], door: Door
) -> None:
    allowed = sorted(door.allowed - {"anonymous"})[:1]
    for who in ("anonymous", *allowed):
        answer = knock(stage, door, key[1], who)
        where = (key, who, answer.status_code, dict(answer.headers))
        assert is_protected(answer), where
        assert key[0] == "static" or is_kept_by_nobody(answer), where
        assert "Strict-Transport-Security" not in answer.headers, where  # plain http on loopback
        assert answer.headers["X-Request-Id"], where


def test_an_answer_to_what_is_wrong_carries_them_too(stage: Stage) -> None:
    client = stage.app.test_client()
    answers = [
        client.get("/no/such/page/at/all"), client.get("/api/v1/nothing"),
        client.get("/api/models/a/b"), client.delete("/sign-in"), client.post("/sign-in"),
        client.post("/api/v1/links", data=b"x" * 10_000_000), client.get("/%00"),
    ]  # fmt: skip
    assert {answer.status_code for answer in answers} == {400, 401, 404, 405, 413}
    assert all(is_protected(answer) and is_kept_by_nobody(answer) for answer in answers)


def test_a_crash_carries_them_and_says_nothing_of_itself(stage: Stage) -> None:
    def crash() -> str:
        raise ValueError("zqinsidezq")

    stage.app.view_functions["catalogue.index"] = crash
    answer = stage.app.test_client().get("/")
    assert answer.status_code == 500
    assert is_protected(answer)
    assert "zqinsidezq" not in answer.get_data(as_text=True)


def secure(world: World, **more: str) -> Flask:
    """Make the application as it runs behind a proxy that speaks https."""
    settings = make_settings(
        GATEKEEPER_SITE__PUBLIC_URL="https://models.lab.example",
        GATEKEEPER_MAIL__BACKEND="log",
        **more,
    )
    return create_app(settings, world.house, bytes(32))


def test_https_is_asked_for_again_and_the_cookie_stays_on_this_host(world: World) -> None:
    client = secure(world).test_client()
    for path in (
        "/",
        "/api/v1/models",
        "/api/models",
        f"/northfield/lyra-t0/resolve/main/{WEIGHTS}",
    ):
        answer = client.get(path)
        hsts = answer.headers["Strict-Transport-Security"]
        assert int(hsts.partition("max-age=")[2].partition(";")[0]) >= 31_536_000, path
        answer.close()
    cookie = client.get("/sign-in").headers["Set-Cookie"]
    assert cookie.startswith("__Host-gk_session=")
    assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain=" not in cookie


def tries(client: FlaskClient, *addresses: str) -> list[int]:
    """Ask the API once from each forwarded address."""
    return [
        client.get("/api/v1/models", headers={"X-Forwarded-For": one}).status_code
        for one in addresses
    ]


def behind(world: World, proxies: int) -> FlaskClient:
    """Return a client of an application that allows two calls a minute and address."""
    settings = make_settings(
        GATEKEEPER_LIMITS__ENABLED="true",
        GATEKEEPER_LIMITS__API="2/minute",
        GATEKEEPER_SERVER__TRUSTED_PROXIES=str(proxies),
    )
    return create_app(settings, world.house, bytes(32)).test_client()


def test_without_a_trusted_proxy_nobody_chooses_the_address_they_are_counted_by(
    world: World,
) -> None:
    assert tries(behind(world, 0), "10.0.0.1", "10.0.0.2", "10.0.0.3") == [200, 200, 429]


def test_behind_one_proxy_what_it_added_counts_and_what_the_client_wrote_does_not(
    world: World,
) -> None:
    assert tries(behind(world, 1), "10.0.0.1", "10.0.0.2", "10.0.0.3") == [200, 200, 200]
    forged = ("1.1.1.1, 10.0.0.9", "2.2.2.2, 10.0.0.9", "3.3.3.3, 10.0.0.9")
    assert tries(behind(world, 1), *forged) == [200, 200, 429]


def test_who_asks_too_often_is_told_what_is_left_of_the_window_in_each_dialect(
    world: World,
) -> None:
    once = dict.fromkeys(("GATEKEEPER_LIMITS__API", "GATEKEEPER_LIMITS__SIGN_IN"), "1/hour")
    app = create_app(
        make_settings(GATEKEEPER_LIMITS__ENABLED="true", **once), world.house, bytes(32)
    )
    browser = Browser(app.test_client())

    def ask() -> list[TestResponse]:
        calls = browser.client.get("/api/v1/models")
        logins = browser.client.post("/oauth/device", data={"client_id": "x"})
        return [calls, logins, browser.send("/sign-in", **SIGN_IN)]

    assert [answer.status_code for answer in ask()] == [200, 200, 401]
    wiring = app.extensions["gatekeeper"]

    def half_an_hour_on(actor: Actor, request_id: str) -> Context:
        made: Context = wiring.context(actor, request_id)
        return replace(made, now=made.now + timedelta(minutes=30))

    app.extensions["gatekeeper"] = replace(wiring, context=half_an_hour_on)
    for refused in ask():
        assert refused.status_code == 429
        assert 1700 <= int(refused.headers["Retry-After"]) <= 1800, refused.request.path
    assert "Try again in 30 minutes." in refused.text


def test_a_client_cannot_name_the_scheme_or_the_host_by_a_header(world: World) -> None:
    for proxies in (0, 1):
        client = behind(world, proxies)
        headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
        page = client.get("/api/models?limit=1", headers=headers)
        assert "evil.example" not in page.headers.get("Link", "")
        assert ("https://" in page.headers.get("Link", "")) == (proxies == 1)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadPoolExecutor]:
    """Keep every hasher at work."""
    monkeypatch.setattr(people, "_WAIT_SECONDS", 0.01)
    hashers = people._hashers(os.getpid())
    done = threading.Event()
    waiting = [hashers.submit(done.wait) for _ in range(hashers._max_workers)]
    yield hashers
    done.set()
    wait(waiting)


def test_too_many_passwords_at_once_are_503_and_none_is_taken_for_right_or_wrong(
    stage: Stage, full: ThreadPoolExecutor
) -> None:
    cast = stage.world.cast
    form = {"email": cast.applicant.email, "password": cast.applicant.password}
    answer = knock(stage, Door("/sign-in", frozenset(), form=form), "POST", "anonymous")
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
    assert not answer.headers.get("Location")
    assert full._work_queue.get_nowait().future.cancelled()  # what nobody waits for is not hashed
