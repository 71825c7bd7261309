"""Blobs that come before their commit, by git-LFS: what a ticket takes, and from whom."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gatekeeper.domain.people import Role
from gatekeeper.services import members, tokens
from tests.builders import World
from tests.cast import context
from tests.conftest import Site
from tests.http.hub.conftest import Hub, elsewhere

MODEL = "northfield/lyra-t3"
BLOB = b"weights " * (1 << 18)
OID = hashlib.sha256(BLOB).hexdigest()


def batch(hub: Hub, oid: str = OID, size: int = len(BLOB), model: str = MODEL) -> Any:
    """Ask where to send one object."""
    body = {"operation": "upload", "transfers": ["basic", "multipart"],
            "objects": [{"oid": oid, "size": size}], "hash_algo": "sha256"}  # fmt: skip
    return hub.post(f"/{model}.git/info/lfs/objects/batch", body)


def address(hub: Hub, **asked: Any) -> str:
    """Return where to send an object."""
    href: str = batch(hub, **asked).get_json()["objects"][0]["actions"]["upload"]["href"]
    return href.removeprefix("http://localhost")


def named(path: str = "new.bin", oid: str = OID, size: int = len(BLOB)) -> tuple[str, Any]:
    """Write the line of a file by its digest."""
    return "lfsFile", {"path": path, "algo": "sha256", "oid": oid, "size": size}


def test_an_object_is_sent_looked_at_and_named(owner: Hub, client: FlaskClient) -> None:
    assert owner.commit(MODEL, named()).status_code == 400
    assert client.put(address(owner), data=BLOB).status_code == 200
    seen = owner.post(f"/{MODEL}.git/info/lfs/verify", {"oid": OID, "size": len(BLOB)})
    assert seen.status_code == 200
    assert "actions" not in batch(owner).get_json()["objects"][0]
    assert owner.commit(MODEL, named()).status_code == 200
    got = client.get(f"/{MODEL}/resolve/main/new.bin", headers=owner.headers)
    assert hashlib.sha256(got.data).hexdigest() == OID
    assert owner.commit(MODEL, named()).status_code == 200  # the same again


def test_the_bytes_of_two_files_are_sent_once(owner: Hub, client: FlaskClient) -> None:
    body = {"operation": "upload", "objects": [{"oid": OID, "size": len(BLOB)}] * 2}
    answer = owner.post(f"/{MODEL}.git/info/lfs/objects/batch", body)
    first, second = answer.get_json()["objects"]
    assert "actions" not in second
    href = first["actions"]["upload"]["href"].removeprefix("http://localhost")
    assert client.put(href, data=BLOB).status_code == 200
    assert owner.commit(MODEL, named("a.bin"), named("b.bin")).status_code == 200
    assert owner.files(MODEL)["a.bin"] == owner.files(MODEL)["b.bin"]


def test_what_was_not_sent_is_not_there(owner: Hub) -> None:
    address(owner)
    seen = owner.post(f"/{MODEL}.git/info/lfs/verify", {"oid": OID, "size": len(BLOB)})
    assert seen.status_code == 404
    assert owner.commit(MODEL, named()).status_code == 400


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(BLOB[:-1] + b"x", id="other bytes"),
        pytest.param(BLOB[:-1], id="too short"),
        pytest.param(BLOB + b"x", id="too long"),
    ],
)
def test_bytes_that_were_not_announced_are_refused_and_never_held(
    owner: Hub, world: World, client: FlaskClient, sent: bytes
) -> None:
    before = sorted(world.house.objects.walk())
    assert client.put(address(owner), data=sent).status_code == 400
    assert sorted(world.house.objects.walk()) == before
    assert owner.commit(MODEL, named()).status_code == 400
    assert client.put(address(owner), data=BLOB).status_code == 200  # one may begin again


def test_what_is_sent_again_is_read_to_its_end_and_not_taken_for_the_object(
    owner: Hub, world: World, client: FlaskClient
) -> None:
    """A client that heard no answer sends again, and hears none before it has sent all."""
    whole = address(owner)
    assert client.put(whole, data=BLOB).status_code == 200
    held = sorted(world.house.objects.walk())
    for again in (BLOB, b"other" * 500_000, b""):
        body = io.BytesIO(again)
        assert client.put(whole, input_stream=body).status_code == 200
        assert body.tell() == len(again)
    assert sorted(world.house.objects.walk()) == held
    assert owner.commit(MODEL, named()).status_code == 200


def test_of_two_who_send_an_object_at_once_both_hear_that_it_is_held(
    owner: Hub, app: Flask, client: FlaskClient
) -> None:
    whole = address(owner)
    heard = []

    class Overtaken(io.BytesIO):
        def readinto(self, into: Any, /) -> int:
            if not heard:
                heard.append(app.test_client().put(whole, data=BLOB).status_code)
            return super().readinto(into)

    assert client.put(whole, input_stream=Overtaken(BLOB)).status_code == 200
    assert heard == [200]
    assert owner.commit(MODEL, named()).status_code == 200


@pytest.mark.parametrize("furnished", ["sqlite"], indirect=True)  # a disk that can be taken away
def test_an_object_that_came_while_the_store_was_down_is_held_when_it_is_sent_again(
    owner: Hub, site: Site, client: FlaskClient
) -> None:
    whole, blobs = address(owner), site.data / "store" / "blobs"
    away = blobs.rename(blobs.with_name("away"))
    blobs.write_bytes(b"no folder")
    for _ in range(2):
        answer = client.put(whole, data=BLOB)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    blobs.unlink()
    away.rename(blobs)
    assert [client.put(whole, data=BLOB).status_code for _ in range(2)] == [200, 200]
    assert owner.commit(MODEL, named()).status_code == 200


def test_another_size_in_the_commit_is_refused(owner: Hub, client: FlaskClient) -> None:
    client.put(address(owner), data=BLOB)
    assert owner.commit(MODEL, named(size=len(BLOB) + 1)).status_code == 400


def test_an_address_that_was_altered_takes_nothing(owner: Hub, client: FlaskClient) -> None:
    whole = address(owner)
    for altered in (whole[:-1], whole + "A", whole[:-4] + "AAAA", "/api/lfs/x"):
        assert client.put(altered, data=BLOB).status_code == 403
    assert owner.commit(MODEL, named()).status_code == 400


def test_a_ticket_ends_with_the_token_that_asked(
    owner: Hub, world: World, client: FlaskClient
) -> None:
    whole = address(owner)
    tokens.revoke(world.house, context(), owner.token_id)
    assert client.put(whole, data=BLOB).status_code == 401


def test_a_ticket_ends_with_the_role(owner: Hub, world: World, client: FlaskClient) -> None:
    whole = address(owner)
    email = world.cast["owner"].email
    for role in (Role.OWNER, Role.PUBLISHER):
        members.set_role(world.house, context(), "northfield", email, role, remove=True)
    assert client.put(whole, data=BLOB).status_code == 403


def test_what_somebody_else_sent_cannot_be_named(
    owner: Hub, world: World, client: FlaskClient
) -> None:
    client.put(address(owner), data=BLOB)
    other = elsewhere(world, client)
    other.post("/api/repos/create", {"name": "elsewhere/theirs"})
    assert other.commit("elsewhere/theirs", named()).status_code == 400
    assert "actions" in batch(other, model="elsewhere/theirs").get_json()["objects"][0]


def test_who_may_not_publish_gets_no_address(world: World, client: FlaskClient) -> None:
    assert batch(Hub(client, None)).status_code == 401
    assert batch(Hub(client, world.cast["researcher"])).status_code == 403
    hidden = "/".join(world.name("hidden"))
    answers = [batch(Hub(client, None), model=m) for m in (hidden, "northfield/none")]
    assert answers[0].data == answers[1].data
    assert {a.status_code for a in answers} == {401}


def test_parts_come_in_any_order_and_again(owner: Hub, world: World, client: FlaskClient) -> None:
    part = world.house.policy.uploads.part_bytes
    large = b"p" * (part + 5)
    oid = hashlib.sha256(large).hexdigest()
    upload = batch(owner, oid, len(large)).get_json()["objects"][0]["actions"]["upload"]
    parts = {n: u.removeprefix("http://localhost") for n, u in upload["header"].items()}
    assert parts.pop("chunk_size") == str(part)
    whole = upload["href"].removeprefix("http://localhost")
    assert client.post(whole, json={"oid": oid, "parts": []}).status_code == 409
    for number in ("00002", "00001", "00002"):
        body = large[:part] if number == "00001" else large[part:]
        answer = client.put(parts[number], data=body)
        assert answer.status_code == 200
        assert answer.headers["ETag"]
    assert client.put(parts["00001"], data=b"short").status_code == 400
    assert client.post(whole, json={"oid": oid, "parts": []}).status_code == 200
    assert client.post(whole, json={"oid": oid, "parts": []}).status_code == 200
    assert owner.commit(MODEL, named(oid=oid, size=len(large))).status_code == 200


def test_more_than_one_may_have_unpublished_is_refused_object_by_object(
    owner: Hub, world: World
) -> None:
    most = world.house.policy.uploads.max_file_bytes
    answer = batch(owner, size=most + 1)
    assert answer.status_code == 200
    assert answer.get_json()["objects"][0]["error"]["code"] == 413


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"operation": "upload", "objects": [{"oid": "x", "size": 1}]},
        {"operation": "upload", "objects": [{"oid": OID, "size": -1}]},
        {"operation": "delete", "objects": []},
        {"operation": "upload", "objects": [], "hash_algo": "md5"},
    ],
)
def test_a_batch_that_is_none_is_refused_in_words(owner: Hub, body: Any) -> None:
    answer = owner.post(f"/{MODEL}.git/info/lfs/objects/batch", body)
    assert answer.status_code == 400
    assert answer.get_json()["error"]


def fetch(hub: Hub, model: str = MODEL, oid: str = OID, **more: Any) -> Any:
    """Ask where one object is fetched."""
    body = {"operation": "download", "objects": [{"oid": oid, "size": len(BLOB)}], **more}
    return hub.post(f"/{model}.git/info/lfs/objects/batch", body)


def test_an_object_is_fetched_at_its_files_own_door(owner: Hub, world: World) -> None:
    owner.client.put(address(owner), data=BLOB)
    assert owner.commit(MODEL, named("sub dir/new.bin")).status_code == 200
    researcher = Hub(owner.client, world.cast["researcher"])
    (found,) = fetch(researcher, ref={"name": "refs/heads/main"}).get_json()["objects"]
    action = found["actions"]["download"]
    path = action["href"].removeprefix("http://localhost")
    got = owner.client.get(path, headers=action["header"])
    assert hashlib.sha256(got.data).hexdigest() == OID
    assert owner.client.get(path).headers["X-Error-Code"] == "GatedRepo"
    (missing,) = fetch(researcher, oid="0" * 64).get_json()["objects"]
    assert (missing["error"]["code"], "actions" in missing) == (404, False)


def test_who_may_not_fetch_is_not_told_where(owner: Hub, world: World) -> None:
    owner.client.put(address(owner), data=BLOB)
    assert owner.commit(MODEL, named()).status_code == 200
    for member, status in ((None, 401), (world.cast["applicant"], 403)):
        answer = fetch(Hub(owner.client, member))
        assert (answer.status_code, answer.headers["X-Error-Code"]) == (status, "GatedRepo")
    hidden = fetch(Hub(owner.client, world.cast["applicant"]), model="northfield/lyra-hidden")
    assert (hidden.status_code, hidden.headers["X-Error-Code"]) == (404, "RepoNotFound")
    lost = fetch(owner, ref={"name": "refs/heads/--upload-pack=x"})
    assert (lost.status_code, lost.headers["X-Error-Code"]) == (404, "RevisionNotFound")
