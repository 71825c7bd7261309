"""Files, trees, histories and lists on the Hub wire: headers, pages, places, and what is recorded.

In process, against a house of each test's own; the real clients are in the modules beside this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gatekeeper.app import create_app
from gatekeeper.domain.errors import Busy
from gatekeeper.settings import Settings
from gatekeeper.web.wiring import DownloadSlots, wiring
from tests import builders
from tests.builders import WEIGHTS, World
from tests.conftest import make_settings

T0, T3 = "northfield/lyra-t0", "northfield/lyra-t3"


def walk(client: FlaskClient, address: str) -> Iterator[list[dict[str, str]]]:
    """Follow a list's pages as a client does."""
    here = "<http://localhost"
    while address:
        answer = client.get(address)
        yield answer.get_json()
        address = answer.headers.get("Link", "").partition(here)[2].partition(">")[0]


def test_a_file_carries_what_clients_read_of_it(client: FlaskClient, world: World) -> None:
    """Commit, ETag and length on HEAD and GET; no redirect, no Xet hash, no compression."""
    with world.house.db.reading() as read:
        revision = read.catalogue.revision(world.models["T0"].id, "main")
        assert revision is not None
        files = {file.path: file for file in read.catalogue.files(revision.id)}
    for path, etag in (
        ("config.json", files["config.json"].git_oid),
        (WEIGHTS, files[WEIGHTS].sha256),
    ):
        for method in ("HEAD", "GET"):
            answer = client.open(
                f"/{T0}/resolve/main/{path}", method=method, headers={"Accept-Encoding": "gzip"}
            )
            assert answer.status_code == 200
            assert answer.headers["ETag"] == f'"{etag}"'
            assert answer.headers["X-Repo-Commit"] == revision.id
            assert answer.headers["Content-Length"] == str(files[path].size_bytes)
            assert not {"X-Xet-Hash", "Location", "Content-Encoding", "Link"} & set(
                answer.headers.keys()
            )


def test_a_partial_answer_names_its_commit_too(client: FlaskClient) -> None:
    address = f"/{T0}/resolve/main/{WEIGHTS}"
    part = client.get(address, headers={"Range": "bytes=5-9"})
    beyond = client.get(address, headers={"Range": "bytes=999999-"})
    known = client.get(address, headers={"If-None-Match": part.headers["ETag"]})
    assert (part.status_code, len(part.data)) == (206, 5)
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"].startswith("bytes */")
    assert (known.status_code, known.data) == (304, b"")
    assert all(len(a.headers["X-Repo-Commit"]) == 40 for a in (part, beyond, known))


def test_a_tree_comes_in_pages(client: FlaskClient) -> None:
    pages = list(walk(client, f"/api/models/{T0}/tree/main?recursive=true&limit=2"))
    paths = [entry["path"] for page in pages for entry in page]
    assert paths == ["LICENSE", "README.md", "config.json", "deep", "deep/vocab.txt", WEIGHTS]
    assert [len(page) for page in pages] == [2, 2, 2]


def test_a_history_comes_in_pages(client: FlaskClient, world: World, tmp_path: Path) -> None:
    for edition in ("second", "third"):
        builders.publish_model(world.house, tmp_path / edition, "lyra-t0", "T0", edition=edition)
    pages = walk(client, f"/api/models/{T0}/commits/main?limit=1")
    titles = [commit["title"] for page in pages for commit in page]
    assert titles == [f"Publish the {e} edition" for e in ("third", "second", "first")]


@pytest.mark.parametrize("order", ["", "&sort=lastModified", "&sort=createdAt", "&sort=likes"])
def test_a_list_of_models_in_pages_is_the_list(
    any_world: World, settings: Settings, order: str
) -> None:
    """On each database, whose comparisons of rows and times decide where a page begins."""
    client = create_app(settings, any_world.house, b"k" * 32).test_client()
    whole = [model["id"] for page in walk(client, f"/api/models?x{order}") for model in page]
    paged = [model["id"] for page in walk(client, f"/api/models?limit=1{order}") for model in page]
    assert paged == whole
    assert sorted(whole) == [f"northfield/lyra-t{n}" for n in range(6)]
    if "Modified" in order or "created" in order:
        assert whole != sorted(whole)


@pytest.fixture
def proxied(world: World) -> FlaskClient:
    """A client that came over https to a proxy which speaks http to us."""
    settings = make_settings(GATEKEEPER_SITE__PUBLIC_URL="https://models.example.org")
    policy = replace(world.house.policy, public_url="https://models.example.org")
    app = create_app(settings, replace(world.house, policy=policy), b"k" * 32)
    return app.test_client()


def test_pages_stay_on_the_host_and_never_fall_back_to_http(proxied: FlaskClient) -> None:
    """The client sends its token to the next page: it must be the host it chose, under https."""
    same = proxied.get("/api/models?limit=1", base_url="http://models.example.org")
    other = proxied.get("/api/models?limit=1", base_url="http://10.0.0.1:8000")
    assert same.headers["Link"].startswith("<https://models.example.org/api/models?")
    assert other.headers["Link"].startswith("<http://10.0.0.1:8000/api/models?")


def test_a_full_house_is_503_with_when_to_come_back(app: Flask, client: FlaskClient) -> None:
    """Bytes wait; what needs no place is answered."""
    with app.app_context():
        slots = wiring().downloads
    places = _fill(slots)
    try:
        answer = client.get(f"/{T0}/resolve/main/config.json")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.headers["X-Error-Message"]
        assert client.head(f"/{T0}/resolve/main/config.json").status_code == 200
        assert client.get(f"/api/models/{T0}").status_code == 200
    finally:
        for give_back in places:
            give_back()
    assert client.get(f"/{T0}/resolve/main/config.json").status_code == 200


def _fill(slots: DownloadSlots) -> list[Callable[[], None]]:
    places: list[Callable[[], None]] = []
    while True:
        try:
            places.append(slots.take())
        except Busy:
            return places


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_telemetry_is_taken_and_not_kept(client: FlaskClient, method: str) -> None:
    answer = client.open("/api/telemetry/hf_hub/download", method=method)
    assert answer.status_code == 200


def test_harnesses_are_answered_so_that_clients_do_not_ask_again(client: FlaskClient) -> None:
    assert client.get("/api/agent-harnesses").json == {"standardEnvVars": [], "harnesses": {}}


def test_bytes_of_an_open_model_leave_no_trail_and_gated_ones_one_entry_an_hour(
    client: FlaskClient, world: World
) -> None:
    def served() -> int:
        with world.house.db.reading() as read:
            query = "SELECT count(*) FROM entries WHERE kind = 'FileServed'"
            return int(read.connection.exec_driver_sql(query).scalar_one())

    researcher = world.cast.researcher.headers
    client.get(f"/{T0}/resolve/main/{WEIGHTS}", headers=researcher)
    client.head(f"/{T3}/resolve/main/{WEIGHTS}", headers=researcher)
    assert served() == 0
    for _ in range(3):
        assert client.get(f"/{T3}/resolve/main/{WEIGHTS}", headers=researcher).status_code == 200
    assert served() == 1
