"""What each scope of a token may do: never more than its owner, and no verb less than it asks."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from werkzeug.test import TestResponse

from gatekeeper.domain.people import Role, Scope
from gatekeeper.services import members
from tests.builders import RESEARCH, WEIGHTS, World
from tests.cast import NAMESPACE, context
from tests.http.api.conftest import As, through

STAFF = {Scope.REVIEW, Scope.ADMIN}


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        (Scope.READ, ["read"]),
        (Scope.WRITE, ["read", "write"]),
        (Scope.REVIEW, ["read", "review"]),
        (Scope.ADMIN, ["read", "write", "review", "admin"]),
    ],
)
def test_me_says_what_the_token_may_do(world: World, as_: As, scope: Scope, may: list[str]) -> None:
    me = through(world, as_, world.cast.approver, scope).get("me").get_json()
    assert me["scopes"] == may
    assert me["token"]["scope"] == scope
    assert me["roles"] == {"site": [], "namespaces": {"northfield": ["approver"]}}
    assert me["person"]["username"] == world.cast.approver.username


STAFF_CALLS: Mapping[str, tuple[str, str, dict[str, object]]] = {
    "see the queue": ("GET", "applications?mine=false", {}),
    "ask for another's cases": ("GET", "applications?assignee=none", {}),
    "read a case": ("GET", "applications/{case}", {}),
    "claim": ("POST", "applications/{case}/claim", {"version": 1}),
    "write to the lead": ("POST", "applications/{case}/messages", {"text": "hello"}),
    "note": ("POST", "applications/{case}/messages", {"text": "hm", "internal": True}),
    "ask": ("POST", "applications/{case}/decisions", {"verdict": "ask", "note": "?"}),
    "approve": ("POST", "applications/{case}/decisions", {"verdict": "approve"}),
    "reject": (
        "POST",
        "applications/{case}/decisions",
        {"verdict": "reject", "reason": "duplicate", "note": "twice"},
    ),
    "suspend": ("POST", "grants/{grant}/suspend", {"reason": "leak"}),
    "revoke": ("POST", "grants/{grant}/revoke", {"reason": "leak"}),
    "name a holder": ("GET", "grants?person=researcher-user", {}),
}


@pytest.mark.parametrize("call", STAFF_CALLS)
def test_staff_acts_need_a_token_made_for_review(world: World, as_: As, call: str) -> None:
    method, path, body = STAFF_CALLS[call]
    with world.house.db.reading() as read:
        case = read.applications.of_lead(world.cast.pending.id)[0]
        grant = read.grants.of_person(world.cast.researcher.id)[0]
    path = path.format(case=case.id, grant=grant.id)
    if "decisions" in path:
        body = body | {"version": case.version}

    def ask(scope: Scope) -> TestResponse:
        api = through(world, as_, world.cast.approver, scope)
        return api.get(path) if method == "GET" else api.post(path, body)

    for narrow in set(Scope) - STAFF:
        response = ask(narrow)
        assert (response.status_code, response.get_json()["code"]) == (403, "wrong_scope")
    wide = ask(Scope.ADMIN if call == "revoke" else Scope.REVIEW)
    assert wide.status_code in {200, 201}, wide.text


@pytest.mark.parametrize("scope", Scope)
def test_compliance_searches_the_ledger_through_a_review_token_alone(
    world: World, as_: As, scope: Scope
) -> None:
    member, other = world.cast.compliance, world.cast.researcher
    api = through(world, as_, member, scope)
    everything = api.get("audit/entries", kind="ApplicationSubmitted").get_json()["items"]
    named = api.get("audit/entries", person=other.username)
    if scope in STAFF:
        assert len(everything) == 2
        assert named.status_code == 200
    else:
        assert everything == []  # a narrow token shows what is about its owner
        assert (named.status_code, named.get_json()["code"]) == (403, "wrong_scope")


@pytest.mark.parametrize("scope", Scope)
def test_ones_own_acts_work_through_every_token(world: World, as_: As, scope: Scope) -> None:
    """Also for staff: who approves others still applies, downloads and gives back as anybody."""
    member = world.cast.researcher
    members.set_role(world.house, context(), NAMESPACE, member.email, Role.HANDLER, remove=False)
    api = through(world, as_, member, scope)
    mine = api.get("applications", mine="true").get_json()["items"]
    assert [row["models"] for row in mine] == [["northfield/lyra-t3"]]
    assert api.get(f"agreements/{RESEARCH}").status_code == 200
    wanted = {"model": "northfield/lyra-t3", "path": WEIGHTS}
    assert api.post("links", wanted).status_code == 201
    draft = api.post("applications", {"models": ["northfield/lyra-t4"]})
    assert draft.status_code == 201
    grant = api.get("grants").get_json()["items"][0]["id"]
    assert api.post(f"grants/{grant}/relinquish").status_code == 200


def test_an_admin_token_gives_nobody_a_role(world: World, as_: As) -> None:
    api = through(world, as_, world.cast.applicant, Scope.ADMIN)
    refused = api.get("applications", mine="false")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "wrong_scope")
    assert api.get("audit/entries", person="researcher-user").status_code == 403
