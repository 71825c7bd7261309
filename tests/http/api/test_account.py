"""One's own tokens and sessions, and an owner's form: the twins of buttons of the pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatekeeper.domain.people import Role, Scope
from gatekeeper.services import members, sessions, tokens
from tests.builders import FORM, World
from tests.cast import NAMESPACE, Member, context
from tests.http.api.conftest import Api, As, through

NEW_FORM = {
    "title": "About your study",
    "intro": "Few words do.",
    "fields": [
        {"name": "study", "type": "long_text", "label": "What do you study?", "max_chars": 500},
        {"name": "kind", "type": "choice", "label": "Which kind?", "options": ["Lab", "Field"]},
        {"name": "sure", "type": "checkbox", "label": "Are you?", "required": False},
    ],
}


def sign_in(world: World, member: Member, cookie: str) -> None:
    """Open a browser session of a member."""
    payload = json.dumps({"_user_id": member.id})
    sessions.begin(world.house, context(), cookie, member.id, payload, f"Browser {cookie[0]}")


def test_tokens_are_listed_without_their_text_and_for_their_owner_alone(
    world: World, as_: As
) -> None:
    member = world.cast.researcher
    api = through(world, as_, member, Scope.READ)
    shown = api.get("me/tokens").get_json()["items"]
    used = api.get("me").get_json()["token"]
    assert {row["id"] for row in shown} == {t.id for t in tokens.of(world.house, member.email)}
    assert used["id"] in {row["id"] for row in shown}
    secret = api.headers["Authorization"].removeprefix("Bearer ")
    assert all(len(row["hint"]) == 4 for row in shown)
    assert secret not in api.get("me/tokens").text
    others = as_(world.cast.applicant).get("me/tokens").get_json()["items"]
    assert {row["id"] for row in others} == {world.cast.applicant.token_id}


def test_a_revoked_token_opens_nothing_from_the_answer_on(world: World, as_: As) -> None:
    member = world.cast.researcher
    api, doomed = as_(member), through(world, as_, member, Scope.READ)
    name = doomed.get("me").get_json()["token"]["id"]
    told = api.post(f"me/tokens/{name}/revoke")
    assert (told.status_code, told.get_json()["id"]) == (200, name)
    assert told.get_json()["revoked_at"] is not None
    assert doomed.get("me").status_code == 401
    assert api.post(f"me/tokens/{name}/revoke").get_json() == told.get_json()  # it stays so
    assert api.get("me").status_code == 200


def test_a_token_may_revoke_itself(world: World, as_: As) -> None:
    api = as_(world.cast.researcher)
    assert api.post(f"me/tokens/{world.cast.researcher.token_id}/revoke").status_code == 200
    assert api.get("me").status_code == 401


def test_no_token_makes_another(as_: As, world: World) -> None:
    body = {"name": "more", "scope": "admin", "days": 90}
    assert as_(world.cast.admin).post("me/tokens", body).status_code == 405


def test_somebody_elses_token_and_session_are_not_there(world: World, as_: As) -> None:
    sign_in(world, world.cast.applicant, "a" * 43)
    theirs = (
        f"me/tokens/{world.cast.applicant.token_id}/revoke",
        f"me/sessions/{sessions.digest('a' * 43)}/end",
    )
    for path in theirs:
        for who in ("researcher", "admin", "compliance"):
            missing = as_(world.cast[who]).post(path.replace(path.split("/")[2], "none"))
            found = as_(world.cast[who]).post(path)
            assert (found.status_code, found.get_json()) == (404, missing.get_json())
    assert as_(world.cast.applicant).get("me").status_code == 200
    assert len(as_(world.cast.applicant).get("me/sessions").get_json()["items"]) == 1


def test_browsers_are_signed_out_one_by_one_and_all_at_once(world: World, as_: As) -> None:
    member, api = world.cast.researcher, as_(world.cast.researcher)
    for cookie in ("a" * 43, "b" * 43, "c" * 43):
        sign_in(world, member, cookie)
    shown = api.get("me/sessions").get_json()["items"]
    assert {row["user_agent"] for row in shown} == {"Browser a", "Browser b", "Browser c"}
    assert "a" * 43 not in api.get("me/sessions").text  # an id opens nothing
    left = api.post(f"me/sessions/{sessions.digest('a' * 43)}/end").get_json()["items"]
    assert {row["user_agent"] for row in left} == {"Browser b", "Browser c"}
    api.client.set_cookie("gk_session", "a" * 43, domain="localhost")
    assert api.client.get("/account").status_code == 302
    assert api.post("me/sessions/end").get_json() == {"items": [], "next": None}
    api.client.set_cookie("gk_session", "b" * 43, domain="localhost")
    assert api.client.get("/account").status_code == 302
    assert api.get("me").status_code == 200  # the token is no session


# --- a model's form


def form_of(api: Api, world: World) -> dict[str, Any] | None:
    """Return the form that the T3 model asks now."""
    form: dict[str, Any] | None = api.get(f"models/{world.models['T3'].full_name}").get_json()[
        "form"
    ]
    return form


def test_an_owner_changes_the_form_that_applicants_are_asked(world: World, as_: As) -> None:
    api = through(world, as_, world.cast.owner, Scope.WRITE)
    path = f"models/{world.models['T3'].full_name}/form"
    before = form_of(api, world)
    assert before is not None
    assert before["title"] == FORM.title
    told = api.post(path, {"form": NEW_FORM, "seen": before["sha256"]})
    assert told.status_code == 200, told.text
    after = form_of(as_(world.cast.applicant), world)
    assert after == told.get_json()["form"]
    assert [f["name"] for f in after["fields"]] == ["study", "kind", "sure"]
    assert after["sha256"] != before["sha256"]
    stale = api.post(path, {"form": None, "seen": before["sha256"]})
    assert (stale.status_code, stale.get_json()["code"]) == (409, "conflict")
    none = api.post(path, {"form": None, "seen": after["sha256"]})
    assert none.get_json()["form"] is None


@pytest.mark.parametrize("scope", [Scope.READ, Scope.REVIEW])
def test_a_token_that_does_not_publish_changes_no_form(world: World, as_: As, scope: Scope) -> None:
    api = through(world, as_, world.cast.owner, scope)
    before = form_of(api, world)
    body = {"form": NEW_FORM, "seen": before["sha256"] if before else None}
    told = api.post(f"models/{world.models['T3'].full_name}/form", body)
    assert (told.status_code, told.get_json()["code"]) == (403, "wrong_scope")
    assert form_of(api, world) == before


def test_the_form_of_a_hidden_model_is_that_of_none(world: World, as_: As) -> None:
    body = {"form": NEW_FORM, "seen": None}
    for who in ("applicant", "researcher", "admin"):
        api = through(world, as_, world.cast[who], Scope.ADMIN)
        answers = [
            api.post(f"models/{name}/form", body)
            for name in (world.models["hidden"].full_name, "northfield/none", "nobody/none")
        ]
        assert {(a.status_code, a.text) for a in answers} == {(404, answers[0].text)}


def test_a_form_that_cannot_be_asked_names_what_is_wrong(world: World, as_: As) -> None:
    member = world.cast.researcher
    members.set_role(world.house, context(), NAMESPACE, member.email, Role.PUBLISHER, remove=False)
    api = through(world, as_, member, Scope.WRITE)
    path, seen = f"models/{world.models['T3'].full_name}/form", form_of(api, world)
    field = NEW_FORM["fields"][0]
    for fields, wrong in (
        ([], "form.fields"),
        ([{**field, "name": "Study 1"}], "form.fields.0.name"),
        ([{**field, "max_chars": 0}], "form.fields.0.max_chars"),
        ([{**field, "options": ["a"]}], "field.0.options"),
        ([field, field], "field.1.name"),
        ([{**field, "type": "choice"}], "field.0.options"),
    ):
        body = {"form": {**NEW_FORM, "fields": fields}, "seen": None}
        told = api.post(path, body)
        assert told.status_code == 422, fields
        assert told.get_json()["errors"][0]["field"] == wrong
    assert form_of(api, world) == seen
