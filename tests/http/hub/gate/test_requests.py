"""Gate administration over the Hub's wire: the lists, and deciding; with the guards of the desk."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from gatekeeper.domain.applications import ApplicationState, RejectReason
from gatekeeper.domain.grants import EndReason, GrantCommand, GrantState
from gatekeeper.domain.people import Role, Scope
from gatekeeper.services import audit, grants, members, registration, tokens
from gatekeeper.services.applications import reading
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.registration import Registration
from tests import builders
from tests.builders import FORM, World
from tests.cast import NAMESPACE, context
from tests.http.hub.gate.conftest import NO_REQUEST, Ask, Desk, assert_refused, case_of, fetches

# --- who reads the lists --------------------------------------------------------------------------


def test_a_pending_request_is_told_as_the_clients_read_it(
    approver: Desk, world: World, ask: Ask
) -> None:
    pending, case = world.cast.pending, case_of(world, world.cast.pending)
    (item,) = approver.list().get_json()
    assert item["requestId"] == case.id
    assert item["status"] == "pending"
    assert item["user"] == {
        "_id": pending.id,
        "user": pending.username,
        "fullname": pending.name,
        "email": pending.email,
        "type": "user",
        "isPro": False,
    }
    assert item["timestamp"].endswith("Z")
    assert case.submitted_at is not None
    told = datetime.fromisoformat(item["timestamp"])
    assert abs(told - case.submitted_at) < timedelta(milliseconds=1)
    assert len(item["timestamp"]) == len("2026-01-31T12:00:00.000Z")
    assert item["fields"]["Purpose"] == case.purpose
    assert item["fields"]["What kind?"] == "Safety"
    assert len(item["fields"]) == 1 + len(FORM.fields)
    assert "reviewedAt" not in item
    (held,) = approver.list("accepted").get_json()
    assert (held["user"]["user"], held["grantedBy"]) == ("researcher-user", "approver-user")
    assert held["reviewedAt"] >= held["timestamp"]
    assert approver.list("rejected").get_json() == []
    for key in ("handler", "compliance"):
        assert ask(key).names() == [pending.username]


def test_whoever_may_not_read_the_queue_reads_no_requests(ask: Ask, world: World) -> None:
    for key in ("owner", "admin", "researcher", "pending", "stranger"):
        token = tokens.create(world.house, context(), world.cast[key].id, "r", Scope.REVIEW, 1)[1]
        desk = Desk(ask("").client, None, token)
        for answer in (
            desk.list(),
            desk.client.get("/northfield/lyra-t3/user-access-report", headers=desk.headers),
            desk.handle(world.cast.pending, "accepted"),
            desk.send("grant", user="applicant-user"),
        ):
            assert_refused(answer, 403, "approvers of northfield")
    assert ask("").list().status_code == 401


def test_a_reviewer_reads_and_decides_nothing(ask: Ask, world: World) -> None:
    somebody = world.cast.applicant
    house, email = world.house, somebody.email
    members.set_role(house, context(), NAMESPACE, email, Role.REVIEWER, remove=False)
    token = tokens.create(house, context(), somebody.id, "r", Scope.REVIEW, 1)[1]
    desk = Desk(ask("").client, None, token)
    assert desk.names() == ["pending-user"]
    assert_refused(desk.handle(world.cast.pending, "accepted"), 403, "no role here")
    assert_refused(desk.handle(world.cast.researcher, "rejected"), 403, "no role here")


@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE])
def test_a_token_that_was_not_made_for_review_does_nothing_here(
    ask: Ask, world: World, scope: Scope
) -> None:
    approver = world.cast.approver
    token = tokens.create(world.house, context(), approver.id, "weak", scope, 1)[1]
    desk = Desk(ask("").client, None, token)
    assert_refused(desk.list(), 403, "scope")
    assert_refused(desk.handle(world.cast.pending, "accepted"), 403, "scope")
    assert_refused(desk.handle(world.cast.researcher, "rejected"), 403, "scope")
    assert_refused(desk.send("grant", user="applicant-user"), 403, "scope")
    assert case_of(world, world.cast.pending).state is ApplicationState.SUBMITTED


def test_staff_of_another_namespace_are_nobody_here(ask: Ask, world: World) -> None:
    builders.add_release(world.house, "elsewhere", "other")
    for role in (Role.HANDLER, Role.APPROVER):
        email = world.cast.applicant.email
        members.set_role(world.house, context(), "elsewhere", email, role, remove=False)
    person = world.cast.applicant.id
    token = tokens.create(world.house, context(), person, "r", Scope.REVIEW, 1)[1]
    desk = Desk(ask("").client, None, token)
    assert_refused(desk.list(), 403, "northfield")
    case = case_of(world, world.cast.pending)
    assert_refused(desk.send("handle", requestId=case.id, status="accepted"), 403, "northfield")


def test_a_hidden_model_is_missing_at_every_door(ask: Ask, world: World) -> None:
    for key in ("", "applicant", "compliance", "admin"):
        answers = []
        for name in (world.models["hidden"].full_name, "northfield/nothing"):
            desk = ask(key)
            desk.model = name
            answers.append(
                [
                    (found.status_code, found.get_json(), found.headers.get("X-Error-Code"))
                    for found in (
                        desk.list(),
                        desk.handle(world.cast.pending, "accepted"),
                        desk.send("grant", user="pending-user"),
                        desk.send("cancel"),
                        desk.ask({"Purpose": "x"}),
                    )
                ]
            )
        assert answers[0] == answers[1], key
        assert {code for _, _, code in answers[0]} == {"RepoNotFound"}


def test_a_cookie_decides_nothing(client: FlaskClient, world: World) -> None:
    page = client.get("/sign-in").get_data(as_text=True)
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    member = world.cast.approver
    form = {"email": member.email, "password": member.password, "csrf_token": token}
    assert client.post("/sign-in", data=form).status_code == 303
    desk = Desk(client, None)
    assert client.get("/northfield/lyra-t3/user-access-report").status_code == 200
    assert desk.list().status_code == 401
    assert desk.handle(world.cast.pending, "accepted").status_code == 401
    assert desk.send("grant", user="applicant-user").status_code == 401
    assert desk.ask({"Purpose": "x"}).status_code == 401
    assert desk.ask(Purpose="x").status_code == 401


# --- deciding -------------------------------------------------------------------------------------


def test_an_accepted_person_downloads_until_the_latest_day(
    approver: Desk, world: World, client: FlaskClient
) -> None:
    pending = world.cast.pending
    answer = approver.handle(pending, "accepted")
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert fetches(world, pending, client)
    (grant,) = grants.mine(world.house, context(pending.actor))
    longest = world.models["T3"].tier.grant_days
    assert grant.last_day == context().now.date() + timedelta(days=longest)
    case = case_of(world, pending)
    assert (case.state, case.assignee_id) == (ApplicationState.APPROVED, world.cast.approver.id)
    assert sorted(approver.names("accepted")) == ["pending-user", "researcher-user"]
    assert approver.names() == []
    assert_refused(approver.handle(pending, "accepted"), 404, NO_REQUEST)


def test_a_rejection_needs_words_and_they_reach_the_applicant(
    approver: Desk, world: World, client: FlaskClient
) -> None:
    pending = world.cast.pending
    assert_refused(approver.handle(pending, "rejected"), 400, "why")
    long = approver.handle(pending, "rejected", rejectionReason="x" * 201)
    assert_refused(long, 400, "rejectionReason")
    words = "We release it for safety work."
    assert approver.handle(pending, "rejected", rejectionReason=words).status_code == 200
    case = case_of(world, pending)
    assert (case.state, case.reject_reason) == (
        ApplicationState.REJECTED,
        RejectReason.OUT_OF_SCOPE,
    )
    told = reading.open_case(world.house, context(pending.actor), case.id)
    assert [message.text for message in told.messages] == [words]
    assert not fetches(world, pending, client)
    (item,) = approver.list("rejected").get_json()
    assert (item["requestId"], item["status"]) == (case.id, "rejected")
    assert "reviewedAt" in item
    again = approver.handle(pending, "rejected", rejectionReason="Again")
    assert_refused(again, 404, NO_REQUEST)


def test_rejecting_a_holder_revokes_everything_they_hold_of_it(
    approver: Desk, world: World, client: FlaskClient
) -> None:
    holder = world.cast.researcher
    assert fetches(world, holder, client)
    assert approver.handle(holder, "rejected", rejectionReason="A mistake").status_code == 200
    assert not fetches(world, holder, client)
    (grant,) = grants.mine(world.house, context(holder.actor))
    assert (grant.stored_state, grant.reason) == (GrantState.REVOKED, EndReason.ERROR)
    assert grant.note == "A mistake"
    assert approver.names("rejected") == ["researcher-user"]
    assert approver.names("accepted") == []


def test_cancelling_puts_back_what_was_accepted_and_what_was_rejected(
    approver: Desk, world: World, client: FlaskClient
) -> None:
    holder, pending = world.cast.researcher, world.cast.pending
    case = case_of(world, holder)
    assert approver.handle(holder, "pending").status_code == 200
    assert not fetches(world, holder, client)
    assert approver.handle(pending, "rejected", rejectionReason="No").status_code == 200
    assert approver.handle(pending, "pending").status_code == 200
    assert sorted(approver.names()) == ["pending-user", "researcher-user"]
    assert (approver.names("accepted"), approver.names("rejected")) == ([], [])
    assert case_of(world, holder).state is ApplicationState.IN_REVIEW
    assert_refused(approver.handle(holder, "pending"), 404, NO_REQUEST)
    # Its name stays, and by it the request is accepted again.
    answer = approver.send("handle", requestId=case.id, status="accepted")
    assert answer.status_code == 200
    assert fetches(world, holder, client)
    assert audit.compare(world.house) == []


def test_a_rejected_request_may_be_accepted_in_one_call(
    approver: Desk, world: World, client: FlaskClient
) -> None:
    holder, pending = world.cast.researcher, world.cast.pending
    assert approver.handle(pending, "rejected", rejectionReason="No").status_code == 200
    assert approver.handle(holder, "rejected").status_code == 200
    for member in (pending, holder):
        assert approver.handle(member, "accepted").status_code == 200
        assert fetches(world, member, client)


def test_of_two_approvals_the_first_leaves_the_request_pending(
    ask: Ask, world: World, client: FlaskClient
) -> None:
    lead = world.cast.applicant
    builders.apply_for(world.house, lead, world.models["T4"])
    first, second = ask("approver"), ask("approver2")
    first.model = second.model = world.models["T4"].full_name
    assert first.handle(lead, "accepted").status_code == 200
    assert first.names() == [lead.username]
    assert first.names("accepted") == []
    assert_refused(first.handle(lead, "accepted"), 403, "another person")
    assert not fetches(world, lead, client, "T4")
    assert second.handle(lead, "accepted").status_code == 200
    assert fetches(world, lead, client, "T4")
    # Put back and accepted by one person, it is half approved and no more.
    assert second.handle(lead, "pending").status_code == 200
    assert second.handle(lead, "accepted").status_code == 200
    assert_refused(second.handle(lead, "accepted"), 403, "another person")
    assert not fetches(world, lead, client, "T4")


def test_one_approver_alone_does_not_turn_a_rejection_into_access_to_t4(
    ask: Ask, world: World, client: FlaskClient
) -> None:
    lead, desk = world.cast.applicant, ask("approver")
    builders.apply_for(world.house, lead, world.models["T4"])
    desk.model = world.models["T4"].full_name
    assert desk.handle(lead, "rejected", rejectionReason="No").status_code == 200
    assert desk.handle(lead, "accepted").status_code == 200
    assert desk.names() == [lead.username]
    assert not fetches(world, lead, client, "T4")


def test_handlers_and_compliance_list_and_approve_nothing(
    ask: Ask, world: World, client: FlaskClient
) -> None:
    holder, pending = world.cast.researcher, world.cast.pending
    for key in ("handler", "compliance"):
        for status in ("accepted", "rejected"):
            more = {"rejectionReason": "No"} if status == "rejected" else {}
            assert_refused(ask(key).handle(pending, status, **more), 403, "no role here")
        assert_refused(ask(key).handle(holder, "pending"), 403, "no role here")
    assert_refused(ask("handler").handle(holder, "rejected"), 403, "no role here")
    assert fetches(world, holder, client)
    assert ask("compliance").handle(holder, "rejected").status_code == 200  # as on the desk
    assert not fetches(world, holder, client)


def test_nobody_decides_their_own_request(ask: Ask, world: World, client: FlaskClient) -> None:
    approver = world.cast.approver
    builders.apply_for(world.house, approver, world.models["T3"])
    assert_refused(ask("approver").handle(approver, "accepted"), 403, "their own")
    assert_refused(ask("approver").send("grant", user=approver.username), 403, "themselves")
    assert not fetches(world, approver, client)


def test_a_neighbour_of_the_same_mail_domain_is_sent_where_a_note_can_be_written(
    client: FlaskClient, world: World
) -> None:
    lead, domain = world.cast.pending, world.cast.pending.email.partition("@")[2]
    desk = Desk(client, None, hire_neighbour(world, domain))
    case = case_of(world, lead)
    assert_refused(desk.handle(lead, "accepted"), 403, domain, case.id)
    assert_refused(desk.handle(lead, "rejected", rejectionReason="No"), 403, domain, case.id)
    assert case_of(world, lead).version == case.version


def hire_neighbour(world: World, domain: str) -> str:
    """Hire an approver on a mail domain; return a token of theirs for review."""
    house, email = world.house, f"neighbour@{domain}"
    typed = Registration(email, "neighbour-user", "Neighbour", "", "correct horse battery")
    person_id = registration.create_person(house, context(), typed, verified=True, role=None)
    members.set_role(house, context(), NAMESPACE, email, Role.APPROVER, remove=False)
    return tokens.create(house, context(), person_id, "r", Scope.REVIEW, 1)[1]


def test_who_cannot_be_granted_anything_is_named_and_nothing_changes(
    approver: Desk, world: World
) -> None:
    lead = world.cast.pending
    members.set_suspended(world.house, context(), lead.email, "leak", suspended=True)
    assert_refused(approver.handle(lead, "accepted"), 403, lead.username, "suspended")
    assert approver.names() == [lead.username]
    with world.house.db.reading() as read:
        (case,) = read.applications.of_lead(lead.id)
    assert (case.state, case.version) == (ApplicationState.SUBMITTED, 1)


def test_while_the_applicant_is_asked_nothing_is_decided(approver: Desk, world: World) -> None:
    lead = world.cast.pending
    question = Decision(VerdictKind.ASK, 0, note="Where?")
    builders.decide(world.house, world.cast.handler, case_of(world, lead).id, question)
    assert approver.names() == [lead.username]
    assert_refused(approver.handle(lead, "accepted"), 409, "info_requested")


def test_whoever_stands_nowhere_has_no_request(approver: Desk, world: World) -> None:
    for status in ("accepted", "rejected", "pending"):
        assert_refused(approver.handle(world.cast.applicant, status), 404, NO_REQUEST)
        nobody = approver.send("handle", user="no-such-user", status=status)
        assert_refused(nobody, 404, "User not found")
        for request_id in ("GK-0000000", "gr_nothing"):
            answer = approver.send("handle", requestId=request_id, status=status)
            assert_refused(answer, 404, NO_REQUEST)
    (grant,) = grants.mine(world.house, context(world.cast.researcher.actor))
    grants.change(world.house, context(), grant.id, GrantCommand.SUSPEND, EndReason.LEAK, "")
    assert_refused(approver.handle(world.cast.researcher, "rejected"), 404, NO_REQUEST)
    assert approver.names("accepted") == []


def test_a_request_is_not_decided_by_another_ones_name(
    approver: Desk, world: World, client: FlaskClient
) -> None:
    cast = world.cast
    other = case_of(world, cast.researcher).id
    answer = approver.handle(cast.pending, "accepted", requestId=other)
    assert_refused(answer, 404, NO_REQUEST)
    # A case about another model is none of this one's requests.
    elsewhere = builders.apply_for(world.house, cast.applicant, world.models["T4"])
    answer = approver.send("handle", requestId=elsewhere.id, status="accepted")
    assert_refused(answer, 404, NO_REQUEST)
    # Nor is an older case decided once the person stands by a newer one.
    assert approver.handle(cast.pending, "rejected", rejectionReason="No").status_code == 200
    old = case_of(world, cast.pending).id
    builders.apply_for(world.house, cast.pending, world.models["T3"])
    answer = approver.send("handle", requestId=old, status="accepted")
    assert_refused(answer, 404, NO_REQUEST)
    assert not fetches(world, cast.pending, client)


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("handle", {}),
        ("handle", {"status": "accepted"}),
        ("handle", {"user": "pending-user", "status": "approved"}),
        ("handle", {"user": "pending-user", "status": "accepted", "rejectionReason": "x"}),
        ("handle", {"user": 7, "status": "accepted"}),
        ("handle", {"user": "", "status": "accepted"}),
        ("handle", {"user": "u" * 201, "status": "accepted"}),
        ("handle", {"requestId": ["x"], "status": "accepted"}),
        ("grant", {}),
        ("grant", {"user": None}),
        ("grant", {"user": {"name": "x"}}),
    ],
)
def test_a_body_that_says_nothing_is_refused_in_words(
    approver: Desk, call: str, body: dict[str, Any]
) -> None:
    assert_refused(approver.send(call, **body), 400)


@pytest.mark.parametrize(
    "text", ["\x00", "a\x00b", "\ud800", "%", "_", "'; drop table x;--", "é" * 50]
)
def test_odd_names_find_nobody(approver: Desk, text: str) -> None:
    for call in ("handle", "grant"):
        answer = approver.send(call, user=text, status="accepted")
        assert answer.status_code in {400, 404}, answer.text
    answer = approver.send("handle", requestId=text, status="accepted")
    assert answer.status_code in {400, 404}, answer.text
    body = {"user": "pending-user", "status": "rejected", "rejectionReason": text * 3}
    assert approver.send("handle", **body).status_code in {200, 400}
    assert approver.list(q=text.encode(errors="ignore").decode()).status_code in {200, 400}


@pytest.mark.parametrize("tier", ["T0", "T1"])
def test_what_is_not_gated_has_no_requests(ask: Ask, world: World, tier: str) -> None:
    desk = ask("approver")
    desk.model = world.models[tier].full_name
    for answer in (
        desk.list(),
        desk.handle(world.cast.pending, "accepted"),
        desk.send("grant", user="applicant-user"),
        desk.ask({"Purpose": "x"}),
    ):
        assert_refused(answer, 400, "not gated", code="RepoNotGated")


def test_a_batch_is_not_offered_and_says_what_is(approver: Desk) -> None:
    assert_refused(approver.send("batch"), 501, "one by one")
