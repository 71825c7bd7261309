"""Lists: every page once, nothing that is none of the caller's business, filters that narrow."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from gatekeeper.domain.people import Role, Scope
from gatekeeper.services import members
from gatekeeper.services.publishing import releases
from tests import builders
from tests.builders import World
from tests.cast import NAMESPACE, context, hire_one
from tests.http.api.conftest import Api, As, through


def items(api: Api, path: str, **asked: Any) -> list[dict[str, Any]]:
    """Return one page whole."""
    response = api.get(path, **asked)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.get_json()["items"]
    return found


def paged(api: Api, path: str, cursor: str, **asked: Any) -> list[list[dict[str, Any]]]:
    """Follow `next` to the end; `cursor` is the name of the parameter it is sent as."""
    pages, following = [], {}
    while True:
        answer = api.get(path, **asked, **following).get_json()
        pages.append(answer["items"])
        if answer["next"] is None:
            return pages
        following = {cursor: answer["next"]}


def test_models_come_by_name_a_page_at_a_time(world: World, as_: As) -> None:
    api = as_(None)
    whole = [model["id"] for model in items(api, "models")]
    assert whole == sorted(f"{NAMESPACE}/lyra-t{n}" for n in range(6))
    pages = paged(api, "models", "after", limit=4)
    assert [len(page) for page in pages] == [4, 2]
    assert [model["id"] for page in pages for model in page] == whole
    gated = {model["id"] for model in items(api, "models", gated="true")}
    assert gated == set(whole) - {f"{NAMESPACE}/lyra-t0"}
    assert [m["tier"] for m in items(api, "models", search="T4")] == ["T4"]
    assert items(api, "models", author="nobody") == []


def test_a_page_is_full_until_the_last(world: World, as_: As) -> None:
    """The hidden model sorts before the others, and takes nobody's place."""
    pages = paged(as_(None), "models", "after", limit=1)
    assert [[m["id"]] for m in items(as_(None), "models")] == [[m["id"] for m in p] for p in pages]


def test_releases_come_a_page_at_a_time(world: World, as_: As, tmp_path: Path) -> None:
    builders.add_release(world.house, name="mira")
    builders.publish_model(world.house, tmp_path, "mira-t0", "T0", release="mira")
    pages = paged(as_(None), "releases", "after", limit=1)
    assert [[r["id"] for r in p] for p in pages] == [["northfield/mira"], ["northfield/lyra"]]
    assert as_(None).get("releases", after="northfield/mira").status_code == 422


def test_a_release_holds_what_its_page_says(world: World, as_: As) -> None:
    found = as_(None).get("releases/northfield/lyra").get_json()
    assert found["content"]["risks"]["risk"][0]["id"] == "spam"
    assert found["content"]["plan"]["stage"][0]["on"] == "2026-01-01"
    assert [model["tier"] for model in found["models"]] == list(builders.TIERS)
    assert [release["id"] for release in items(as_(None), "releases")] == ["northfield/lyra"]
    model = as_(None).get("models/northfield/lyra-t5").get_json()
    assert (model["open_sibling"], model["access"]["reason"]) == (
        "northfield/lyra-t0", "model_withheld",
    )  # fmt: skip


def test_the_queue_narrows_by_state_assignee_model_and_age(world: World, as_: As) -> None:
    house, cast = world.house, world.cast
    desk = as_(cast.handler)
    (waiting,) = items(desk, "applications")
    assert waiting["lead"]["username"] == cast.pending.username
    case = {"version": waiting["version"]}
    desk.post(f"applications/{waiting['id']}/claim", case)
    later = builders.apply_for(house, cast.applicant, world.models["T4"])

    def ids(**asked: Any) -> list[str]:
        return [row["id"] for row in items(desk, "applications", **asked)]

    assert ids() == [waiting["id"], later.id]
    assert ids(assignee="me") == ids(assignee=cast.handler.username) == [waiting["id"]]
    assert ids(assignee="none") == ids(state="submitted") == [later.id]
    assert ids(state=["submitted", "in_review"]) == ids()
    assert ids(model=world.models["T4"].full_name) == [later.id]
    assert ids(older_than="1h") == []
    assert len(ids(state="approved")) == 1
    assert ids(mine="true") == []
    pages = paged(desk, "applications", "after", limit=1)
    assert [row["id"] for page in pages for row in page] == ids()
    with house.db.reading() as read:
        old = read.applications.by_id(later.id)
    assert old is not None
    assert old.submitted_at is not None
    assert old.submitted_at > context().now - timedelta(hours=1)


def test_staff_of_one_namespace_see_nothing_of_another(world: World, as_: As) -> None:
    house = world.house
    releases.add_namespace(house, context(), "parley", "Parley")
    outsider = hire_one(house, "outsider", "parley")
    members.set_role(house, context(), "parley", outsider.email, Role.APPROVER, remove=False)
    api = through(world, as_, outsider, Scope.REVIEW)
    with house.db.reading() as read:
        case = read.applications.of_lead(world.cast.pending.id)[0]
    assert items(api, "applications", mine="false") == []
    assert items(api, "grants", model=world.models["T3"].full_name) == []
    assert items(api, "grants", person=world.cast.researcher.username) == []
    assert api.get(f"applications/{case.id}").status_code == 404
    claim = api.post(f"applications/{case.id}/claim", {"version": case.version})
    assert claim.status_code == 404


def test_a_lead_sees_drafts_and_applications_of_their_own(world: World, as_: As) -> None:
    api, name = as_(world.cast.pending), world.models["T4"].full_name
    made = api.post("applications", {"models": [name]}).get_json()
    rows = items(api, "applications")
    assert [row["state"] for row in rows] == ["draft", "submitted"]
    assert [row["id"] for row in items(api, "applications", state="draft")] == [made["id"]]
    assert [row["id"] for row in items(api, "applications", model=name)] == [made["id"]]
    assert items(as_(world.cast.applicant), "applications") == []


def test_staff_find_the_holders_of_a_model_and_a_persons_grants(world: World, as_: As) -> None:
    house, cast, model = world.house, world.cast, world.models["T3"]
    builders.decide(house, cast.approver, _case_of(world))
    desk = as_(cast.handler)
    assert items(desk, "grants") == []
    holders = items(desk, "grants", model=model.full_name)
    assert {grant["person"]["username"] for grant in holders} == {
        cast.pending.username, cast.researcher.username,
    }  # fmt: skip
    pages = paged(desk, "grants", "after", model=model.full_name, limit=1)
    assert [grant for page in pages for grant in page] == holders
    for words in (cast.researcher.id, cast.researcher.username, cast.researcher.email):
        (one,) = items(desk, "grants", person=words)
        assert one["person"]["id"] == cast.researcher.id
    everywhere = items(as_(cast.compliance), "grants", person=cast.pending.username)
    assert [grant["models"] for grant in everywhere] == [[model.full_name]]


def test_others_see_their_own_grants_alone(world: World, as_: As) -> None:
    cast, name = world.cast, world.models["T3"].full_name
    mine = items(as_(cast.researcher), "grants")
    assert mine == items(as_(cast.researcher), "grants", model=name)
    assert mine == items(as_(cast.researcher), "grants", person="me")
    assert items(as_(cast.applicant), "grants", model=name) == []
    for who in (cast.applicant, cast.owner):
        assert as_(who).get("grants", person=cast.researcher.username).status_code == 403


def test_everybody_reads_what_is_recorded_about_them(world: World, as_: As) -> None:
    cast = world.cast
    as_(cast.handler).post(
        f"applications/{_case_of(world)}/messages", {"text": "hm", "internal": True}
    )
    mine = items(as_(cast.pending), "audit/entries", limit=100)
    kinds = [entry["kind"] for entry in mine]
    assert "ApplicationSubmitted" in kinds
    assert "MessagePosted" not in kinds  # the note of the staff
    assert all(cast.pending.id in str(entry["data"]) for entry in mine)
    assert mine == items(as_(cast.pending), "audit/entries", person="me", limit=100)
    pages = paged(as_(cast.pending), "audit/entries", "before", limit=2)
    assert [entry for page in pages for entry in page] == mine
    refused = as_(cast.pending).get("audit/entries", person=cast.researcher.username)
    assert refused.get_json()["code"] == "wrong_scope"


def test_compliance_and_admin_search_the_whole_ledger(world: World, as_: As) -> None:
    cast, model = world.cast, world.models["T3"]
    for who in (cast.compliance, cast.admin):
        api = as_(who)
        about = items(api, "audit/entries", person=cast.researcher.email, kind="GrantCreated")
        assert [entry["actor"]["name"] for entry in about] == [cast.approver.name]
        assert about[0]["data"]["models"] == [model.id]
        assert items(api, "audit/entries", model=model.full_name, kind="GrantCreated") == about
        after = items(api, "audit/entries", since=about[0]["at"], limit=100)
        assert min(entry["index"] for entry in after) <= about[0]["index"]
        assert items(api, "audit/entries", until="2020-01-01") == []
        own = items(api, "audit/entries", person="me", limit=100)
        assert all(who.id in str(entry["data"]) for entry in own)
        everything = [
            e["index"] for page in paged(api, "audit/entries", "before", limit=20) for e in page
        ]
        assert everything == list(range(len(everything)))[::-1]


def test_no_entry_holds_personal_data(world: World, as_: As) -> None:
    """The actor's name is looked up for the reader; the entry itself is ids and digests."""
    for page in paged(as_(world.cast.admin), "audit/entries", "before", limit=100):
        for entry in page:
            assert "zqperson" not in str(entry["data"])


def _case_of(world: World) -> Any:
    with world.house.db.reading() as read:
        return read.applications.of_lead(world.cast.pending.id)[0].id
