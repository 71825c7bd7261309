"""Who is limited on the Hub's wire: whoever begins a login, and nobody who reads or writes."""

from __future__ import annotations

from flask.testing import FlaskClient

from gatekeeper.app import create_app, read_keys
from tests.builders import World
from tests.cast import Cast
from tests.conftest import Site, make_settings


def limited(site: Site, world: World) -> FlaskClient:
    """Return a client of a server that lets everything that is counted through once a minute."""
    once = dict.fromkeys(("API", "SIGN_IN", "REGISTRATION"), "1/minute")
    settings = make_settings(
        GATEKEEPER_LIMITS__ENABLED="true",
        **{f"GATEKEEPER_LIMITS__{name}": limit for name, limit in once.items()},
    )
    return create_app(settings, world.house, read_keys(settings, site.data).sessions).test_client()


def test_reading_and_writing_are_never_429(site: Site, world: World, cast: Cast) -> None:
    """A client that is told to wait in the middle of a snapshot may give it up."""
    client, headers = limited(site, world), cast.owner.headers
    for _ in range(3):
        for path in ("/api/models", "/api/models/northfield/lyra-t0", "/api/whoami-v2",
                     "/northfield/lyra-t0/resolve/main/config.json"):  # fmt: skip
            assert client.get(path, headers=headers).status_code == 200, path
        sent = client.post("/api/validate-yaml", json={"content": ""}, headers=headers)
        assert sent.status_code == 200


def test_whoever_begins_logins_without_end_is_told_how_long_to_wait(
    site: Site, world: World
) -> None:
    client = limited(site, world)
    assert client.post("/oauth/device", data={"client_id": "x"}).status_code == 200
    refused = client.post("/oauth/device", data={"client_id": "x"})
    assert refused.status_code == 429
    seconds = refused.headers["Retry-After"]
    assert 1 <= int(seconds) <= 60
    assert refused.headers["RateLimit"] == f'"logins";r=0;t={seconds}'
    assert f"wait {seconds} seconds" in refused.headers["X-Error-Message"]
    assert client.get("/api/models").status_code == 200
