"""The services of the compose files, with the disk and with S3: the main path, and a restart.

Everything goes through nginx. People act by pages and API alone, letters come by SMTP from the
worker, the operator uses the commands of docs/operating.md.
"""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from aiosmtpd.controller import Controller

from tests.contract.test_mail_smtp import PostOffice
from tests.live import free_port
from tests.rooms import depth
from tests.stack.compose import DISK, S3
from tests.stack.crowd import Crowd
from tests.stack.native import Native, running
from tests.stack.walk import (
    FILE,
    MODEL,
    WEIGHT_BYTES,
    Archive,
    apply,
    curl,
    first_admin_path,
    letter,
    open_account,
    set_up,
)
from tests.wire.clients import VERSIONS, Client, python_of
from tests.wire.test_install import Visitor

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")

STACKS, NAMES = [S3, DISK], ["s3 and direct", "disk and x-accel"]
WHERE = {"model": MODEL, "revision": "main", "path": FILE}


@pytest.fixture(scope="module")
def post_office() -> Iterator[tuple[PostOffice, int]]:
    """A real SMTP server on loopback."""
    desk, port = PostOffice(), free_port()
    controller = Controller(desk, hostname="127.0.0.1", port=port)
    controller.start()
    yield desk, port
    controller.stop()


@pytest.fixture(scope="module", params=STACKS, ids=NAMES)
def archive(
    request: pytest.FixtureRequest,
    post_office: tuple[PostOffice, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Archive]:
    """Everything, running; the rest is what an operator writes into gatekeeper.env."""
    desk, port = post_office
    settings = {
        "GATEKEEPER_MAIL__BACKEND": "smtp", "GATEKEEPER_MAIL__HOST": "127.0.0.1",
        "GATEKEEPER_MAIL__PORT": str(port), "GATEKEEPER_MAIL__SECURITY": "none",
        "GATEKEEPER_MAIL__SENDER": "desk@lab.example",
        "GATEKEEPER_LIMITS__API": "100000/minute",
    }  # fmt: skip
    with running(request.param, **settings) as native:
        desk.kept.clear()
        desk.recipients.clear()
        yield set_up(native, desk, tmp_path_factory.mktemp("archive") / "weights")


@pytest.fixture
def native(archive: Archive) -> Native:
    """The running services."""
    return archive.native


def test_the_one_time_address_works_once(archive: Archive) -> None:
    with pytest.raises(urllib.error.HTTPError) as again:
        Visitor(archive.native.url).get(first_admin_path(archive.native))
    assert again.value.code == 403
    again.value.close()


def test_from_registering_to_a_revocation(archive: Archive, tmp_path: Path) -> None:
    native = archive.native
    researcher = open_account(native, archive.office, "noor").with_token("read")
    approver = archive.approver
    case = apply(researcher)
    assert researcher.call("links", WHERE)[1]["code"] == "pending"
    _, seen = approver.call(f"applications/{case}")
    verdict = {"verdict": "approve", "version": seen["version"], "ends_on": "2027-06-30"}
    assert researcher.call(f"applications/{case}/decisions", verdict)[0] == 403
    assert approver.call(f"applications/{case}/decisions", verdict)[0] == 200
    letter(archive.office, researcher, "You may download now")

    status, link = researcher.call("links", WHERE)
    assert status == 201, link
    got = tmp_path / "got"
    assert curl(link["url"], got, "-r", f"0-{WEIGHT_BYTES // 2}") == "206"
    assert curl(link["url"], got, "-C", "-") == "206"
    assert hashlib.sha256(got.read_bytes()).hexdigest() == archive.weights_sha256
    newest = list(VERSIONS)[-1]
    machine = Client(newest, python_of(newest), tmp_path / "hf").at(native.url, researcher.token)
    done = machine.hf("download", MODEL, "--local-dir", str(tmp_path / "copy"))
    assert done.returncode == 0, done.stderr
    copy = (tmp_path / "copy" / FILE).read_bytes()
    assert hashlib.sha256(copy).hexdigest() == archive.weights_sha256

    _, held = approver.call(f"grants?model={MODEL}")
    ending = {"reason": "leak", "note": "A copy was found."}
    assert approver.call(f"grants/{held['items'][0]['id']}/revoke", ending)[0] == 200
    assert curl(link["url"], got, "-r", "0-9") == "403"
    assert researcher.call("links", WHERE)[1]["code"] == "grant_revoked"
    letter(archive.office, researcher, "was revoked; links made from it are dead")
    assert archive.admin.call("audit/entries?kind=GrantRevoked")[1]["items"]
    native.commands(("audit", "verify"), ("audit", "rebuild", "--compare"), ("fsck", "--read-data"))


@pytest.mark.parametrize("archive", STACKS[: depth(1, 2)], ids=NAMES[: depth(1, 2)], indirect=True)
def test_a_rolling_restart_under_load_breaks_no_download_and_no_call(
    archive: Archive, tmp_path: Path
) -> None:
    """16 clients download and resume, others ask for links and pages, servers are restarted."""
    native = archive.native
    issued = _issued(native)
    with Crowd(archive, tmp_path) as crowd:
        for server in (("app-a", "app-b") * 5)[: depth(1, 10)]:
            crowd.wait_until_all_download()
            native.stop(server)
            native.start(server)
            native.wait_for(server)
        crowd.wait_until_all_download()
    assert crowd.errors == []
    assert crowd.digests == {archive.weights_sha256}
    assert crowd.resumed > 0
    assert crowd.cut == 0  # who was being served was served to the end
    assert crowd.statuses.keys() <= {200, 201, 206, 503}
    assert crowd.links > 0
    assert _issued(native) == issued + crowd.links  # nothing that was sent was sent twice


def _issued(native: Native) -> int:
    url = (native.volume("secrets-app") / "database_url").read_text().replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM entries WHERE kind = 'LinkIssued'")
        found: int = row.fetchall()[0][0]
        return found


def test_the_database_opens_to_nobody_without_its_password(native: Native) -> None:
    for user in ("postgres", "gatekeeper_owner", "gatekeeper_app"):
        for password in ("", user, "postgres", "gatekeeper"):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(
                    host="127.0.0.1", port=native.ports["postgres"], user=user,
                    password=password, dbname="gatekeeper",
                )  # fmt: skip


def test_what_runs_at_each_start_changes_nothing_at_the_second(native: Native) -> None:
    services = native.project.services
    for name in ("init", "bucket"):
        if name in services:
            native.run_once(services[name])
    assert "The schema is current" in native.log("init")
    assert urllib.request.urlopen(f"{native.url}/readyz", timeout=20).status == 200
