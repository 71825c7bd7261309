"""From the first look at a model to its revocation, by the API alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.services import audit
from tests import builders
from tests.builders import COMMUNITY, FORM, RESEARCH, WEIGHTS, World
from tests.cast import Member
from tests.http.api.conftest import Api, As

Acceptance = Callable[[Member, AgreementId], dict[str, Any]]


def ok(response: Any, status: int = 200) -> Any:
    """Return the JSON of an answer with the status that was expected."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/json"
    return response.get_json()


def draft(lead: Api, member: Member, *models: str) -> dict[str, Any]:
    """Begin an application that lacks nothing."""
    body = {
        "models": list(models),
        "purpose": "To measure memorisation",
        "answers": {**builders.answers(member), "careful": True},
        "public_summary": "A study",
    }
    return dict(ok(lead.post("applications", body), 201))


def submitted(lead: Api, member: Member, acceptance: Acceptance, *models: str) -> dict[str, Any]:
    """Accept the terms and send an application."""
    lead.post(f"agreements/{RESEARCH}/acceptances", acceptance(member, RESEARCH))
    made = draft(lead, member, *models)
    body = {"version": made["version"]}
    return dict(ok(lead.post(f"applications/{made['id']}/submit", body)))


def test_a_newcomer_reaches_the_bytes_and_loses_them_again(
    world: World, as_: As, acceptance: Acceptance
) -> None:
    cast = world.cast
    lead, desk, approver = as_(cast.applicant), as_(cast.handler), as_(cast.approver)
    name = world.models["T3"].full_name

    seen = ok(lead.get(f"models/{name}"))
    assert (seen["tier"], seen["release"]) == ("T3", "northfield/lyra")
    assert seen["access"]["allowed"] is False
    assert seen["access"]["reason"] == "no_application"
    assert seen["access"]["next_step"]["page"] == f"/{name}"
    assert [field["name"] for field in seen["form"]["fields"]] == [f.name for f in FORM.fields]
    asked = seen["agreements"][0]
    assert (asked["id"], asked["accepted"]) == (RESEARCH, False)

    terms = ok(lead.get(f"agreements/{asked['id']}"))
    assert terms["sha256"] == asked["sha256"]
    evidence = {
        "sha256": terms["sha256"],
        "clauses": [clause["id"] for clause in terms["clauses"]],
        "typed_name": cast.applicant.name,
        "model": name,
    }
    ok(lead.post(f"agreements/{RESEARCH}/acceptances", evidence), 201)
    ok(lead.post(f"agreements/{RESEARCH}/acceptances", evidence), 200)
    assert ok(lead.get(f"models/{name}"))["agreements"][0]["accepted"] is True

    case = draft(lead, cast.applicant, name)
    assert (case["state"], case["answers"]["careful"]) == ("draft", "yes")
    path = f"applications/{case['id']}"
    case = ok(lead.post(f"{path}/submit", {"version": case["version"]}))
    assert case["state"] == "submitted"
    assert ok(lead.get(f"models/{name}"))["access"]["reason"] == "pending"

    queue = ok(desk.get("applications", state="submitted"))["items"]
    assert case["id"] in [row["id"] for row in queue]
    case = ok(desk.post(f"{path}/claim", {"version": case["version"]}))
    assert (case["state"], case["assignee"]["username"]) == ("in_review", cast.handler.username)
    ok(desk.post(f"{path}/messages", {"text": "looks fine", "internal": True}), 201)
    case = ok(desk.get(path))
    question = {"verdict": "ask", "note": "Which year?", "version": case["version"]}
    case = ok(desk.post(f"{path}/decisions", question))
    assert case["state"] == "info_requested"

    mine = ok(lead.get(path))
    assert [m["text"] for m in mine["messages"]] == ["Which year?"]  # the note is not the lead's
    assert mine["checks"] is None
    assert ok(lead.get(f"models/{name}"))["access"]["reason"] == "returned"
    changed = ok(lead.patch(path, {"version": mine["version"], "purpose": "In 2026"}))
    assert changed["purpose"] == "To measure memorisation"
    assert changed["draft"]["purpose"] == "In 2026"
    ok(lead.post(f"{path}/messages", {"text": "2026"}), 201)
    version = ok(lead.get(path))["version"]
    case = ok(lead.post(f"{path}/submit", {"version": version}))
    assert (case["state"], case["purpose"], case["draft"]) == ("submitted", "In 2026", None)

    verdict = {"verdict": "approve", "version": case["version"], "note": "Welcome"}
    case = ok(approver.post(f"{path}/decisions", verdict))
    assert case["state"] == "approved"
    assert ok(lead.get(f"models/{name}"))["access"] == {
        "allowed": True,
        "reason": None,
        "detail": "You may fetch its files.",
        "next_step": None,
    }

    wanted = {"model": name, "revision": "main", "path": WEIGHTS}
    link = ok(lead.post("links", wanted), 201)
    public_url = world.house.policy.public_url
    assert link["url"].startswith(f"{public_url}/d/")
    assert link["url"].endswith(f"/{WEIGHTS}")
    file = next(f for f in seen["files"] if f["path"] == WEIGHTS)
    assert (link["size_bytes"], link["sha256"]) == (file["size_bytes"], file["sha256"])
    assert link["expires_at"].endswith("Z")
    address = link["url"].removeprefix(public_url)
    assert lead.client.get(address).status_code == 200

    grant = ok(lead.get("grants"))["items"][0]
    assert (grant["models"], grant["purpose"], grant["state"]) == ([name], "In 2026", "active")
    assert grant["id"] in ok(lead.get(path))["grants"]
    gone = ok(approver.post(f"grants/{grant['id']}/revoke", {"reason": "leak", "note": "seen"}))
    assert (gone["state"], gone["reason"]) == ("revoked", "leak")
    refused = lead.post("links", wanted)
    assert refused.status_code == 403
    assert refused.get_json()["code"] == "grant_revoked"
    assert refused.get_json()["next_step"]["page"] == "/access"
    assert lead.client.get(address).status_code == 403


def test_a_t2_model_is_granted_when_its_agreement_is_accepted(
    world: World, as_: As, acceptance: Acceptance
) -> None:
    lead, name = as_(world.cast.applicant), world.models["T2"].full_name
    wanted = {"model": name, "path": WEIGHTS}
    assert lead.post("links", wanted).get_json()["code"] == "terms_missing"
    body = acceptance(world.cast.applicant, COMMUNITY)
    made = ok(lead.post(f"agreements/{COMMUNITY}/acceptances", body), 201)
    assert (made["agreement"], made["sha256"]) == (COMMUNITY, body["sha256"])
    ok(lead.post("links", wanted), 201)
    grant = ok(lead.get("grants"))["items"][0]
    assert (grant["purpose"], grant["application"]) == (f"Terms {COMMUNITY}", None)


def test_a_t4_model_needs_two_approvers(world: World, as_: As, acceptance: Acceptance) -> None:
    cast, name = world.cast, world.models["T4"].full_name
    lead, first, second = as_(cast.applicant), as_(cast.approver), as_(cast.approver2)
    case = submitted(lead, cast.applicant, acceptance, name)
    path = f"applications/{case['id']}/decisions"

    case = ok(first.post(path, {"verdict": "approve", "version": case["version"]}))
    assert (case["state"], case["approvals_needed"]) == ("second_approval", 2)
    again = first.post(path, {"verdict": "approve", "version": case["version"]})
    assert again.status_code == 403
    assert "G-two" in again.get_json()["detail"]
    assert lead.post("links", {"model": name, "path": WEIGHTS}).get_json()["code"] == "pending"

    back = {"verdict": "return", "version": case["version"], "note": "Too broad"}
    case = ok(second.post(path, back))
    assert case["state"] == "in_review"
    case = ok(first.post(path, {"verdict": "approve", "version": case["version"]}))
    case = ok(second.post(path, {"verdict": "approve", "version": case["version"]}))
    assert case["state"] == "approved"
    ok(lead.post("links", {"model": name, "path": WEIGHTS}), 201)


def test_a_refusal_says_why_and_leaves_a_way_back(
    world: World, as_: As, acceptance: Acceptance
) -> None:
    cast, name = world.cast, world.models["T3"].full_name
    lead, approver = as_(cast.applicant), as_(cast.approver)
    case = submitted(lead, cast.applicant, acceptance, name)
    no = {
        "verdict": "reject",
        "reason": "purpose_unclear",
        "outcome": "fixable",
        "note": "Say more",
        "version": case["version"],
    }
    ok(approver.post(f"applications/{case['id']}/decisions", no))
    seen = ok(lead.get(f"applications/{case['id']}"))
    assert (seen["state"], seen["reason"], seen["outcome"]) == (
        "rejected", "purpose_unclear", "fixable",
    )  # fmt: skip
    assert ok(lead.get(f"models/{name}"))["access"]["reason"] == "rejected"

    again = submitted(lead, cast.applicant, acceptance, name)
    later = no | {"outcome": "after:2090-01-31", "version": again["version"]}
    case = ok(approver.post(f"applications/{again['id']}/decisions", later))
    assert case["outcome"] == "after:2090-01-31"
    third = draft(lead, cast.applicant, name)
    refused = lead.post(f"applications/{third['id']}/submit", {"version": third["version"]})
    assert (refused.status_code, refused.get_json()["code"]) == (403, "rejected")


def test_a_decision_is_taken_back_and_everything_it_gave_with_it(
    world: World, as_: As, acceptance: Acceptance
) -> None:
    cast, name = world.cast, world.models["T4"].full_name
    lead, first, second = as_(cast.applicant), as_(cast.approver), as_(cast.approver2)
    case = submitted(lead, cast.applicant, acceptance, name)
    path = f"applications/{case['id']}/decisions"
    for approver in (first, second):
        case = ok(approver.post(path, {"verdict": "approve", "version": case["version"]}))
    ok(lead.post("links", {"model": name, "path": WEIGHTS}), 201)

    reopen = {"verdict": "reopen", "version": case["version"], "note": "Too soon"}
    assert first.post(path, reopen | {"note": " "}).status_code == 422
    assert first.post(path, reopen | {"version": 1}).status_code == 409
    for key in ("handler", "compliance", "owner", "applicant"):
        assert as_(cast[key]).post(path, reopen).status_code in {403, 404}, key
    case = ok(first.post(path, reopen))
    assert case["state"] == "in_review"
    assert "reopen" not in case["commands"]
    refused = lead.post("links", {"model": name, "path": WEIGHTS}).get_json()
    assert refused["code"] == "pending"
    assert ok(lead.get("grants"))["items"][0]["state"] == "revoked"
    assert "Too soon" in [m["text"] for m in ok(lead.get(f"applications/{case['id']}"))["messages"]]

    # Who approved before is one of two people again, and no more.
    case = ok(second.post(path, {"verdict": "approve", "version": case["version"]}))
    assert case["state"] == "second_approval"
    again = second.post(path, {"verdict": "approve", "version": case["version"]})
    assert again.status_code == 403
    case = ok(first.post(path, {"verdict": "approve", "version": case["version"]}))
    ok(lead.post("links", {"model": name, "path": WEIGHTS}), 201)
    assert audit.compare(world.house) == []


def test_what_a_later_application_replaced_is_not_reopened(
    world: World, as_: As, acceptance: Acceptance
) -> None:
    cast, name = world.cast, world.models["T3"].full_name
    lead, approver = as_(cast.applicant), as_(cast.approver)
    old = submitted(lead, cast.applicant, acceptance, name)
    no = {"verdict": "reject", "reason": "duplicate", "note": "No", "version": old["version"]}
    old = ok(approver.post(f"applications/{old['id']}/decisions", no))
    new = submitted(lead, cast.applicant, acceptance, name)
    reopen = {"verdict": "reopen", "version": old["version"], "note": "Look again"}
    refused = approver.post(f"applications/{old['id']}/decisions", reopen)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "conflict")
    assert new["id"] in refused.get_json()["detail"]


def test_an_application_is_withdrawn_and_a_draft_discarded(
    world: World, as_: As, acceptance: Acceptance
) -> None:
    cast, name = world.cast, world.models["T3"].full_name
    lead = as_(cast.applicant)
    case = submitted(lead, cast.applicant, acceptance, name)
    path = f"applications/{case['id']}"
    assert ok(lead.post(f"{path}/withdraw", {"version": case["version"]}))["state"] == "withdrawn"
    assert ok(lead.get(path))["state"] == "withdrawn"

    made = draft(lead, cast.applicant, name)
    path = f"applications/{made['id']}"
    stale = lead.post(f"{path}/withdraw", {"version": made["version"] + 1})
    assert (stale.status_code, stale.get_json()["version"]) == (409, made["version"])
    assert ok(lead.post(f"{path}/withdraw", {"version": made["version"]}))["state"] == "withdrawn"
    assert lead.get(path).status_code == 404


def test_a_grant_is_suspended_reinstated_and_given_back(world: World, as_: As) -> None:
    cast, name = world.cast, world.models["T3"].full_name
    holder, desk = as_(cast.researcher), as_(cast.handler)
    grant = ok(holder.get("grants"))["items"][0]
    path, wanted = f"grants/{grant['id']}", {"model": name, "path": WEIGHTS}
    assert ok(desk.post(f"{path}/suspend", {"reason": "misuse"}))["state"] == "suspended"
    assert holder.post("links", wanted).get_json()["code"] == "grant_suspended"
    assert ok(desk.post(f"{path}/reinstate", {"note": "cleared"}))["state"] == "active"
    ok(holder.post("links", wanted), 201)
    assert ok(holder.post(f"{path}/relinquish"))["state"] == "relinquished"
    assert holder.post("links", wanted).get_json()["code"] == "no_application"
    conflict = desk.post(f"{path}/reinstate").get_json()
    assert (conflict["code"], conflict["state"]) == ("conflict", "relinquished")
