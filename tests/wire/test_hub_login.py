"""Logging in with the real clients, by a token and from a browser; whose profile it is then."""

from __future__ import annotations

import pytest

from gatekeeper.domain.people import Scope
from gatekeeper.services import devices
from tests.cast import context
from tests.wire.clients import Client
from tests.wire.server import Live


def test_a_token_is_filed_under_its_name_and_forgotten_again(hub: Client, live: Live) -> None:
    client = hub.at(live.url)
    token = live.world.cast.researcher.token
    assert client.hf("auth", "login", "--token", token).returncode == 0
    assert live.world.cast.researcher.username in client.hf("auth", "whoami").stdout
    assert "tests" in client.hf("auth", "list").stdout
    assert client.hf("auth", "logout").returncode == 0
    assert live.world.cast.researcher.username not in client.hf("auth", "whoami").stdout


def test_a_wrong_token_is_refused_and_not_kept(hub: Client, live: Live) -> None:
    client = hub.at(live.url)
    refused = client.hf("auth", "login", "--token", "gk_" + "0" * 49)
    assert refused.returncode != 0
    assert not (client.home / "hf" / "token").exists()


DEVICE = """
from huggingface_hub.utils import _oauth_device as device

class Pending(Exception):
    pass

def pending():
    raise Pending
"""


def test_a_person_lets_the_client_in_from_a_browser(hub: Client, live: Live) -> None:
    if hub.is_old:
        pytest.skip("0.36 asks for a token to be pasted")
    client, person = hub.at(live.url), live.world.cast.researcher
    begin = """
codes = device.request_device_code()
tell([codes, failure(device.poll_device_token, codes, on_pending=pending)["kinds"][0]])
"""
    codes, failed = client.run(DEVICE + begin)
    assert failed == "Pending"
    actor = context(person.actor)
    devices.answer(live.house, actor, codes["user_code"], Scope.READ, allows=True)
    fetch = """
found = device.poll_device_token(codes, on_pending=pending)
again = failure(device.poll_device_token, codes)
tell([api.whoami(token=found["access_token"])["name"], again["text"]])
"""
    name, again = client.run(DEVICE + fetch, codes=codes)
    assert name == person.username
    assert "fetched already" in again


def test_how_long_to_wait_is_read_where_the_client_looks_for_it(hub: Client) -> None:
    """In the words of tests/http/hub/test_limits; before 1.6 no client looked."""
    if hub.is_old:
        pytest.skip("0.36 reads no such header")
    told = hub.run(
        """
from huggingface_hub.utils._http import parse_ratelimit_headers
found = parse_ratelimit_headers({"ratelimit": '"logins";r=0;t=60'})
tell([found.resource_type, found.remaining, found.reset_in_seconds])
"""
    )
    assert told == ["logins", 0, 60]
