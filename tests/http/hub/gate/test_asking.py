"""Asking, withdrawing, giving unasked, the report, and lists that go on, over the Hub's wire."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from gatekeeper.domain.agreements import Change
from gatekeeper.domain.applications import ApplicationState
from gatekeeper.domain.forms import Field, FieldType, Form
from gatekeeper.domain.grants import EndReason, GrantCommand, GrantState
from gatekeeper.services import agreements, audit, grants, members
from gatekeeper.services.applications import reading
from tests import builders
from tests.builders import COMMUNITY, FORM, RESEARCH, World
from tests.cast import Member, context, hire_one
from tests.http.hub.gate.conftest import NO_REQUEST, Ask, Desk, assert_refused, case_of, fetches

PURPOSE = "A study of memorisation"


def answers(world: World, member: Member, **changed: Any) -> dict[str, Any]:
    """Answer every question under its label, accept the terms, and say what for."""
    by_name = builders.answers(member)
    labelled: dict[str, Any] = {f.label: by_name[f.name] for f in FORM.fields}
    signed = {RESEARCH: agreements.show(world.house, RESEARCH).sha256}
    return {**labelled, "Purpose": PURPOSE, **signed} | changed


def drafts_of(world: World, member: Member) -> int:
    """Count somebody's drafts."""
    return len(reading.mine(world.house, context(member.actor)).drafts)


# --- asking ---------------------------------------------------------------------------------------


def test_an_application_is_sent_by_the_labels_of_its_form(ask: Ask, world: World) -> None:
    lead, desk = world.cast.applicant, ask("applicant")
    box = "I keep the weights to myself"
    answer = desk.ask(answers(world, lead, **{box: True, "For the public": "A study"}))
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "http://localhost/northfield/lyra-t3",
    )
    case = case_of(world, lead)
    assert (case.state, case.purpose) == (ApplicationState.SUBMITTED, PURPOSE)
    assert case.answers == builders.answers(lead)
    assert case.public_summary == "A study"
    assert drafts_of(world, lead) == 0
    assert sorted(ask("handler").names()) == ["applicant-user", "pending-user"]


def test_a_form_is_taken_as_json_is_and_names_serve_as_labels(ask: Ask, world: World) -> None:
    lead, desk = world.cast.applicant, ask("applicant")
    sent = builders.answers(lead) | {"careful": "on", "Purpose": PURPOSE}
    sent |= {str(RESEARCH): agreements.show(world.house, RESEARCH).sha256}
    assert desk.ask(**sent).status_code == 303
    assert case_of(world, lead).answers == builders.answers(lead)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"What will you do?": ""}, "What will you do?"),
        ({"What kind?": "Anything"}, "What kind?"),
        ({"Until when?": "soon"}, "Until when?"),
        ({"Where?": "Atlantis"}, "Where?"),
        ({"I keep the weights to myself": False}, "I keep the weights to myself"),
        ({"Purpose": " "}, "Purpose"),
        ({"Which colour?": "red"}, "Which colour?"),
        ({"Purpose": 7}, "text"),
        ({"Purpose": {"x": "y"}}, "text"),
        ({"Purpose": "x" * 5000}, "Purpose"),
        ({"Purpose": "a\x00b"}, "NUL"),
        ({"Purpose": "\ud800"}, "Unicode"),
        ({"What\x00": "x"}, "NUL"),
    ],
)
def test_what_is_wrong_is_named_by_its_label_and_nothing_is_kept(
    ask: Ask, world: World, changed: dict[str, Any], words: str
) -> None:
    lead = world.cast.applicant
    assert_refused(ask("applicant").ask(answers(world, lead, **changed)), 400, words)
    assert drafts_of(world, lead) == 0
    assert reading.mine(world.house, context(lead.actor)).applications == []
    assert agreements.mine(world.house, context(lead.actor)) == []


@pytest.mark.parametrize("body", [[], "x", 7, None])
def test_a_body_that_is_no_object_is_refused(ask: Ask, body: Any) -> None:
    desk = ask("applicant")
    path = "/northfield/lyra-t3/ask-access"
    answer = desk.client.post(path, json=body, headers=desk.headers)
    assert_refused(answer, 400)


def test_terms_are_accepted_by_the_digest_of_their_text_alone(
    ask: Ask, world: World, client: FlaskClient
) -> None:
    lead, desk = world.cast.applicant, ask("applicant")
    desk.model = model = world.models["T2"].full_name
    address = f"http://localhost/{model}"
    assert_refused(desk.ask({}), 403, "terms", address, code="GatedRepo")
    assert_refused(desk.ask({COMMUNITY: "yes"}), 409, "version")
    assert_refused(desk.ask({COMMUNITY: "0" * 64}), 409, "version")
    assert not fetches(world, lead, client, "T2")
    old = agreements.show(world.house, COMMUNITY).sha256
    builders.publish_agreement(world.house, COMMUNITY, change=Change.MATERIAL, edition="second")
    assert_refused(desk.ask({COMMUNITY: old}), 409, "version")
    current = agreements.show(world.house, COMMUNITY).sha256
    assert desk.ask({COMMUNITY: current}).status_code == 303
    assert fetches(world, lead, client, "T2")
    (accepted,) = agreements.mine(world.house, context(lead.actor))
    assert accepted[1].sha256 == current
    approver = ask("approver")
    approver.model = model
    (item,) = approver.list("accepted").get_json()
    assert item["user"]["user"] == lead.username
    assert "email" not in item["user"]  # they never sent a case, in which staff would read it
    assert item["fields"] == {}


def two_agreements(world: World, folder: Path) -> str:
    """Publish a model of T2 that asks for two agreements; return its full name."""
    asks = (COMMUNITY, RESEARCH)
    return builders.publish_model(world.house, folder, "lyra-two", "T2", asks=asks).full_name


def test_of_several_terms_all_are_accepted_or_none(ask: Ask, world: World, tmp_path: Path) -> None:
    lead, desk = world.cast.applicant, ask("applicant")
    desk.model = two_agreements(world, tmp_path)
    sha256 = {a: agreements.show(world.house, a).sha256 for a in (COMMUNITY, RESEARCH)}
    ctx = context(lead.actor)
    world.house.db.sequence_all()
    entries = audit.head(world.house).size
    for refused in (desk.ask(sha256 | {RESEARCH: "0" * 64}), desk.ask({COMMUNITY: "0" * 64})):
        assert refused.status_code in {403, 409}
    world.house.db.sequence_all()
    assert (agreements.mine(world.house, ctx), audit.head(world.house).size) == ([], entries)
    assert desk.ask(sha256).status_code == 303
    assert {accepted.id for _, accepted in agreements.mine(world.house, ctx)} == set(sha256)
    (grant,) = grants.mine(world.house, ctx)
    assert (grant.stored_state, grant.application_id) == (GrantState.ACTIVE, None)


def test_what_was_accepted_before_is_not_signed_anew_in_silence(
    ask: Ask, world: World, tmp_path: Path
) -> None:
    """An editorial version asks for nothing: nobody accepts its text without naming it."""
    lead = world.cast.applicant
    for agreement_id in (COMMUNITY, RESEARCH):
        builders.accept(world.house, lead, agreement_id)
        builders.publish_agreement(
            world.house, agreement_id, change=Change.EDITORIAL, edition="second"
        )
    desk = ask("applicant")
    desk.model = two_agreements(world, tmp_path)
    assert desk.ask({}).status_code == 303
    sent = answers(world, lead)
    del sent[RESEARCH]
    assert ask("applicant").ask(sent).status_code == 303
    assert case_of(world, lead).state is ApplicationState.SUBMITTED
    ctx = context(lead.actor)
    assert [accepted.version for accepted, _ in agreements.mine(world.house, ctx)] == [1, 1]
    held = grants.mine(world.house, ctx)
    assert {grant.stored_state for grant in held} == {GrantState.ACTIVE}
    assert len({model for grant in held for model in grant.models}) == len(held) == 2


PURPOSES = Form(
    "Ask", "", tuple(
        Field(name, FieldType.LONG_TEXT, label)
        for name, label in (("why", "Purpose"), ("for_the_public", "For the public"))
    ),
)  # fmt: skip


@pytest.mark.parametrize("by_name", [False, True])
def test_questions_labelled_as_ours_are_answered_with_them(
    ask: Ask, world: World, tmp_path: Path, by_name: bool
) -> None:
    model = builders.publish_model(world.house, tmp_path, "lyra-why", "T3", form=PURPOSES)
    lead, desk = world.cast.applicant, ask("applicant")
    desk.model = model.full_name
    sent = {"Purpose": PURPOSE, "For the public": "A study"}
    own = {"why": "Because", "for_the_public": "Nothing"} if by_name else {}
    assert_refused(desk.ask(own | {"For the public": "A study"}), 400, "Purpose")
    assert desk.ask(own | sent).status_code == 303
    case = case_of(world, lead)
    assert (case.purpose, case.public_summary) == (PURPOSE, "A study")
    assert case.answers == (own or {"why": PURPOSE, "for_the_public": "A study"})
    approver = ask("approver")
    approver.model = desk.model
    (item,) = approver.list().get_json()
    assert item["fields"] == {
        "Purpose": PURPOSE,
        "why": case.answers["why"],
        "For the public": case.answers["for_the_public"],
    }


def test_an_application_without_accepted_terms_says_where_they_are(ask: Ask, world: World) -> None:
    sent = answers(world, world.cast.applicant)
    del sent[RESEARCH]
    refused = ask("applicant").ask(sent)
    assert_refused(refused, 403, "terms", "/northfield/lyra-t3", code="GatedRepo")
    assert drafts_of(world, world.cast.applicant) == 0


def test_who_asked_before_is_answered_alike_and_nothing_changes(
    ask: Ask, world: World, approver: Desk
) -> None:
    cast = world.cast
    versions = [case_of(world, m).version for m in (cast.pending, cast.researcher)]
    for key in ("pending", "researcher", "owner"):
        assert ask(key).ask(answers(world, cast[key])).status_code == 303
    assert approver.handle(cast.pending, "rejected", rejectionReason="No").status_code == 200
    assert ask("pending").ask(answers(world, cast.pending)).status_code == 303
    assert case_of(world, cast.pending).state is ApplicationState.REJECTED
    assert case_of(world, cast.researcher).version == versions[1]


def test_what_was_taken_away_or_never_given_out_is_not_had_by_asking(
    ask: Ask, world: World, approver: Desk, client: FlaskClient
) -> None:
    cast = world.cast
    builders.accept(world.house, cast.applicant, COMMUNITY)
    approver.model = world.models["T2"].full_name
    assert approver.handle(cast.applicant, "rejected", rejectionReason="No").status_code == 200
    desk = ask("applicant")
    desk.model = approver.model
    sha256 = agreements.show(world.house, COMMUNITY).sha256
    assert desk.ask({COMMUNITY: sha256}).status_code == 303
    assert not fetches(world, cast.applicant, client, "T2")
    (grant,) = grants.mine(world.house, context(cast.researcher.actor))
    grants.change(world.house, context(), grant.id, GrantCommand.SUSPEND, EndReason.LEAK, "")
    suspended = ask("researcher").ask(answers(world, cast.researcher))
    assert_refused(suspended, 403, "suspended", code="GatedRepo")
    desk.model = world.models["T5"].full_name
    assert_refused(desk.ask({"Purpose": "x"}), 403, "withheld", code="GatedRepo")


def test_who_has_no_verified_account_asks_for_nothing(ask: Ask, world: World) -> None:
    assert ask("").ask({"Purpose": "x"}).status_code == 401
    assert ask("stranger").ask(answers(world, world.cast.stranger)).status_code == 403
    lead = world.cast.applicant
    members.set_suspended(world.house, context(), lead.email, "leak", suspended=True)
    assert ask("applicant").ask(answers(world, lead)).status_code in {401, 403}


def test_an_open_request_is_withdrawn_by_its_own_person_alone(ask: Ask, world: World) -> None:
    assert_refused(ask("applicant").send("cancel"), 404, NO_REQUEST)
    assert_refused(ask("researcher").send("cancel"), 404, NO_REQUEST)
    answer = ask("pending").send("cancel")
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert case_of(world, world.cast.pending).state is ApplicationState.WITHDRAWN
    assert_refused(ask("pending").send("cancel"), 404, NO_REQUEST)
    assert ask("pending").ask(answers(world, world.cast.pending)).status_code == 303


# --- giving ---------------------------------------------------------------------------------------


def test_access_given_unasked_waits_for_the_terms_and_says_who_gave_it(
    ask: Ask, world: World, approver: Desk, client: FlaskClient
) -> None:
    holder = world.cast.applicant
    answer = approver.send("grant", user=holder.username)
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert not fetches(world, holder, client)
    assert_refused(approver.send("grant", user=holder.username), 400, "already has access")
    builders.accept(world.house, holder, RESEARCH)
    assert fetches(world, holder, client)
    (grant,) = grants.mine(world.house, context(holder.actor))
    longest = world.models["T3"].tier.grant_days
    assert grant.last_day == context().now.date() + timedelta(days=longest)
    assert grant.application_id is None
    item = next(
        item
        for item in approver.list("accepted").get_json()
        if item["user"]["user"] == holder.username
    )
    assert (item["grantedBy"], item["requestId"]) == ("approver-user", grant.id)
    assert "email" not in item["user"]
    shown = client.get("/api/v1/grants", headers=holder.headers).get_json()["items"]
    assert (shown[0]["application"], shown[0]["agreement"], shown[0]["purpose"]) == (None, None, "")
    # Nobody asked: taken back it is over, and given anew it is given.
    assert approver.handle(holder, "pending").status_code == 200
    assert not fetches(world, holder, client)
    assert approver.names("rejected") == [holder.username]
    assert_refused(approver.handle(holder, "pending"), 409, "never asked")
    assert_refused(approver.handle(holder, "accepted"), 409, "never asked")
    assert approver.send("grant", user=holder.username).status_code == 200
    assert fetches(world, holder, client)
    assert audit.compare(world.house) == []


def test_nothing_is_given_beside_a_decision_that_is_due(
    approver: Desk, world: World, client: FlaskClient
) -> None:
    case = case_of(world, world.cast.pending)
    assert_refused(approver.send("grant", user="pending-user"), 409, case.id)
    holder = world.cast.researcher
    assert_refused(approver.send("grant", user=holder.username), 400, "already has access")
    assert_refused(approver.send("grant", user="owner-user"), 400, "already has access")
    (grant,) = grants.mine(world.house, context(holder.actor))
    grants.change(world.house, context(), grant.id, GrantCommand.SUSPEND, EndReason.LEAK, "")
    assert_refused(approver.send("grant", user=holder.username), 409, "suspended")
    assert not fetches(world, holder, client)


@pytest.mark.parametrize(("tier", "words"), [("T4", "two approvers"), ("T5", "not distributed")])
def test_what_one_approver_may_not_decide_is_not_given(
    approver: Desk, world: World, tier: str, words: str
) -> None:
    approver.model = world.models[tier].full_name
    assert_refused(approver.send("grant", user="applicant-user"), 403, words)


def test_only_an_approver_gives_and_only_to_whom_may_be_granted(ask: Ask, world: World) -> None:
    for key in ("handler", "compliance"):
        assert_refused(ask(key).send("grant", user="applicant-user"), 403, "approver")
    approver = ask("approver")
    assert_refused(approver.send("grant", user="nobody-user"), 404, "User not found")
    assert_refused(approver.send("grant", user="stranger-user"), 403, "not verified")
    members.set_suspended(
        world.house, context(), world.cast.applicant.email, "leak", suspended=True
    )
    assert_refused(approver.send("grant", user="applicant-user"), 403, "suspended")
    assert approver.names("accepted") == ["researcher-user"]


def test_a_hidden_model_is_given_and_then_there_for_its_holder(
    ask: Ask, world: World, client: FlaskClient
) -> None:
    approver, holder = ask("approver"), world.cast.applicant
    approver.model = world.models["hidden"].full_name
    builders.accept(world.house, holder, RESEARCH)
    assert approver.send("grant", user=holder.username).status_code == 200
    assert fetches(world, holder, client, "hidden")


# --- lists and the report -------------------------------------------------------------------------


def test_a_long_list_goes_on_by_its_link_and_names_everybody_once(
    approver: Desk, world: World
) -> None:
    for number in range(13):
        builders.apply_for(world.house, hire_one(world.house, f"ask{number}"), world.models["T3"])
    everybody = approver.names()
    assert len(everybody) == len(set(everybody)) == 14
    assert approver.list().headers.get("Link") is None
    first = approver.list(limit=10)
    address, _, rel = first.headers["Link"].partition(">")
    assert rel == '; rel="next"'
    assert address.startswith("<http://localhost/api/models/northfield/lyra-t3/")
    parts = urlsplit(address[1:])
    second = approver.client.get(f"{parts.path}?{parts.query}", headers=approver.headers)
    assert second.headers.get("Link") is None
    found = [item["user"]["user"] for item in [*first.get_json(), *second.get_json()]]
    assert found == everybody
    assert len(approver.names(limit=1)) == 10  # no page is smaller
    assert approver.names(q="ASK1") == [f"ask{n}-user" for n in (1, 10, 11, 12)]
    assert approver.names(q="%") == approver.names(q="_") == []


@pytest.mark.parametrize(
    "asked",
    [
        {"after": "x"},
        {"after": "W10="},
        {"after": "WyJzb29uIiwgIngiXQ=="},
        {"limit": "-1"},
        {"limit": "many"},
        {"q": "x" * 501},
        {"q": "\x00"},
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(
    approver: Desk, asked: dict[str, str]
) -> None:
    assert_refused(approver.list(**asked), 400)


def test_only_the_newest_of_a_persons_states_is_listed(
    approver: Desk, world: World, tmp_path: Path
) -> None:
    lead, model = world.cast.pending, world.models["T3"]
    assert approver.handle(lead, "rejected", rejectionReason="No").status_code == 200
    builders.apply_for(world.house, lead, model)
    assert (approver.names(), approver.names("rejected")) == ([lead.username], [])
    assert approver.handle(lead, "accepted").status_code == 200
    assert lead.username in approver.names("accepted")
    assert (approver.names(), approver.names("rejected")) == ([], [])
    grant = grants.mine(world.house, context(lead.actor))[0]
    ctx = context(lead.actor)
    grants.change(world.house, ctx, grant.id, GrantCommand.RELINQUISH)
    assert grants.mine(world.house, ctx)[0].stored_state is GrantState.RELINQUISHED
    for status in ("pending", "accepted", "rejected"):
        assert lead.username not in approver.names(status), status


def test_the_report_is_one_file_of_everybody(ask: Ask, world: World, approver: Desk) -> None:
    approver.handle(world.cast.pending, "rejected", rejectionReason="No")
    path = "/northfield/lyra-t3/user-access-report"
    answer = approver.client.get(path, headers=approver.headers)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    told = {line["user"]: line for line in answer.get_json()}
    assert {name: line["status"] for name, line in told.items()} == {
        "researcher-user": "accepted",
        "pending-user": "rejected",
    }
    pending = told["pending-user"]
    assert (pending["email"], pending["fullname"]) == (
        world.cast.pending.email,
        world.cast.pending.name,
    )
    assert pending["reviewedAt"] >= pending["time"]
    weak = ask("owner")
    assert weak.client.get(path, headers=weak.headers).status_code == 403
