"""Who is refused what, in which words; and that what is hidden is not there at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import session
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gatekeeper.domain.access import Reason
from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.people import Role, Scope
from gatekeeper.services import members, registration, sessions, tokens
from tests import builders
from tests.builders import RESEARCH, WEIGHTS, World
from tests.cast import NAMESPACE, Member, context
from tests.http.api.conftest import Api, As, through

Acceptance = Callable[[Member, AgreementId], dict[str, Any]]


def problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Return the problem of a refused call, whole as RFC 9457 and interface.md ask."""
    assert (response.status_code, response.content_type) == (status, "application/problem+json")
    told: dict[str, Any] = response.get_json()
    assert (told["status"], told["code"]) == (status, code)
    assert told["type"] == "about:blank"
    assert told["title"]
    assert told["detail"]
    assert told["next_step"]["text"]
    return told


def case_of(world: World, member: Member) -> tuple[str, int]:
    """Return id and version of a member's newest application."""
    with world.house.db.reading() as read:
        found = read.applications.of_lead(member.id)[0]
    return found.id, found.version


# --- nobody, and tokens that are none


def test_a_call_that_needs_a_person_says_how_to_become_one(as_: As) -> None:
    for path in ("me", "applications", "grants", "audit/entries"):
        response = as_(None).get(path)
        told = problem(response, 401, "no_account")
        assert told["next_step"]["page"] == "/account"
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="gatekeeper"'


def test_nobody_is_told_so_before_their_body_is_read(as_: As, client: FlaskClient) -> None:
    for path in ("links", "applications", "applications/GK-0/claim", "grants/x/revoke"):
        problem(as_(None).post(path), 401, "no_account")
        sent = client.post(f"/api/v1/{path}", data=b"{", content_type="text/plain")
        problem(sent, 401, "no_account")
    problem(as_(None).patch("applications/GK-0", {}), 401, "no_account")


@pytest.mark.parametrize(
    "value", ["Bearer gk_nothing", "Bearer ", "Basic YTpi", "gk_", "Bearer " + "x" * 5000]
)
def test_a_bad_token_is_refused_even_where_nobody_is_needed(
    world: World, as_: As, value: str
) -> None:
    api = Api(as_(None).client, {"Authorization": value})
    for path in ("models", "me", f"agreements/{RESEARCH}"):
        response = api.get(path)
        problem(response, 401, "token_invalid")
        assert "invalid_token" in response.headers["WWW-Authenticate"]


def test_a_revoked_token_opens_nothing(world: World, as_: As) -> None:
    member = world.cast.researcher
    tokens.revoke(world.house, context(member.actor), member.token_id)
    problem(as_(member).get("me"), 401, "token_invalid")


def test_a_suspended_account_opens_nothing(world: World, as_: As) -> None:
    member = world.cast.researcher
    members.set_suspended(world.house, context(), member.email, "leak", suspended=True)
    problem(as_(member).get("me"), 401, "token_invalid")


def test_a_session_cookie_counts_for_nothing(world: World, as_: As) -> None:
    api, member, cookie = as_(None), world.cast.researcher, "s" * 43
    payload = json.dumps({"_user_id": member.id})
    sessions.begin(world.house, context(), cookie, member.id, payload, "")
    api.client.set_cookie("gk_session", cookie)
    with api.client:
        api.client.get("/api/models")
        assert session["_user_id"] == member.id  # a page would know them
    problem(api.get("me"), 401, "no_account")
    problem(api.post("links", {"model": "northfield/lyra-t3", "path": WEIGHTS}), 401, "no_account")


# --- reasons


REASONS = [
    ("stranger", "T1", "email_unverified", 403, "/account"),
    ("applicant", "T2", "terms_missing", 403, "/northfield/lyra-t2"),
    ("applicant", "T3", "no_application", 403, "/northfield/lyra-t3"),
    ("pending", "T3", "pending", 403, "/applications/"),
    ("researcher", "T5", "model_withheld", 403, "/northfield/lyra-t5"),
    ("handler", "T3", "no_application", 403, "/northfield/lyra-t3"),
    ("approver", "T4", "no_application", 403, "/northfield/lyra-t4"),
    ("compliance", "T3", "no_application", 403, "/northfield/lyra-t3"),
    ("admin", "T3", "no_application", 403, "/northfield/lyra-t3"),
]


def test_a_refused_link_names_the_reason_the_model_names(world: World, as_: As) -> None:
    for who, key, code, status, page in REASONS:
        api, name = as_(world.cast[who]), world.models[key].full_name
        access = api.get(f"models/{name}").get_json()["access"]
        assert (access["allowed"], access["reason"]) == (False, code)
        told = problem(api.post("links", {"model": name, "path": WEIGHTS}), status, code)
        assert told["next_step"] == access["next_step"]
        assert told["next_step"]["page"].startswith(page)
        assert told["code"] in set(Reason)


def test_owners_fetch_as_members_and_open_files_need_an_account_alone(
    world: World, as_: As
) -> None:
    for who, key, path in (
        ("owner", "T5", WEIGHTS),
        ("stranger", "T0", WEIGHTS),
        ("stranger", "T3", "README.md"),
    ):
        wanted = {"model": world.models[key].full_name, "path": path}
        assert as_(world.cast[who]).post("links", wanted).status_code == 201


def test_nobody_applies_for_what_is_withheld_or_needs_no_application(world: World, as_: As) -> None:
    api = as_(world.cast.applicant)
    withheld = api.post("applications", {"models": [world.models["T5"].full_name]})
    problem(withheld, 403, "model_withheld")
    for key in ("T0", "T1", "T2"):
        response = api.post("applications", {"models": [world.models[key].full_name]})
        problem(response, 422, "invalid")


def test_an_incomplete_application_names_every_field(
    world: World, as_: As, acceptance: Acceptance
) -> None:
    api, cast = as_(world.cast.applicant), world.cast
    body = {"models": [world.models["T3"].full_name], "answers": {"kind": "None", "who": "me"}}
    made = api.post("applications", body).get_json()
    send = {"version": made["version"]}
    told = problem(api.post(f"applications/{made['id']}/submit", send), 422, "invalid")
    assert {e["field"] for e in told["errors"]} >= {"purpose", "study", "kind", "who", "country"}
    api.patch(
        f"applications/{made['id']}",
        {"version": 1, "purpose": "p", "answers": builders.answers(cast.applicant)},
    )
    missing = api.post(f"applications/{made['id']}/submit", {"version": 2})
    problem(missing, 403, "terms_missing")


def test_terms_that_changed_meanwhile_are_outdated(
    world: World, as_: As, acceptance: Acceptance
) -> None:
    api, body = as_(world.cast.applicant), acceptance(world.cast.applicant, RESEARCH)
    newer = builders.publish_agreement(world.house, edition="second")
    told = problem(api.post(f"agreements/{RESEARCH}/acceptances", body), 409, "terms_outdated")
    assert told["sha256"] == newer.sha256
    holder = as_(world.cast.researcher)
    wanted = {"model": world.models["T3"].full_name, "path": WEIGHTS}
    problem(holder.post("links", wanted), 403, "terms_outdated")


def test_an_acceptance_binds_every_clause_and_the_name(
    world: World, as_: As, acceptance: Acceptance
) -> None:
    api, body = as_(world.cast.applicant), acceptance(world.cast.applicant, RESEARCH)
    wrong = body | {"clauses": [*body["clauses"][1:], "99"], "typed_name": "Somebody Else"}
    told = problem(api.post(f"agreements/{RESEARCH}/acceptances", wrong), 422, "invalid")
    assert {e["field"] for e in told["errors"]} == {"clauses", "typed_name"}
    stranger = acceptance(world.cast.stranger, RESEARCH)
    refused = as_(world.cast.stranger).post(f"agreements/{RESEARCH}/acceptances", stranger)
    problem(refused, 403, "email_unverified")


# --- who decides


def test_nobody_decides_their_own_application(world: World, as_: As) -> None:
    lead = world.cast.pending
    members.set_role(world.house, context(), NAMESPACE, lead.email, Role.APPROVER, remove=False)
    api = through(world, as_, lead, Scope.REVIEW)
    case, version = case_of(world, lead)
    for path, body in (
        ("claim", {"version": version}),
        ("decisions", {"verdict": "approve", "version": version}),
        ("decisions", {"verdict": "ask", "version": version, "note": "why?"}),
    ):
        told = problem(api.post(f"applications/{case}/{path}", body), 403, "wrong_scope")
        assert "G-conflict" in told["detail"]
    seen = api.get(f"applications/{case}").get_json()
    assert seen["checks"] is None
    assert "approve" not in seen["commands"]


def test_a_shared_mail_domain_asks_for_a_note(world: World, as_: As) -> None:
    house, lead = world.house, world.cast.pending
    colleague = registration.Registration(
        f"colleague@{lead.email.partition('@')[2]}", "colleague", "Col League", "", ""
    )
    made = registration.create_person(house, context(), colleague, verified=True, role=None)
    members.set_role(house, context(), NAMESPACE, colleague.email, Role.APPROVER, remove=False)
    _, text = tokens.create(house, context(), made, "review", Scope.REVIEW, 1)
    api = Api(as_(None).client, {"Authorization": f"Bearer {text}"})
    case, version = case_of(world, lead)
    body = {"verdict": "approve", "version": version}
    told = problem(api.post(f"applications/{case}/decisions", body), 422, "invalid")
    assert told["errors"][0]["field"] == "override_note"
    body["override_note"] = "Another institute under one roof"
    assert api.post(f"applications/{case}/decisions", body).get_json()["state"] == "approved"


def test_only_approvers_approve(world: World, as_: As) -> None:
    for who in ("handler", "compliance"):
        case, version = case_of(world, world.cast.pending)
        body = {"verdict": "approve", "version": version}
        response = as_(world.cast[who]).post(f"applications/{case}/decisions", body)
        assert "G-role" in problem(response, 403, "wrong_scope")["detail"]


def test_a_stale_decision_gets_the_present_state_and_version(world: World, as_: As) -> None:
    case, version = case_of(world, world.cast.pending)
    first, second = as_(world.cast.approver), as_(world.cast.approver2)
    now = first.post(f"applications/{case}/claim", {"version": version}).get_json()
    body = {"verdict": "approve", "version": version}
    told = problem(second.post(f"applications/{case}/decisions", body), 409, "conflict")
    assert (told["state"], told["version"]) == ("in_review", now["version"])
    done = first.post(f"applications/{case}/decisions", body | {"version": now["version"]})
    late = second.post(f"applications/{case}/decisions", body | {"version": now["version"]})
    told = problem(late, 409, "conflict")
    assert (told["state"], told["version"]) == ("approved", done.get_json()["version"])


def test_one_open_application_a_model(world: World, as_: As) -> None:
    api, member = as_(world.cast.pending), world.cast.pending
    body = {"models": [world.models["T3"].full_name], "purpose": "Once more"}
    made = api.post("applications", body | {"answers": builders.answers(member)}).get_json()
    send = {"version": made["version"]}
    told = problem(api.post(f"applications/{made['id']}/submit", send), 409, "conflict")
    assert told["state"] == "submitted"


# --- what others may not know


@pytest.mark.parametrize("who", [None, "stranger", "applicant", "researcher", "admin"])
def test_a_hidden_model_answers_as_one_that_does_not_exist(
    world: World, as_: As, acceptance: Acceptance, who: str | None
) -> None:
    api = as_(world.cast[who] if who is not None else None)
    hidden, missing = world.models["hidden"].full_name, "northfield/lyra-absent"
    signed = acceptance(world.cast[who], RESEARCH) if who is not None else {}
    asks: list[Callable[[str], TestResponse]] = [
        lambda name: api.get(f"models/{name}"),
        lambda name: api.get(f"models/{name}/revisions/main/files"),
        lambda name: api.get(f"models/{name}/revisions/v9/files"),
        lambda name: api.post("links", {"model": name, "path": WEIGHTS}),
        lambda name: api.post("applications", {"models": [name]}),
        lambda name: api.post(f"agreements/{RESEARCH}/acceptances", signed | {"model": name}),
        lambda name: api.get("grants", model=name),
        lambda name: api.get("audit/entries", model=name, person="me"),
    ]
    for ask in asks:
        there, absent = ask(hidden), ask(missing)
        assert (there.status_code, there.data) == (absent.status_code, absent.data)
        assert there.headers.get("Content-Type") == absent.headers.get("Content-Type")
    names = [model["id"] for model in api.get("models").get_json()["items"]]
    assert hidden not in names
    assert hidden not in api.get("releases").text
    assert api.get("models", search="hidden").get_json()["items"] == []


def test_a_hidden_model_exists_for_those_around_it(world: World, as_: As) -> None:
    for who in ("owner", "handler", "approver"):
        name = world.models["hidden"].full_name
        assert as_(world.cast[who]).get(f"models/{name}").get_json()["visibility"] == "hidden"


def test_a_case_of_somebody_else_is_not_there(world: World, as_: As) -> None:
    for who in ("stranger", "applicant", "researcher", "owner", "admin"):
        api = as_(world.cast[who])
        case, version = case_of(world, world.cast.pending)
        bodies = {
            "submit": {"version": version},
            "withdraw": {"version": version},
            "messages": {"text": "hello"},
        }
        absent = api.get("applications/GK-0000000")
        there = api.get(f"applications/{case}")
        assert (there.status_code, there.data) == (absent.status_code, absent.data)
        problem(there, 404, "not_found")
        for verb, body in bodies.items():
            there = api.post(f"applications/{case}/{verb}", body)
            absent = api.post(f"applications/GK-0000000/{verb}", body)
            assert (there.status_code, there.data) == (absent.status_code, absent.data)
            assert there.status_code == 404
        patched = api.patch(f"applications/{case}", {"version": version, "purpose": "mine"})
        problem(patched, 404, "not_found")


def test_a_grant_of_somebody_else_is_not_there(world: World, as_: As) -> None:
    grant = as_(world.cast.researcher).get("grants").get_json()["items"][0]["id"]
    for verb in ("relinquish", "revoke"):
        response = as_(world.cast.applicant).post(f"grants/{grant}/{verb}", {"reason": "leak"})
        problem(response, 404, "not_found")


def test_a_link_of_somebody_else_is_not_signed_again(world: World, as_: As) -> None:
    wanted = {"model": world.models["T0"].full_name, "path": WEIGHTS}
    mine = as_(world.cast.researcher).post("links", wanted, key="same").get_json()["url"]
    theirs = as_(world.cast.stranger).post("links", wanted, key="same").get_json()["url"]
    assert mine != theirs


def test_nobody_writes_notes_for_staff_in_their_own_case(world: World, as_: As) -> None:
    member, model = world.cast.approver2, world.models["T3"]
    case = builders.apply_for(world.house, member, model)
    api = as_(member)
    note = {"text": "I vouch for myself.", "internal": True}
    told = problem(api.post(f"applications/{case.id}/messages", note), 403, "wrong_scope")
    assert told["next_step"]["text"] == "Leave it to a colleague."
    assert api.post(f"applications/{case.id}/messages", {"text": "Hello."}).status_code == 201
