"""/metrics: figures that are right, labels that no client can make, and who may read them.

That nothing of people and hidden models is in them is shown in test_log, with the log itself.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gatekeeper.app import create_app, make_house, read_keys
from gatekeeper.domain.errors import MailFailed
from gatekeeper.domain.facts.audit import LedgerExported
from gatekeeper.domain.people import SYSTEM
from gatekeeper.services import downloads, outbox
from gatekeeper.services.ports import House
from tests.builders import WEIGHTS, World
from tests.cast import context
from tests.conftest import Site, make_settings

TOKEN = "t0ken-of-the-monitoring-host"
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")


def told(client: FlaskClient, **headers: str) -> dict[tuple[str, str], float]:
    """Read /metrics: (name, labels) to value."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    found = [SAMPLE.fullmatch(line) for line in lines]
    return {(m[1], m[2] or ""): float(m[3]) for m in found if m is not None}


def value(client: FlaskClient, name: str, *labels: str) -> float:
    """Add up the samples of a name that have these labels."""
    samples = told(client).items()
    return sum(v for (n, ls), v in samples if n == name and all(label in ls for label in labels))


def test_requests_refusals_links_and_bytes_are_counted(app: Flask, world: World) -> None:
    client, cast = app.test_client(), world.cast
    body = {"model": "northfield/lyra-t3", "revision": "main", "path": WEIGHTS}
    for member, status in ((cast.researcher, 201), (cast.applicant, 403)):
        assert client.post("/api/v1/links", json=body, headers=member.headers).status_code == status
    answer = client.get(
        f"/northfield/lyra-t3/resolve/main/{WEIGHTS}", headers=cast.researcher.headers
    )
    gated = len(answer.get_data())
    answer.close()
    answer = client.get(
        f"/northfield/lyra-t0/resolve/main/{WEIGHTS}", headers={"Range": "bytes=0-9"}
    )
    assert len(answer.get_data()) == 10
    answer.close()

    links = ('dialect="api"', 'route="/api/v1/links"', 'method="POST"')
    assert value(client, "gatekeeper_http_requests_total", *links, 'status="201"') == 1
    assert value(client, "gatekeeper_http_requests_total", *links, 'status="403"') == 1
    assert value(client, "gatekeeper_http_requests_total", 'dialect="hub"', 'status="206"') == 1
    took = "gatekeeper_http_request_duration_seconds"
    assert value(client, f"{took}_count", 'dialect="api"', 'method="POST"') == 2
    assert value(client, f"{took}_bucket", 'dialect="api"', 'method="POST"', 'le="+Inf"') == 2
    assert 0 < value(client, f"{took}_sum", 'dialect="api"') < 60
    assert value(client, "gatekeeper_refusals_total", 'dialect="api"') == 1
    assert value(client, "gatekeeper_signed_urls_total") == 1
    assert value(client, "gatekeeper_facts_total", 'kind="FileServed"') == 1
    sent = "gatekeeper_download_bytes_total"
    assert value(client, sent, 'backend="direct"', 'access="open"') == 10
    assert value(client, sent, 'backend="direct"', 'access="granted"') == gated


def test_a_download_that_runs_is_counted_until_it_ends(app: Flask, world: World) -> None:
    client = app.test_client()
    path = f"/northfield/lyra-t0/resolve/main/{WEIGHTS}"
    answers = [client.get(path) for _ in range(4)]
    assert [a.status_code for a in answers] == [200] * 4
    assert value(client, "gatekeeper_downloads_running") == 4
    assert value(client, "gatekeeper_download_places") == 4
    assert client.get(path).status_code == 503
    for answer in answers:
        answer.close()
    assert value(client, "gatekeeper_downloads_running") == 0


def test_what_was_rolled_back_is_not_counted(app: Flask, house: House) -> None:
    client = app.test_client()
    before = value(client, "gatekeeper_facts_total")

    def fail() -> None:
        with house.db.acting(context()) as act:
            act.record(LedgerExported(0, 1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert value(client, "gatekeeper_facts_total") == before
    with house.db.acting(context()) as act:
        act.record(LedgerExported(0, 1))
    assert value(client, "gatekeeper_facts_total") == before + 1


class Refusing:
    """A mail server that takes no letter, and says so for good."""

    def send(self, _letter: object) -> None:
        raise MailFailed("no such mailbox", for_good=True)


def test_backlogs_are_told(app: Flask, world: World) -> None:
    client, house = app.test_client(), world.house
    waiting = value(client, "gatekeeper_mail_waiting")
    assert waiting > 0
    assert value(client, "gatekeeper_mail_oldest_seconds") > 0
    assert value(client, "gatekeeper_mail_dead") == 0
    assert value(client, "gatekeeper_queue_open") == 1  # pending's
    assert value(client, "gatekeeper_queue_oldest_seconds") > 0
    entries = value(client, "gatekeeper_ledger_entries")
    assert value(client, "gatekeeper_ledger_unsequenced") == 0
    downloads.issue_link(house, context(world.cast.researcher.actor), world.ref("T3"))
    assert value(client, "gatekeeper_ledger_unsequenced") == house.db.is_postgres
    house.db.sequence_all()
    assert value(client, "gatekeeper_ledger_unsequenced") == 0
    assert value(client, "gatekeeper_ledger_entries") == entries + 1
    outbox.deliver(replace(house, mail=Refusing()), context(SYSTEM))
    assert value(client, "gatekeeper_mail_waiting") == 0
    assert 0 < value(client, "gatekeeper_mail_dead") <= waiting


def test_no_client_makes_a_label(app: Flask) -> None:
    client = app.test_client()
    for path in ("/a/b", "/d/x/y", "/api/v1/none", "/api/models/a/b", "/nothing"):
        client.get(path)
    client.open("/", method="BREW")
    told(client)
    before = told(client)
    for number in range(20):
        client.get(f"/a{number}/b", headers={"X-Request-Id": f"r{number}"})
        client.get(f"/d/token{number}/file")
        client.get(f"/api/v1/none{number}?reason=x{number}")
        client.get(f"/api/models/a{number}/b")
        client.get(f"/nothing{number}")
        client.open("/", method=f"BREW{number}")
    assert told(client).keys() == before.keys()


def test_without_a_database_the_figures_of_the_process_are_told(site: Site, world: World) -> None:
    settings = make_settings()
    shutil.copytree(site.data / "keys", site.data.parent / "dead" / "keys")
    dead = make_house(
        make_settings(GATEKEEPER_DATABASE__URL=f"sqlite:///{site.data}/none/gatekeeper.db"),
        site.data.parent / "dead",
    )
    client = create_app(settings, dead, bytes(32)).test_client()
    assert client.get("/").status_code == 503
    assert value(client, "gatekeeper_database_up") == 0
    assert value(client, "gatekeeper_http_requests_total", 'status="503"') == 1
    assert value(client, "gatekeeper_mail_waiting") == 0
    dead.db.close()


# --- who may read ---------------------------------------------------------------------------------


@pytest.fixture
def served(site: Site, world: World) -> Callable[..., FlaskClient]:
    """Make a client of the house under other settings."""

    def client(**environment: str) -> FlaskClient:
        settings = make_settings(**environment)
        return create_app(
            settings, world.house, read_keys(settings, site.data).sessions
        ).test_client()

    return client


PUBLIC = {"GATEKEEPER_SITE__PUBLIC_URL": "https://models.lab.example"}


def test_on_a_loopback_site_this_machine_reads_and_no_other(
    served: Callable[..., FlaskClient],
) -> None:
    client = served()
    for address, status in (("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 404), ("", 404)):
        answer = client.get("/metrics", environ_overrides={"REMOTE_ADDR": address})
        assert answer.status_code == status, address


def test_on_a_public_site_nobody_reads_without_a_token(served: Callable[..., FlaskClient]) -> None:
    """Not even from this machine: behind a proxy on it, everybody comes from there."""
    client = served(**PUBLIC)
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_a_token_is_asked_for_wherever_one_is_set(
    served: Callable[..., FlaskClient], world: World
) -> None:
    client = served(**PUBLIC, GATEKEEPER_METRICS__TOKEN=TOKEN)
    wrong = (
        "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}",
        f"Bearer {TOKEN.upper()}", "Bearer \xff", world.cast.admin.headers["Authorization"],
    )  # fmt: skip
    for header in wrong:
        answer = client.get("/metrics", headers={"Authorization": header} if header else {})
        assert answer.status_code == 401, header
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "gatekeeper_" not in answer.text
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert answer.headers["Cache-Control"] == "private, no-store"
