"""Rate limits that several processes count together in a real Redis, and that Redis being away.

Where nothing can be counted, the doors with a limit answer 503 and everything else goes on.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from gatekeeper.app import create_app, make_house, read_keys
from gatekeeper.db import tables as t
from gatekeeper.services.ports import House
from tests.builders import WEIGHTS, World
from tests.cast import PASSWORD
from tests.conftest import Site, make_settings
from tests.contract.test_database import at_once
from tests.http.test_faults import is_unavailable
from tests.redis_server import Redis

API_CALLS, SIGN_INS = 20, 5
GATED = f"/northfield/lyra-t3/resolve/main/{WEIGHTS}"


def serve(site: Site, redis: Redis) -> tuple[FlaskClient, House]:
    """Open a house as a process of its own would, and return a client of its application."""
    settings = make_settings(
        GATEKEEPER_LIMITS__ENABLED="true",
        GATEKEEPER_LIMITS__STORAGE_URL=redis.url,
        GATEKEEPER_LIMITS__API=f"{API_CALLS}/hour",
        GATEKEEPER_LIMITS__SIGN_IN=f"{SIGN_INS}/hour",
    )
    house = make_house(settings, site.data, demo=True)
    app = create_app(settings, house, read_keys(settings, site.data).sessions)
    return app.test_client(), house


@pytest.fixture
def clients(site: Site, redis: Redis) -> Iterator[tuple[FlaskClient, FlaskClient]]:
    """Clients of two servers over one house."""
    (one, first), (two, second) = serve(site, redis), serve(site, redis)
    yield one, two
    for house in (first, second):
        house.db.close()


def sign_in(client: FlaskClient, password: str = PASSWORD) -> TestResponse:
    """Send the form of the sign-in page."""
    page = client.get("/sign-in").get_data(as_text=True)
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "email": "owner-user@example.org", "password": password}
    return client.post("/sign-in", data=form)


def test_two_servers_count_together_and_exactly(clients: tuple[FlaskClient, FlaskClient]) -> None:
    answers = [clients[n % 2].get("/api/v1/models").status_code for n in range(API_CALLS + 6)]
    assert answers == [200] * API_CALLS + [429] * 6
    guesses = [sign_in(clients[n % 2], "a wrong guess").status_code for n in range(SIGN_INS + 2)]
    assert guesses[:SIGN_INS] == [guesses[0]] * SIGN_INS
    assert guesses[0] < 429
    assert guesses[SIGN_INS:] == [429, 429]


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_without_redis_what_is_limited_is_503_and_the_rest_goes_on(
    clients: tuple[FlaskClient, FlaskClient], redis: Redis, world: World, how: str
) -> None:
    client, headers = clients[0], world.cast.researcher.headers
    body = {"model": "northfield/lyra-t3", "revision": "main", "path": WEIGHTS}
    assert client.get("/api/v1/models").status_code == 200
    assert redis.process is not None
    if how == "stopped":
        redis.stop()
    else:
        redis.process.send_signal(signal.SIGSTOP)
    limited: tuple[Callable[[], Any], ...] = (
        lambda: client.post("/api/v1/links", json=body, headers=headers),
        lambda: client.get("/api/v1/models"),
        lambda: sign_in(client),
    )
    for ask in limited:
        with at_once(2):
            assert is_unavailable(ask())
    with world.house.db.reading() as read:
        assert read.connection.execute(select(t.links)).all() == []
    assert client.get_cookie("gk_session") is None or client.get("/account").status_code == 302
    with closing(client.get(GATED, headers=headers)) as served:
        assert served.status_code == 200
    for path in ("/", "/sign-in", "/healthz", "/readyz"):
        assert client.get(path).status_code == 200
    redis.stop()
    redis.start()
    assert client.post("/api/v1/links", json=body, headers=headers).status_code == 201
    assert client.get("/api/v1/models").status_code == 200


def test_a_server_starts_without_redis_and_finds_it_later(site: Site, redis: Redis) -> None:
    redis.stop()
    client, house = serve(site, redis)
    assert is_unavailable(client.get("/api/v1/models"))
    redis.start()
    assert client.get("/api/v1/models").status_code == 200
    house.db.close()
