"""Renaming and deleting repositories over the Hub's wire, and what it refuses."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from gatekeeper.domain.people import Role
from gatekeeper.services import members
from gatekeeper.services.publishing import releases, repositories
from tests.builders import World, apply_for
from tests.cast import context
from tests.http.hub.conftest import Hub, elsewhere, file

FRESH = {"name": "northfield/fresh"}


@pytest.fixture
def fresh(owner: Hub) -> Hub:
    """The owner, who has made and filled a model that nobody else has to do with."""
    assert owner.post("/api/repos/create", FRESH).status_code == 200
    assert owner.commit("northfield/fresh", file("config.json", b"{}")).status_code == 200
    return owner


def _delete(hub: Hub, name: str) -> tuple[int, str]:
    owner, _, bare = name.partition("/")
    body = {"name": bare, "organization": owner}
    answer = hub.client.delete("/api/repos/delete", json=body, headers=hub.headers)
    return answer.status_code, answer.headers.get("X-Error-Code", "")


def _move(hub: Hub, source: str, target: str) -> int:
    body = {"fromRepo": source, "toRepo": target, "type": "model"}
    return hub.post("/api/repos/move", body).status_code


def test_a_deleted_model_is_gone_with_its_revisions_and_its_name_is_free(
    fresh: Hub, world: World
) -> None:
    assert _delete(fresh, "northfield/fresh") == (200, "")
    assert (
        fresh.client.get("/api/models/northfield/fresh", headers=fresh.headers).status_code == 404
    )
    assert _delete(fresh, "northfield/fresh") == (404, "RepoNotFound")
    assert fresh.post("/api/repos/create", FRESH).status_code == 200
    assert fresh.files("northfield/fresh") == {}
    compliance = world.cast["compliance"]
    page = fresh.client.get("/api/v1/audit/entries", headers=compliance.headers)
    assert "ModelDeleted" in {entry["kind"] for entry in page.get_json()["items"]}


def test_a_model_that_somebody_holds_or_applied_for_is_not_deleted(
    owner: Hub, world: World
) -> None:
    apply_for(world.house, world.cast["applicant"], world.models["T4"])
    for key in ("T3", "T4"):
        name = "/".join(world.name(key))
        assert _delete(owner, name) == (409, "")
        assert owner.client.get(f"/api/models/{name}").status_code == 200


def test_only_an_owner_deletes_or_renames(fresh: Hub, client: FlaskClient, world: World) -> None:
    publisher = elsewhere(world, client)
    email = world.cast["applicant"].email
    members.set_role(world.house, context(), "northfield", email, Role.PUBLISHER, remove=False)
    for hub in (publisher, Hub(client, world.cast["handler"]), Hub(client, None)):
        status = 401 if not hub.headers else 403
        assert _delete(hub, "northfield/fresh")[0] == status
        assert _move(hub, "northfield/fresh", "northfield/other") == status
    assert _delete(publisher, "northfield/nothing") == (404, "RepoNotFound")


def test_a_former_name_leads_on_at_every_door(fresh: Hub, client: FlaskClient) -> None:
    assert _move(fresh, "northfield/fresh", "northfield/ripe") == 200
    for path in (
        "/api/models/northfield/fresh",
        "/api/models/northfield/fresh/revision/feat%2Fx?blobs=true",
        "/northfield/fresh/resolve/main/config.json",
        "/northfield/fresh/tree/main",
        "/northfield/fresh",
        "/api/v1/models/northfield/fresh",
    ):
        answer = client.get(path)
        assert answer.status_code == 307, path
        assert answer.headers["Location"] == path.replace("/fresh", "/ripe"), path
    head = client.head("/northfield/fresh/resolve/main/config.json")
    assert head.headers["Location"] == "/northfield/ripe/resolve/main/config.json"
    info = client.get("/api/models/northfield/fresh", follow_redirects=True).get_json()
    assert info["id"] == "northfield/ripe"
    assert fresh.commit("northfield/fresh", file("a", b"a")).status_code == 307
    again = fresh.post("/api/repos/create", FRESH)
    assert (again.status_code, again.get_json()["url"][-15:]) == (409, "northfield/ripe")


def test_a_hidden_model_does_not_show_its_former_name(fresh: Hub, client: FlaskClient) -> None:
    assert _move(fresh, "northfield/fresh", "northfield/ripe") == 200
    fresh.put("/api/models/northfield/ripe/settings", {"private": True})
    missing = client.get("/api/models/northfield/nothing")
    former = client.get("/api/models/northfield/fresh")
    assert (former.status_code, former.data) == (missing.status_code, missing.data)
    assert set(former.headers.keys()) == set(missing.headers.keys())


def test_a_name_goes_back_and_forth_and_never_leads_in_a_circle(fresh: Hub) -> None:
    assert _move(fresh, "northfield/fresh", "northfield/ripe") == 200
    assert _move(fresh, "northfield/ripe", "northfield/fresh") == 200
    assert fresh.client.get("/api/models/northfield/fresh").status_code == 200
    assert fresh.client.get("/api/models/northfield/ripe").status_code == 307
    assert _move(fresh, "northfield/fresh", "northfield/fresh") == 200


def test_a_name_that_is_taken_or_was_is_not_given_again(fresh: Hub, world: World) -> None:
    taken = "/".join(world.name("T3"))
    assert _move(fresh, "northfield/fresh", taken) == 409
    assert _move(fresh, "northfield/fresh", "northfield/ripe") == 200
    assert fresh.post("/api/repos/create", {"name": "northfield/other"}).status_code == 200
    assert _move(fresh, "northfield/other", "northfield/fresh") == 409
    for bad in ("northfield/a--b", "northfield", "northfield/../x", "northfield/resolve"):
        assert _move(fresh, "northfield/other", bad) in {400, 403}, bad


def test_what_somebody_holds_keeps_its_namespace_and_its_holder_under_another_name(
    owner: Hub, world: World
) -> None:
    releases.add_namespace(world.house, context(), "southfield", "Southfield")
    email = world.cast["owner"].email
    members.set_role(world.house, context(), "southfield", email, Role.OWNER, remove=False)
    held = "/".join(world.name("T3"))
    assert _move(owner, held, "southfield/theirs") == 409
    assert _move(owner, held, "northfield/renamed") == 200
    headers = world.cast["researcher"].headers
    path = "/northfield/renamed/resolve/main/config.json"
    assert owner.client.get(path, headers=headers).status_code == 200
    assert owner.post("/api/repos/create", FRESH).status_code == 200
    assert _move(owner, "northfield/fresh", "nobodys/fresh") == 403
    assert _move(owner, "northfield/fresh", "southfield/fresh") == 200
    shown = owner.client.get("/api/v1/models/southfield/fresh").get_json()
    assert shown["release"] == "southfield/fresh"


def test_a_signed_link_outlives_a_new_name(owner: Hub, world: World) -> None:
    researcher = world.cast["researcher"]
    held = "/".join(world.name("T3"))
    wanted = {"model": held, "revision": "main", "path": "config.json"}
    client = owner.client
    link = client.post("/api/v1/links", json=wanted, headers=researcher.headers).get_json()["url"]
    assert _move(owner, held, "northfield/renamed") == 200
    assert client.get(link[link.index("/d/") :]).status_code == 200


def test_history_is_not_squashed(owner: Hub, client: FlaskClient, world: World) -> None:
    path = f"/api/models/{'/'.join(world.name('T3'))}/super-squash/main"
    refused = owner.post(path, {})
    assert (refused.status_code, "stays" in refused.headers["X-Error-Message"]) == (501, True)
    assert Hub(client, world.cast["researcher"]).post(path, {}).status_code == 403


def test_a_namespace_may_give_new_models_a_tier(owner: Hub, world: World) -> None:
    house = world.house
    repositories.choose_new_model_tier(house, context(), "northfield", house.tiers["T0"])
    assert owner.post("/api/repos/create", FRESH).status_code == 200
    assert owner.commit("northfield/fresh", file("config.json", b"{}")).status_code == 200
    assert owner.client.get("/northfield/fresh/resolve/main/config.json").status_code == 200
    repositories.choose_new_model_tier(house, context(), "northfield", None)
    assert owner.post("/api/repos/create", {"name": "northfield/next"}).status_code == 200
    found = owner.client.get("/northfield/next/resolve/main/config.json")
    assert (found.status_code, found.headers["X-Error-Code"]) == (403, "GatedRepo")
