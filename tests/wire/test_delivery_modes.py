"""What the delivery modes promise beside the bytes: headers, closed doors, and what stays open.

The suite of signed links runs in each mode (test_signed_links); here is what differs.
"""

from __future__ import annotations

import http.client
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from gatekeeper.app import create_app
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.links import DeliveryMode
from gatekeeper.services import downloads, grants
from gatekeeper.services.uploads import blobs
from gatekeeper.settings import load
from gatekeeper.web.pages.snippets import Source, tools
from tests import builders
from tests.cast import Member, context
from tests.http.pages.conftest import Browser
from tests.live import free_port
from tests.nginx import of_the_handbook, running_nginx, running_site
from tests.wire.clients import VERSIONS, Client, python_of
from tests.wire.conftest import way_of
from tests.wire.server import LARGE_BYTES, Live
from tests.wire.test_hub_downloads import CUT_AT, DOWNLOAD, TRY, sha256

Headers = list[tuple[str, str]]
OWN = {"server", "date", "connection", "x-request-id", "keep-alive"}
FILE = "/northfield/large-gated/resolve/main/model.safetensors"


@pytest.fixture
def behind_nginx(live_by_mode: Callable[[DeliveryMode], Live]) -> Live:
    """SQLite and a disk, bytes by nginx."""
    return live_by_mode(DeliveryMode.X_ACCEL)


@pytest.fixture
def on_s3(live_by_mode: Callable[[DeliveryMode], Live]) -> Live:
    """Postgres and S3, bytes by the store."""
    return live_by_mode(DeliveryMode.REDIRECT)


def holder(live: Live) -> Member:
    """Return somebody who was just granted the large model."""
    member = live.hire()
    builders.grant(live.house, member, live.large, live.world.cast.approver)
    return member


def revoke(live: Live, member: Member) -> None:
    """Revoke what a person holds."""
    approver = context(live.world.cast.approver.actor)
    for held in grants.mine(live.house, context(member.actor)):
        grants.change(live.house, approver, held.id, GrantCommand.REVOKE, EndReason.LEAK)


def ask(
    live: Live, path: str, member: Member | None = None, method: str = "GET", **headers: str
) -> tuple[int, Headers, bytes]:
    """Send one request, follow nothing; return status, headers in order and body."""
    if member is not None:
        headers["Authorization"] = f"Bearer {member.token}"
    link = http.client.HTTPConnection("127.0.0.1", live.port, timeout=20)
    link.request(method, path, headers=headers)
    answer = link.getresponse()
    found = [(name.lower(), value) for name, value in answer.getheaders()]
    body = answer.read()
    link.close()
    return answer.status, found, body


def kept(headers: Headers) -> Headers:
    """Return the headers that must be the same whoever sends the bytes."""
    return sorted((name, value) for name, value in headers if name not in OWN)


# --- nginx ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"Range": "bytes=5-99"}, {"Range": "bytes=-7"}, {"Range": "bytes=0-"},
        {"Range": "bytes=0-4,9-12"}, {"Range": "bytes=999999999-"}, {"Range": "lines=1-2"},
        {"Range": "bytes=5-99", "If-Range": '"other"'},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-None-Match": '"other"'}, {"If-None-Match": "*"},
        {"If-Match": '"other"'}, {"If-Match": "*"},
        {"Accept-Encoding": "gzip, br"}, {"X-Accel-Redirect": "/-/blobs/"},
    ],
    ids=str,
)  # fmt: skip
def test_nginx_sends_the_same_answer_as_the_server_itself(
    live: Live, behind_nginx: Live, asked: dict[str, str]
) -> None:
    """Status, every header and every byte, of an open file with a token and without."""
    path = "/northfield/many-files/resolve/main/model.safetensors"
    for method in ("GET", "HEAD"):
        direct = ask(live, path, method=method, **asked)
        nginx = ask(behind_nginx, path, method=method, **asked)
        commits = [dict(answer[1]).get("x-repo-commit") for answer in (direct, nginx)]
        same = [(n, v if n != "x-repo-commit" else "") for n, v in kept(direct[1])]
        assert [(n, v if n != "x-repo-commit" else "") for n, v in kept(nginx[1])] == same
        assert (nginx[0], nginx[2]) == (direct[0], direct[2])
        assert (commits[0] is None) == (commits[1] is None)


def blob_of(live: Live) -> str:
    """Return where the large file lies below the folder of blobs."""
    with live.house.db.reading() as read:
        revision = read.catalogue.revision(live.large.id, "main")
        assert revision is not None
        file = read.catalogue.file(revision.id, "model.safetensors")
    assert file is not None
    path = live.house.objects.path(file.sha256)
    assert path is not None
    assert (live.data / "store" / "blobs" / path).stat().st_size == LARGE_BYTES
    return path


def test_nobody_can_ask_nginx_for_a_blob(behind_nginx: Live) -> None:
    """Not by its place, however it is spelled, and not by naming it in a header."""
    live, blob = behind_nginx, blob_of(behind_nginx)
    doors = (
        f"/-/blobs/{blob}", f"//-/blobs/{blob}", f"/%2D/blobs/{blob}", f"/-%2fblobs/{blob}",
        f"/x/../-/blobs/{blob}", f"/-/blobs/../blobs/{blob}", f"/d/../-/blobs/{blob}",
        "/-/blobs/", f"/-/blobs/{blob}?x=/d/",
    )  # fmt: skip
    for door in doors:
        for headers in ({}, {"X-Accel-Redirect": f"/-/blobs/{blob}", "X-Original-URI": FILE}):
            status, _, body = ask(live, door, **headers)
            assert status in {301, 308, 400, 403, 404}, door
            assert live.large_bytes[:64] not in body
    assert ask(live, FILE, **{"X-Accel-Redirect": f"/-/blobs/{blob}"})[0] == 401


def test_the_place_of_a_blob_is_not_told(behind_nginx: Live) -> None:
    """The server's word to nginx goes no further."""
    _, headers, _ = ask(behind_nginx, FILE, holder(behind_nginx), Range="bytes=0-9")
    assert not [name for name, _ in headers if name.startswith("x-accel")]


def logged(live: Live) -> str:
    """Return what nginx has logged; it writes a line once the answer has left."""
    assert ask(live, "/healthz")[0] == 200
    return (live.data.parent / "nginx" / "log").read_text()


def test_a_token_stands_in_no_log_of_nginx(behind_nginx: Live) -> None:
    """Neither of a link nor of a person."""
    live, member = behind_nginx, holder(behind_nginx)
    ref = downloads.FileRef(live.large.namespace, live.large.name, "main", "model.safetensors")
    link = downloads.issue_link(live.house, context(member.actor), ref)
    assert ask(live, link.path, method="HEAD")[0] == 200
    assert ask(live, link.path, Range="bytes=0-9")[0] == 206
    assert ask(live, FILE, member, Range="bytes=0-9")[0] == 206
    log = logged(live)
    assert FILE in log
    assert link.path.split("/")[2] not in log
    assert member.token not in log


SECRET = "zq-secret-" * 5


def with_a_secret(live: Live) -> list[str]:
    """Return an address of each route that has a secret in its path."""
    app = create_app(load(live.settings)[0], live.house, b"a key of this test's own........")
    rules = [r.rule for r in app.url_map.iter_rules() if r.arguments & {"token", "ticket"}]
    found = {re.sub("<[^>]+>", SECRET, rule.replace("<int:number>", "1")) for rule in rules}
    assert {path.split(SECRET)[0] for path in found} == {
        "/d/", "/verify/", "/reset/", "/register/", "/api/lfs/",
    }  # fmt: skip
    return sorted(found)


def test_the_log_of_nginx_has_the_doors_and_no_secret_of_an_address(behind_nginx: Live) -> None:
    """Of no route, and not the ticket of an upload, whole or in parts."""
    live = behind_nginx
    model = live.world.models["T0"]
    (begun,) = blobs.begin(
        live.house,
        context(live.world.cast.owner.bearer),
        (model.namespace, model.name),
        [blobs.Asked("ab" * 32, 5)],
        in_parts=False,
    )
    tickets = [f"/api/lfs/{begun.ticket}", f"/api/lfs/{begun.ticket}/1"]
    for path in (*with_a_secret(live), *tickets, tickets[0].replace("api", "%61pi")):
        assert ask(live, path, method="PUT" if "lfs" in path else "GET")[0] < 500
    log = logged(live)
    for door in ("GET /d", "GET /verify", "GET /reset", "GET /register", "PUT /api/lfs"):
        assert f'"{door}/..."' in log
    assert begun.ticket
    assert not [secret for secret in (SECRET[:20], begun.ticket[:20]) if secret in log]


def test_the_words_of_the_handbook_keep_the_secrets_of_addresses_out_of_a_log(
    live_by_mode: Callable[[DeliveryMode], Live], tmp_path: Path
) -> None:
    """Of a server that logs whole requests, as nginx does of itself."""
    live, port, log = live_by_mode(DeliveryMode.DIRECT), free_port(), tmp_path / "access"
    inside = of_the_handbook().replace("127.0.0.1:8000", f"127.0.0.1:{live.port}")
    server = f"server {{ listen 127.0.0.1:{port}; access_log {log}; {inside} }}"
    with running_site(tmp_path / "nginx", port, server):
        there = replace(live, url=f"http://127.0.0.1:{port}")
        for path in with_a_secret(live):
            assert ask(there, path, method="PUT" if "lfs" in path else "GET")[0] < 500
        assert ask(there, "/api/models")[0] == 200
    assert "/api/models" in log.read_text()
    assert SECRET[:20] not in log.read_text()


def test_a_blob_that_is_missing_is_our_error_and_no_page_of_nginx(behind_nginx: Live) -> None:
    """A file that was altered in length is no file that is served either."""
    live, member = behind_nginx, holder(behind_nginx)
    blob = live.data / "store" / "blobs" / blob_of(live)
    aside = blob.with_suffix(".aside")
    blob.rename(aside)
    try:
        for content in (None, b"shorter"):
            if content is not None:
                blob.write_bytes(content)
            status, headers, body = ask(live, FILE, member)
            assert status == 500
            assert b"nginx" not in body
            assert dict(headers).get("x-error-message")
    finally:
        aside.rename(blob)
    assert ask(live, FILE, member, Range="bytes=0-9")[2] == live.large_bytes[:10]


# --- redirect -------------------------------------------------------------------------------------


def test_a_get_is_sent_to_the_store_and_a_head_is_answered_here(on_s3: Live) -> None:
    """302 with what the Hub's clients read; not kept by any cache."""
    member = holder(on_s3)
    status, found, body = ask(on_s3, FILE, member)
    headers = dict(found)
    assert (status, body) == (302, b"")
    place, query = urlsplit(headers["location"]), parse_qs(urlsplit(headers["location"]).query)
    assert place.hostname == "localhost"
    assert query["X-Amz-Expires"] == ["300"]
    assert headers["cache-control"] == "private, no-store"
    assert headers["x-linked-size"] == str(LARGE_BYTES)
    assert len(headers["x-repo-commit"]) == 40
    status, found, _ = ask(on_s3, FILE, member, "HEAD")
    assert status == 200
    assert dict(found)["etag"] == headers["x-linked-etag"]
    assert dict(found)["content-length"] == str(LARGE_BYTES)
    assert "location" not in dict(found)


def test_a_refusal_names_no_address_of_the_store(on_s3: Live) -> None:
    """Nobody who may not fetch learns where the bytes lie."""
    for member in (None, on_s3.hire()):
        for method in ("GET", "HEAD"):
            _, headers, body = ask(on_s3, FILE, member, method)
            assert "location" not in dict(headers)
            assert b"localhost" not in body


def test_an_address_that_was_given_out_stays_open_and_no_new_one_is_given(on_s3: Live) -> None:
    """The window that the page and the documents tell of."""
    member = holder(on_s3)
    address = dict(ask(on_s3, FILE, member)[1])["location"]
    revoke(on_s3, member)
    assert ask(on_s3, FILE, member)[0] == 403
    place = urlsplit(address)
    link = http.client.HTTPConnection("127.0.0.1", place.port or 80, timeout=20)
    link.request("GET", f"{place.path}?{place.query}", headers={"Host": place.netloc})
    assert link.getresponse().status == 200
    link.close()


def test_a_tier_that_is_served_here_is_never_sent_to_the_store(on_s3: Live) -> None:
    """T4: every request for its bytes is judged."""
    model, member = on_s3.world.models["T4"], on_s3.hire()
    approvers = (on_s3.world.cast.approver, on_s3.world.cast.approver2)
    builders.grant(on_s3.house, member, model, *approvers)
    path = f"/{model.full_name}/resolve/main/{builders.WEIGHTS}"
    for asked in ({}, {"Range": "bytes=1-4"}):
        status, headers, body = ask(on_s3, path, member, **asked)
        assert status in {200, 206}
        assert "location" not in dict(headers)
        assert body
    revoke(on_s3, member)
    assert ask(on_s3, path, member, Range="bytes=1-4")[0] == 403


def test_a_condition_on_a_range_is_judged_here(on_s3: Live) -> None:
    """The store has another tag, and some stores pass over If-Range: nothing is spliced."""
    member = holder(on_s3)
    etag = dict(ask(on_s3, FILE, member, "HEAD")[1])["etag"]
    part = ask(on_s3, FILE, member, **{"Range": "bytes=10-19", "If-Range": etag})
    assert (part[0], part[2]) == (206, on_s3.large_bytes[10:20])
    whole = ask(on_s3, FILE, member, **{"Range": "bytes=10-19", "If-Range": '"other"'})
    assert (whole[0], whole[2]) == (200, on_s3.large_bytes)


@pytest.mark.parametrize("tool", ["curl", "wget", "aria2"])
def test_a_command_of_the_page_fetches_the_file_and_takes_no_token_to_the_store(
    on_s3: Live, tmp_path: Path, tool: str
) -> None:
    """As it is printed, in a shell; wget and aria2 would carry a header to where they are sent."""
    member = holder(on_s3)
    with on_s3.house.db.reading() as read:
        revision = read.catalogue.revision(on_s3.large.id, "main")
        assert revision is not None
        file = read.catalogue.file(revision.id, "model.safetensors")
    source = Source(on_s3.url, on_s3.large, "main", file, member.token, from_store=True)
    command = next(found.command for found in tools(source) if found.key == tool)
    assert command is not None
    assert on_s3.bytes_proxy is not None
    on_s3.bytes_proxy.take()
    done = subprocess.run(
        ["sh", "-euc", command], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.safetensors").read_bytes() == on_s3.large_bytes
    seen = on_s3.bytes_proxy.take()
    assert seen
    assert not [request for request in seen if request.has_credentials]


def test_the_access_page_tells_of_the_window(on_s3: Live) -> None:
    """And not where this server sends the bytes."""
    app = create_app(load(on_s3.settings)[0], on_s3.house, b"a key of this test's own........")
    owner = Browser(app.test_client()).sign_in(on_s3.world.cast.owner)
    for model, tells in ((on_s3.large, True), (on_s3.world.models["T4"], False)):
        page = owner.text(f"/access/{model.full_name}")
        assert ("was given out opens its file for 5 min" in page) is tells


# --- the Hub's clients ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", [DeliveryMode.X_ACCEL, DeliveryMode.REDIRECT])
def test_the_hubs_client_is_refused_downloads_is_cut_goes_on_and_is_refused_again(
    live_by_mode: Callable[[DeliveryMode], Live], mode: DeliveryMode, version: str, tmp_path: Path
) -> None:
    """Every byte, in each generation; no secret of ours reaches the store."""
    live = live_by_mode(mode)
    member = live.hire()
    machine = Client(version, python_of(version), tmp_path / "machine")
    wanted = {"repo": "northfield/large-gated", "path": "model.safetensors"}
    with way_of(live) as way:
        there = machine.at(way.url, member.token)
        assert "GatedRepoError" in there.run(TRY, **wanted)["kinds"]
        builders.grant(live.house, member, live.large, live.world.cast.approver)
        way.proxy.cut_after(CUT_AT)
        if machine.is_old:
            assert there.run(TRY, **wanted) is not None
        assert there.run(DOWNLOAD, revision="main", **wanted) == sha256(live.large_bytes)
        gets = [
            seen
            for seen in way.proxy.take()
            if (seen.method == "GET" and "large" in seen.path) or "sha256/" in seen.path
        ]
        assert any(seen.range.startswith("bytes=") for seen in gets)
        if mode is DeliveryMode.REDIRECT:
            assert not [seen for seen in gets if seen.has_credentials]
        revoke(live, member)
        fresh = there.elsewhere("another").run(TRY, **wanted)
        assert "GatedRepoError" in fresh["kinds"]
        assert "was revoked" in fresh["text"]


def test_without_any_server_nginx_says_503_and_when_to_come_again(tmp_path: Path) -> None:
    """Not its own page of 502, which tells nobody what to do."""
    port = free_port()
    with running_nginx(tmp_path / "nginx", port, free_port(), tmp_path):
        for method in ("GET", "HEAD", "POST"):
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            link.request(method, FILE)
            answer = link.getresponse()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
            assert answer.headers["Cache-Control"] == "no-store"
            body = answer.read()
            assert method == "HEAD" or body.startswith(b"The archive does not answer.")
            link.close()
