"""Commits that repeat, delete and name: what stays, what goes, what is told of others' bytes."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from gatekeeper.domain.catalogue import RevisionId
from gatekeeper.domain.people import SYSTEM
from gatekeeper.services import contents
from gatekeeper.services.publishing.files import MAX_FILES
from gatekeeper.services.uploads import verifying
from tests.builders import World
from tests.cast import context
from tests.http.hub.conftest import Hub, elsewhere, file
from tests.http.hub.test_lfs import BLOB, MODEL, OID, address, named
from tests.statements import counted

NAME = "northfield/fresh"


@pytest.fixture
def fresh(owner: Hub) -> Hub:
    """The owner, with a model of a few files."""
    owner.post("/api/repos/create", {"name": NAME})
    paths = ("a", "b", "f/x", "f/g/y", "fx")
    assert owner.commit(NAME, *(file(path, path.encode()) for path in paths)).status_code == 200
    return owner


def gone(*paths: str) -> list[tuple[str, Any]]:
    """Write lines that delete: a folder ends in a slash."""
    return [("deletedFolder" if p.endswith("/") else "deletedFile", {"path": p}) for p in paths]


def test_a_commit_that_deletes_is_the_same_when_it_is_sent_again(fresh: Hub) -> None:
    """Whose answer was lost sends it again, and most clients name no parent."""
    lines = *gone("f/", "b"), file("a", b"new")
    first, again = fresh.commit(NAME, *lines), fresh.commit(NAME, *lines)
    assert (first.status_code, again.status_code) == (200, 200), again.data
    assert first.get_json()["commitOid"] == again.get_json()["commitOid"]
    other = fresh.commit(NAME, *gone("b"), file("a", b"newer"))
    assert other.status_code == 400
    assert "no 'b' to delete" in other.get_json()["error"]


def test_what_is_missing_is_named_and_not_what_is_there(fresh: Hub) -> None:
    fresh.commit(NAME, *gone("a"))
    fresh.commit(NAME, *gone("b"), file("a", b"anew"))
    answer = fresh.commit(NAME, *gone("a", "b"))
    assert answer.status_code == 400
    assert "no 'b' to delete" in answer.get_json()["error"]


def test_what_is_deleted_goes_first_wherever_it_stands(fresh: Hub) -> None:
    lines = file("f/new", b"new"), *gone("f/", "fx"), file("fx", b"other")
    assert fresh.commit(NAME, *lines).status_code == 200
    assert set(fresh.files(NAME)) == {"a", "b", "f/new", "fx"}


@pytest.mark.parametrize("path", ["f", "f/g", "a/", "f/x/", "none/"])
def test_a_file_is_no_folder_and_a_folder_no_file(fresh: Hub, path: str) -> None:
    before = fresh.files(NAME)
    assert fresh.commit(NAME, *gone(path)).status_code == 400
    assert fresh.files(NAME) == before


def test_a_revision_has_no_more_folders_than_files(fresh: Hub) -> None:
    """Each costs every reader of the tree something, and blobs that are named cost nothing."""
    sent = address(fresh, model=NAME)
    assert fresh.client.put(sent, data=BLOB, headers=fresh.headers).status_code == 200
    few, many = 10, MAX_FILES // 30 + 1
    for count, status in ((many, 400), (few, 200)):
        deep = [named(f"{n}/" + "d/" * 29 + f"{n}/w") for n in range(count)]
        answer = fresh.commit(NAME, *deep)
        assert answer.status_code == status, answer.data


def test_what_was_sent_for_another_model_waits_for_it(
    fresh: Hub, world: World, client: FlaskClient
) -> None:
    wanted = {"model": MODEL, "path": "w.bin", "size_bytes": len(BLOB), "sha256": OID}
    begun = fresh.post("/api/v1/uploads", wanted)
    assert begun.status_code == 201, begun.data
    mine = f"/api/v1/uploads/{begun.get_json()['id']}"
    assert client.put(f"{mine}/parts/1", data=BLOB, headers=fresh.headers).status_code == 200
    assert client.post(f"{mine}/complete", headers=fresh.headers).status_code == 202
    assert verifying.verify_next(world.house, lambda: context(SYSTEM))
    assert fresh.commit(NAME, named()).status_code == 200
    assert client.get(mine, headers=fresh.headers).get_json()["state"] == "ready"


def test_a_digest_of_a_hidden_model_costs_what_an_unknown_one_does(
    world: World, client: FlaskClient
) -> None:
    """Neither words nor the time taken tell that there is such a file."""
    of = world.models["hidden"]
    held = contents.show(
        world.house, context(world.cast["owner"].actor), of.namespace, of.name
    ).files
    known = next(f.sha256 for f in held if f.path == "model.safetensors")
    stranger = elsewhere(world, client)
    stranger.post("/api/repos/create", {"name": "elsewhere/theirs"})
    stranger.commit("elsewhere/theirs", named())  # what is written once an hour is there
    asked = []
    for oid in (known, "0" * 64):
        with counted(world.house) as seen:
            answer = stranger.commit("elsewhere/theirs", named(oid=oid))
        said = answer.get_json()["error"].replace(oid, "")
        asked.append((answer.status_code, said, len(seen)))
    assert asked[0] == asked[1]


def test_odd_paths_are_asked_for_like_others(fresh: Hub) -> None:
    """What may be published may be asked for; what could not be is left out, not an error."""
    odd = "sub/a\u3000b\ue000.txt"
    assert fresh.commit(NAME, file(odd, b"odd")).status_code == 200
    body = {"paths": [odd, "../x", "a\0b", "x" * 600, "a"], "expand": False}
    answer = fresh.client.post(f"/api/models/{NAME}/paths-info/main", data=body,
                               headers=fresh.headers)  # fmt: skip
    assert answer.status_code == 200, answer.data
    assert [entry["path"] for entry in answer.get_json()] == [odd, "a"]
    cursor = base64.urlsafe_b64encode(json.dumps([odd]).encode()).decode()
    page = fresh.client.get(
        f"/api/models/{NAME}/tree/main?recursive=true&cursor={cursor}", headers=fresh.headers
    )
    assert page.status_code == 200


def test_a_history_goes_on_to_its_beginning(fresh: Hub, world: World) -> None:
    """However many revisions came after: no page ends it in silence."""
    first = fresh.client.get(f"/api/models/{NAME}", headers=fresh.headers).get_json()["sha"]
    for n in range(4):
        assert fresh.commit(NAME, file("a", b"%d" % n)).status_code == 200
    found, address = [], f"/api/models/{NAME}/commits/main?limit=2"
    while address:
        answer = fresh.client.get(address, headers=fresh.headers)
        found += [commit["id"] for commit in answer.get_json()]
        link = urlsplit(answer.headers.get("Link", "").partition(">")[0].removeprefix("<"))
        address = f"{link.path}?{link.query}" if link.path else ""
    assert len(found) == len(set(found)) == 5
    assert found[-1] == first
    with world.house.db.reading() as read:
        model = read.catalogue.model(*NAME.split("/"))
        assert model is not None
        line = read.catalogue.history(model.id, RevisionId(found[2]), 2)
    assert [revision.id for revision in line] == found[2:4]


def test_two_texts_that_are_searched_for_are_both_there(fresh: Hub) -> None:
    def names(query: str) -> set[str]:
        found = fresh.client.get(f"/api/models?{query}", headers=fresh.headers).get_json()
        return {model["id"] for model in found}

    assert {NAME} == names("search=fre&search=field/f")
    assert names("search=fre&search=none") == set()
    assert fresh.client.get("/api/models?" + "search=a&" * 9).status_code == 400
