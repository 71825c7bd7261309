"""Uploads through the API: begin, send, go on, complete, publish; and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import urllib.request
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from gatekeeper.domain.people import SYSTEM, Role, Scope
from gatekeeper.services import members, storage, tokens
from gatekeeper.services.uploads import verifying
from tests.builders import World
from tests.cast import context
from tests.http.api.conftest import Api, As, through

PART = 16 << 20  # as the settings say
BODY = b"weights of a model"
DIGEST = hashlib.sha256(BODY).hexdigest()
ENDED = {"wsgi.input_terminated": True}


@pytest.fixture
def owner(as_: As, world: World) -> Api:
    """The owner with their token."""
    return as_(world.cast.owner)


def wanted(world: World, **more: Any) -> dict[str, Any]:
    """Return the body that begins an upload."""
    return {
        "model": world.models["T3"].full_name, "path": "new.bin", "size_bytes": len(BODY), **more
    }  # fmt: skip


def begun(owner: Api, world: World, **more: Any) -> dict[str, Any]:
    """Begin an upload."""
    answer = owner.post("uploads", wanted(world, **more))
    assert answer.status_code == 201, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def put(api: Api, path: str, body: bytes, **headers: str) -> TestResponse:
    """Send raw bytes."""
    return api.client.put(f"/api/v1/{path}", data=body, headers={**api.headers, **headers})


def code(answer: TestResponse) -> tuple[int, str]:
    """Return the status and code of a problem."""
    return answer.status_code, answer.get_json()["code"]


def ready(owner: Api, world: World, body: bytes = BODY, path: str = "new.bin") -> str:
    """Upload a file whole; return the upload's id."""
    upload_id: str = begun(owner, world, path=path, size_bytes=len(body))["id"]
    assert put(owner, f"uploads/{upload_id}/parts/1", body).status_code == 200
    assert owner.post(f"uploads/{upload_id}/complete").status_code == 202
    assert verifying.verify_next(world.house, lambda: context(SYSTEM))
    return upload_id


def test_a_file_is_uploaded_verified_and_published(owner: Api, world: World) -> None:
    begun_ = begun(owner, world, sha256=DIGEST)
    upload_id = begun_["id"]
    assert (begun_["state"], begun_["part_bytes"], begun_["missing"]) == ("open", PART, 1)
    (part,) = begun_["parts"]
    assert (part["number"], part["size_bytes"]) == (1, len(BODY))
    assert code(owner.post(f"uploads/{upload_id}/complete")) == (409, "conflict")
    if "/staging/" in part["url"]:  # the store's own, where it is S3: no token goes there
        request = urllib.request.Request(part["url"], BODY, method="PUT")
        urllib.request.urlopen(request, timeout=20).close()
    else:
        assert part["url"].endswith(f"/api/v1/uploads/{upload_id}/parts/1")
        received = put(owner, f"uploads/{upload_id}/parts/1", BODY)
        assert received.get_json() == {"number": 1, "size_bytes": len(BODY)}
    for _ in range(2):
        done = owner.post(f"uploads/{upload_id}/complete")
        assert (done.status_code, done.get_json()["state"]) == (202, "verifying")
    assert code(put(owner, f"uploads/{upload_id}/parts/1", BODY)) == (409, "conflict")
    assert verifying.verify_next(world.house, lambda: context(SYSTEM))
    shown = owner.get(f"uploads/{upload_id}").get_json()
    assert (shown["state"], shown["sha256"], shown["parts"]) == ("ready", DIGEST, [])
    model = world.models["T3"].full_name
    before = owner.get(f"models/{model}").get_json()
    body = {"base": before["revision"], "uploads": [upload_id], "message": "More"}
    published = owner.post(f"models/{model}/revisions", body)
    assert published.status_code == 201
    after = owner.get(f"models/{model}").get_json()
    assert after["revision"] == published.get_json()["id"]
    assert {f["path"]: f["sha256"] for f in after["files"]}["new.bin"] == DIGEST
    assert after["tier"] == before["tier"]
    assert code(owner.get(f"uploads/{upload_id}")) == (404, "not_found")
    stale = owner.post(f"models/{model}/revisions", {"base": before["revision"]})
    assert code(stale) == (409, "conflict")
    assert stale.get_json()["state"] == after["revision"]


def test_bytes_that_are_not_what_was_announced_fail_in_words(owner: Api, world: World) -> None:
    upload_id = begun(owner, world, sha256="0" * 64)["id"]
    put(owner, f"uploads/{upload_id}/parts/1", BODY)
    owner.post(f"uploads/{upload_id}/complete")
    verifying.verify_next(world.house, lambda: context(SYSTEM))
    shown = owner.get(f"uploads/{upload_id}").get_json()
    assert (shown["state"], shown["sha256"]) == ("failed", None)
    assert DIGEST in shown["detail"]
    model = world.models["T3"].full_name
    base = owner.get(f"models/{model}").get_json()["revision"]
    answer = owner.post(f"models/{model}/revisions", {"base": base, "uploads": [upload_id]})
    assert code(answer) == (409, "conflict")


def test_the_same_file_by_its_mark_goes_on(owner: Api, world: World) -> None:
    size = PART + 5
    first = begun(owner, world, size_bytes=size, mark="m")
    assert put(owner, f"uploads/{first['id']}/parts/2", b"tails").status_code == 200
    again = owner.post("uploads", wanted(world, size_bytes=size, mark="m"))
    assert again.status_code == 200
    assert (again.get_json()["id"], again.get_json()["missing"]) == (first["id"], 1)
    assert [part["number"] for part in again.get_json()["parts"]] == [1]


def test_addresses_are_never_stored_for_a_repeated_call(owner: Api, world: World) -> None:
    answers = [owner.post("uploads", wanted(world), key="once") for _ in range(2)]
    assert [a.status_code for a in answers] == [201, 201]
    assert answers[0].get_json()["id"] == answers[1].get_json()["id"]
    with world.house.db.reading() as read:
        rows = read.connection.exec_driver_sql("SELECT answer FROM idempotency_keys").all()
    assert [row[0] for row in rows] == [answers[0].get_json()["id"]]


def test_only_a_part_of_the_upload_in_its_very_length_is_taken(owner: Api, world: World) -> None:
    """The longest is more than any other request may have, and is refused unread all the same."""
    path = f"uploads/{begun(owner, world)['id']}"
    for number in ("0", "2", "10001", "-1", "x", "1.5", "1/../2"):
        assert code(put(owner, f"{path}/parts/{number}", BODY)) == (404, "not_found")
    for body in (BODY[:-1], BODY + b"x", bytes(3 << 20)):
        assert code(put(owner, f"{path}/parts/1", body)) == (422, "invalid")
    for kind in ("multipart/form-data; boundary=x", "application/json"):
        answer = put(owner, f"{path}/parts/1", BODY, **{"Content-Type": kind})
        assert code(answer) == (415, "bad_request")
    assert owner.get(path).get_json()["missing"] == 1


def put_raw(app: Flask, path: str, authorization: str, **environ: Any) -> tuple[int, str]:
    """Send a PUT whose WSGI environment is made by hand, as a server makes it; return a problem."""
    builder = EnvironBuilder(path=f"/api/v1/{path}", method="PUT")
    found = {**builder.get_environ(), "HTTP_AUTHORIZATION": authorization, **environ}
    told, status, _ = run_wsgi_app(app.wsgi_app, found, buffered=True)
    return int(status[:3]), json.loads(b"".join(told)).get("code", "")


def test_a_body_that_breaks_off_or_says_no_length_is_not_kept(
    app: Flask, owner: Api, world: World
) -> None:
    """Also where the server says, as gunicorn does, that it ends the body itself."""
    path = f"uploads/{begun(owner, world)['id']}"
    part, token = f"{path}/parts/1", owner.headers["Authorization"]
    for ends, told in (({}, (400, "bad_request")), (ENDED, (422, "invalid"))):
        short = {"wsgi.input": io.BytesIO(BODY[:5]), "CONTENT_LENGTH": str(len(BODY)), **ends}
        assert put_raw(app, part, token, **short) == told
    unsaid = {"wsgi.input": io.BytesIO(BODY), **ENDED}
    assert put_raw(app, part, token, **unsaid) == (411, "bad_request")
    assert owner.get(path).get_json()["missing"] == 1
    empty = {"wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0", **ENDED}
    assert put_raw(app, part, token, **empty) == (422, "invalid")
    whole = {"wsgi.input": io.BytesIO(BODY), "CONTENT_LENGTH": str(len(BODY)), **ENDED}
    assert put_raw(app, part, token, **whole) == (200, "")


def test_a_token_that_is_revoked_while_a_part_comes_in_keeps_nothing(
    app: Flask, owner: Api, world: World
) -> None:
    path = f"uploads/{begun(owner, world)['id']}"
    token, text = tokens.create(
        world.house, context(), world.cast.owner.id, "other", Scope.WRITE, 1
    )

    class Slow(io.BytesIO):
        def readinto(self, into: Any, /) -> int:
            tokens.revoke(world.house, context(world.cast.owner.actor), token.id)
            return super().readinto(into)

    slow = {"wsgi.input": Slow(BODY), "CONTENT_LENGTH": str(len(BODY)), **ENDED}
    told = put_raw(app, f"{path}/parts/1", f"Bearer {text}", **slow)
    assert told == (401, "token_invalid")
    assert owner.get(path).get_json()["missing"] == 1


def test_another_publisher_finds_nothing(owner: Api, as_: As, world: World) -> None:
    upload_id = ready(owner, world)
    handler = world.cast.handler
    members.set_role(
        world.house, context(), "northfield", handler.email, Role.PUBLISHER, remove=False
    )
    other = through(world, as_, handler, Scope.WRITE)
    model = world.models["T3"].full_name
    base = owner.get(f"models/{model}").get_json()["revision"]
    answers = [
        other.get(f"uploads/{upload_id}"),
        put(other, f"uploads/{upload_id}/parts/1", BODY),
        other.post(f"uploads/{upload_id}/complete"),
        other.client.delete(f"/api/v1/uploads/{upload_id}", headers=dict(other.headers)),
        other.post(f"models/{model}/revisions", {"base": base, "uploads": [upload_id]}),
    ]
    assert {code(answer) for answer in answers} == {(404, "not_found")}
    assert other.get("uploads").get_json() == {"items": [], "next": None}
    assert owner.get(f"uploads/{upload_id}").status_code == 200


def test_a_former_publisher_gives_up_what_their_list_still_shows(owner: Api, world: World) -> None:
    upload_id, email = begun(owner, world)["id"], world.cast.owner.email
    members.set_role(world.house, context(), "northfield", email, Role.OWNER, remove=True)
    assert [item["id"] for item in owner.get("uploads").get_json()["items"]] == [upload_id]
    assert owner.get(f"uploads/{upload_id}").status_code == 403
    path, headers = f"/api/v1/uploads/{upload_id}", dict(owner.headers)
    assert owner.client.delete(path, headers=headers).get_json()["id"] == upload_id
    assert code(owner.client.delete(path, headers=headers)) == (404, "not_found")
    assert owner.get("uploads").get_json()["items"] == []


def test_the_description_of_giving_up_does_not_promise_that_all_is_deleted(
    owner: Api, world: World
) -> None:
    """For it is not: the verified bytes stay, and `fsck` counts them."""
    upload_id = ready(owner, world)
    before = list(storage.unnamed(world.house))
    headers = dict(owner.headers)
    owner.client.delete(f"/api/v1/uploads/{upload_id}", headers=headers)
    assert list(storage.unnamed(world.house)) == before
    assert DIGEST in str(before)
    document = owner.get("openapi.json").get_json()
    (told,) = (item["delete"]["description"] for path, item in document["paths"].items()
               if path.endswith("/uploads/{upload_id}"))  # fmt: skip
    assert "stays in the store" in told


WRONG: list[dict[str, Any]] = [
    {"path": "../x"}, {"path": "a//b"}, {"path": "/x"}, {"path": ".git/x"}, {"path": ""},
    {"size_bytes": -1}, {"size_bytes": 1.5}, {"sha256": "x"}, {"sha256": "A" * 64},
    {"mark": "m" * 101}, {"mark": "a\nb"}, {"unknown": 1},
]  # fmt: skip


def test_what_cannot_be_a_file_is_refused(owner: Api, world: World) -> None:
    for more in WRONG:
        assert code(owner.post("uploads", wanted(world, **more))) == (422, "invalid"), more
    assert owner.get("uploads").get_json()["items"] == []


def test_too_large_a_file_is_refused_before_it_is_sent(owner: Api, world: World) -> None:
    answer = owner.post("uploads", wanted(world, size_bytes=50_000_000_001))
    assert code(answer) == (413, "too_large")
    assert owner.get("uploads").get_json()["items"] == []


def test_a_path_may_have_512_characters_and_no_more(world: World, as_: As) -> None:
    api, model = as_(world.cast.owner), "/".join(world.name("T3"))
    for length, status in ((400, 404), (512, 404), (513, 422)):
        path = "deep/" + "x" * 250 + "/" + "y" * (length - 256)
        assert api.post("links", {"model": model, "path": path}).status_code == status, length
    long = {"model": model, "path": "d/" + "x" * 200 + "/" + "y" * 200, "size_bytes": 5}
    assert api.post("uploads", long).status_code == 201


def test_whether_a_namespace_exists_is_told_to_nobody_outside_of_it(world: World, as_: As) -> None:
    answers = []
    for namespace in (world.name("T3")[0], "nobodys"):
        body = {"model": f"{namespace}/none", "path": "a", "size_bytes": 5}
        told = as_(world.cast.applicant).post("uploads", body)
        answers.append((told.status_code, told.text.replace(namespace, "")))
    assert answers[0] == answers[1]
