"""The review desk: who may do what, what a stale or wrong form gives back, that text is text."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from gatekeeper.domain.applications import Application, ApplicationState
from gatekeeper.domain.grants import GrantState
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.services import members, people, registration
from gatekeeper.services.applications import decisions
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.applications.reading import QueueRow
from gatekeeper.web.pages import cases_list, desk
from tests import builders
from tests.builders import World
from tests.cast import Cast, Member, context
from tests.http.pages.conftest import Browser, Open

TYPED = "A long and careful text that must not be lost."


@pytest.fixture
def case(world: World) -> Application:
    """The open T3 case of `pending`."""
    return cases_of(world, world.cast.pending)[0]


@pytest.fixture
def double(world: World) -> Application:
    """An open T4 case of `applicant`: two approvals are needed."""
    return builders.apply_for(world.house, world.cast.applicant, world.models["T4"])


def cases_of(world: World, member: Member) -> list[Application]:
    """Return somebody's applications as they stand now."""
    with world.house.db.reading() as read:
        return read.applications.of_lead(member.id)


def state_of(world: World, case: Application) -> ApplicationState:
    """Return where a case stands now."""
    with world.house.db.reading() as read:
        found = read.applications.by_id(case.id)
    assert found is not None
    return found.state


def send(
    browser: Browser, case: Application, act: str = "decision", **form: object
) -> TestResponse:
    """Send one of the forms of a case, with the version that its page shows."""
    page = f"/review/{case.id}"
    version = re.search(r'name="version" value="(\d+)"', browser.get(page).get_data(as_text=True))
    shown = {"version": version[1]} if version is not None else {}
    return browser.send(f"{page}/{act}", page=page, **{**shown, **form})


def text_of(answer: TestResponse) -> str:
    """Return a page's text without its escapes."""
    return html.unescape(answer.get_data(as_text=True))


# --- who sees it ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["applicant", "researcher", "pending", "stranger", "owner", "admin"]
)
def test_the_desk_is_for_staff_alone(
    browser: Open, cast: Cast, case: Application, key: str
) -> None:
    member = browser(cast[key])
    assert member.get("/review").status_code == 403
    assert member.get(f"/review/{case.id}").status_code == 404
    answer = send(member, case, verdict="approve", version="1")
    assert answer.status_code in {400, 404}  # without a page there is no token either
    forced = member.send(
        f"/review/{case.id}/decision", page="/account", verdict="approve", version="1"
    )
    assert forced.status_code == 404
    assert case.purpose not in text_of(forced)


@pytest.mark.parametrize(
    ("key", "shown", "missing"),
    [
        ("approver", {"claim", "approve", "ask", "reject"}, set[str]()),
        ("handler", {"claim", "ask"}, {"approve", "reject"}),
        ("compliance", set[str](), {"claim", "approve", "ask", "reject"}),
    ],
)
def test_only_the_buttons_of_a_role_are_there_and_the_reason_stands_in_words(
    browser: Open, cast: Cast, case: Application, key: str, shown: set[str], missing: set[str]
) -> None:
    page = browser(cast[key]).text(f"/review/{case.id}")
    keys = {"claim": "c", "approve": "a", "ask": "q", "reject": "d"}
    assert all(f'data-key="{keys[name]}"' in page for name in shown)
    assert not any(f'data-key="{keys[name]}"' in page for name in missing)
    words = {
        "approver": "One approval is needed",
        "handler": "An approver decides",
        "compliance": "It approves nothing",
    }
    assert words[key] in page


def test_a_forged_decision_of_a_role_that_may_not_is_refused(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    for key in ("handler", "compliance"):
        assert send(browser(cast[key]), case, verdict="approve").status_code == 403
    assert state_of(world, case) is ApplicationState.SUBMITTED


def test_nobody_decides_their_own_case(browser: Open, world: World, cast: Cast) -> None:
    own = builders.apply_for(world.house, cast.approver2, world.models["T3"])
    staff = browser(cast.approver2)
    page = staff.text(f"/review/{own.id}")
    assert "nobody decides their own" in page
    assert 'data-key="a"' not in page
    forced = staff.send(
        f"/review/{own.id}/decision", page="/account", verdict="approve", version=str(own.version)
    )
    assert forced.status_code == 403
    assert state_of(world, own) is ApplicationState.SUBMITTED


# --- deciding -------------------------------------------------------------------------------------


def test_an_approval_opens_the_model(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    staff = browser(cast.approver)
    answer = send(staff, case, verdict="approve", note="Welcome.")
    assert answer.status_code == 303
    shown = staff.text(answer.headers["Location"])
    assert "Your approval is recorded" in shown
    assert "Welcome." in shown
    assert state_of(world, case) is ApplicationState.APPROVED


def test_two_people_approve_and_the_first_is_not_the_second(
    browser: Open, world: World, cast: Cast, double: Application
) -> None:
    first = browser(cast.approver)
    assert "Record first approval" in first.text(f"/review/{double.id}")
    assert send(first, double, verdict="approve").status_code == 303
    waiting = first.text(f"/review/{double.id}")
    assert "Another person gives the second" in waiting
    assert 'data-key="a"' not in waiting
    assert 'data-key="r"' not in waiting
    assert send(first, double, verdict="approve").status_code == 403
    second = browser(cast.approver2)
    page = second.text(f"/review/{double.id}")
    assert f"First approval by {cast.approver.name}" in page
    assert "Approve (second of two)" in page
    assert send(second, double, verdict="approve").status_code == 303
    assert state_of(world, double) is ApplicationState.APPROVED


def test_the_second_approver_may_return_a_case(
    browser: Open, world: World, cast: Cast, double: Application
) -> None:
    send(browser(cast.approver), double, verdict="approve")
    second = browser(cast.approver2)
    assert send(second, double, verdict="return", note="").status_code == 422
    assert send(second, double, verdict="return", note="Look again.").status_code == 303
    assert state_of(world, double) is ApplicationState.IN_REVIEW


def test_a_decided_case_is_reopened_from_its_page_and_gives_nothing_any_more(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    staff = browser(cast.approver)
    assert 'value="reopen"' not in staff.text(f"/review/{case.id}")
    assert send(staff, case, verdict="approve").status_code == 303
    assert 'value="reopen"' in staff.text(f"/review/{case.id}")
    assert 'value="reopen"' not in browser(cast.handler).text(f"/review/{case.id}")
    assert send(staff, case, verdict="reopen", note="").status_code == 422
    assert send(staff, case, verdict="reopen", note="Look again.").status_code == 303
    assert state_of(world, case) is ApplicationState.IN_REVIEW
    assert "Look again." in browser(cast.pending).text(f"/applications/{case.id}")
    with world.house.db.reading() as read:
        (grant,) = read.grants.of_application(case.id)
    assert grant.stored_state is GrantState.REVOKED


def test_a_question_goes_to_the_applicant_and_the_case_waits(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    staff = browser(cast.handler)
    assert send(staff, case, verdict="ask", note="Where are they kept?").status_code == 303
    assert state_of(world, case) is ApplicationState.INFO_REQUESTED
    waiting = staff.text("/review?view=waiting")
    assert f"/review/{case.id}?view=waiting" in waiting
    assert "Nothing is decided until they answer" in staff.text(f"/review/{case.id}")


def test_declining_needs_a_coded_reason_a_way_back_and_a_text(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    staff = browser(cast.approver)
    whole = {"reason": "out_of_scope", "outcome": "fixable", "note": TYPED}
    for lacking in whole:
        form = {**whole, lacking: ""}
        answer = send(staff, case, verdict="reject", **form)
        assert answer.status_code == 422, lacking
        assert f"f-reject-{lacking}-error" in text_of(answer), lacking
        assert lacking == "note" or TYPED in text_of(answer)
    after = {**whole, "outcome": "after"}
    assert send(staff, case, verdict="reject", **after, after_on="").status_code == 422
    assert state_of(world, case) is ApplicationState.SUBMITTED
    assert send(staff, case, verdict="reject", **whole).status_code == 303
    assert state_of(world, case) is ApplicationState.REJECTED


def test_an_end_beyond_the_tiers_longest_is_said_beside_the_field(
    browser: Open, cast: Cast, case: Application
) -> None:
    far = (context().now + timedelta(days=4000)).date().isoformat()
    for day in (far, "2020-01-01", "tomorrow"):
        answer = send(browser(cast.approver), case, verdict="approve", note=TYPED, ends_on=day)
        assert answer.status_code == 422
        assert "f-approve-ends_on-error" in text_of(answer)
        assert TYPED in text_of(answer)
        assert f'value="{day}"' in text_of(answer)


def test_a_shared_mail_domain_asks_why_it_is_no_conflict(
    browser: Open, world: World, cast: Cast
) -> None:
    colleague = replace(
        cast.applicant, email="colleague@approver.example", name="A Colleague", key="colleague"
    )
    typed = registration.Registration(
        colleague.email, "colleague", colleague.name, "Same house", colleague.password
    )
    person_id = registration.create_person(world.house, context(), typed, verified=True, role=None)
    case = builders.apply_for(world.house, replace(colleague, id=person_id), world.models["T3"])
    staff = browser(cast.approver)
    assert "You and the applicant share approver.example" in staff.text(f"/review/{case.id}")
    answer = send(staff, case, verdict="approve", note=TYPED)
    assert answer.status_code == 422
    assert "f-approve-override_note-error" in text_of(answer)
    assert TYPED in text_of(answer)
    note = "Another faculty; we never met."
    assert send(staff, case, verdict="approve", override_note=note).status_code == 303
    assert note in staff.text(f"/review/{case.id}")


def test_a_suspended_applicant_is_said_and_nothing_is_granted(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    members.set_suspended(world.house, context(), cast.pending.email, "test", suspended=True)
    answer = send(browser(cast.approver), case, verdict="approve", note=TYPED)
    assert answer.status_code == 422
    assert "account is suspended" in text_of(answer)
    assert TYPED in text_of(answer)
    assert state_of(world, case) is ApplicationState.SUBMITTED


# --- stale pages ----------------------------------------------------------------------------------


def test_a_stale_page_shows_the_present_state_and_keeps_the_text(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    slow = browser(cast.approver)
    seen = str(case.version)
    decisions.claim(world.house, context(cast.handler.actor), case.id, case.version)
    answer = send(slow, case, verdict="reject", version=seen, note=TYPED, reason="incomplete")
    page = text_of(answer)
    assert answer.status_code == 409
    assert "Somebody was faster" in page
    assert TYPED in page
    assert '<option value="incomplete" selected' in page
    assert f"with {cast.handler.name}" in page
    again = re.search(r'name="version" value="(\d+)"', page)
    assert again is not None
    assert again[1] != seen
    assert state_of(world, case) is ApplicationState.IN_REVIEW


def test_a_text_survives_even_when_its_form_is_gone(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    slow = browser(cast.approver)
    done = Decision(VerdictKind.APPROVE, 0)
    builders.decide(world.house, cast.approver2, case.id, done)
    answer = send(slow, case, verdict="reject", version=str(case.version), note=TYPED)
    assert answer.status_code == 409
    assert TYPED in text_of(answer)
    assert "Approved" in text_of(answer)


def test_of_two_claims_one_is_told(browser: Open, cast: Cast, case: Application) -> None:
    seen = str(case.version)
    assert send(browser(cast.handler), case, "claim", version=seen).status_code == 303
    late = send(browser(cast.approver), case, "claim", version=seen)
    assert late.status_code == 409
    assert f"with {cast.handler.name}" in text_of(late)


def test_a_form_without_a_version_has_seen_none(
    browser: Open, cast: Cast, case: Application
) -> None:
    for version in ("", "x", "-1", "9" * 30):
        answer = send(browser(cast.approver), case, verdict="approve", version=version)
        assert answer.status_code == 409


# --- the thread -----------------------------------------------------------------------------------


def test_a_note_stays_with_staff_and_a_message_reaches_the_applicant(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    staff = browser(cast.handler)
    assert send(staff, case, "message", text="Between us.", to="staff").status_code == 303
    assert send(staff, case, "message", text="Dear applicant.", to="applicant").status_code == 303
    shown = staff.text(f"/review/{case.id}")
    assert "Between us." in shown
    assert "Staff only" in shown
    with world.house.db.reading() as read:
        open_ones = [m.text for m in read.applications.messages(case.id, internal=False)]
    assert "Dear applicant." in open_ones
    assert "Between us." not in open_ones


def test_what_is_not_said_to_be_for_the_applicant_is_kept_from_them(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    send(browser(cast.handler), case, "message", text="Between us.")
    with world.house.db.reading() as read:
        assert "Between us." not in [
            m.text for m in read.applications.messages(case.id, internal=False)
        ]


def test_a_text_too_long_or_empty_comes_back(browser: Open, cast: Cast, case: Application) -> None:
    staff = browser(cast.handler)
    assert send(staff, case, "message", text="  ", to="staff").status_code == 422
    long = "word " * 2000
    answer = send(staff, case, "message", text=long, to="applicant")
    assert answer.status_code == 422
    assert long in text_of(answer)


def test_what_applicants_and_staff_write_is_never_markup(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    attack = "</textarea><script>alert(1)</script><img src=x onerror=alert(1)>"
    staff = browser(cast.handler)
    send(staff, case, "message", text=attack, to="applicant")
    send(staff, case, "message", text=attack, to="staff")
    refused = send(staff, case, verdict="ask", note=attack + "x" * 9000)
    for answer in (staff.get(f"/review/{case.id}"), refused):
        raw = answer.get_data(as_text=True)
        assert "<script>alert" not in raw
        assert "<img src=x" not in raw
        assert "&lt;script&gt;" in raw
    assert "<script>" not in staff.get(f"/review?model={attack}").get_data(as_text=True).replace(
        '<script src="/static/gk.js"></script>', ""
    )


# --- grants of a case -----------------------------------------------------------------------------


def granted(world: World) -> tuple[Application, str]:
    """Return the researcher's case and its grant."""
    case = cases_of(world, world.cast.researcher)[0]
    with world.house.db.reading() as read:
        return case, read.grants.of_application(case.id)[0].id


def test_a_grant_is_suspended_reinstated_and_revoked_from_its_case(
    browser: Open, world: World, cast: Cast
) -> None:
    case, grant = granted(world)
    staff = browser(cast.approver)
    for command, reason, state in (
        ("suspend", "leak", "Suspended"),
        ("reinstate", "", "Active"),
        ("revoke", "misuse", "Revoked"),
    ):
        answer = send(staff, case, "grant", grant=grant, command=command, reason=reason, note=TYPED)
        assert answer.status_code == 303, command
        assert state in staff.text(f"/review/{case.id}")
    late = send(staff, case, "grant", grant=grant, command="revoke", reason="misuse", note=TYPED)
    assert late.status_code == 409


def test_revoking_needs_a_coded_reason_and_keeps_the_text(
    browser: Open, world: World, cast: Cast
) -> None:
    case, grant = granted(world)
    answer = send(browser(cast.approver), case, "grant", grant=grant, command="revoke", note=TYPED)
    assert answer.status_code == 422
    assert TYPED in text_of(answer)


def test_a_handler_suspends_and_does_not_revoke(browser: Open, world: World, cast: Cast) -> None:
    case, grant = granted(world)
    staff = browser(cast.handler)
    page = staff.text(f"/review/{case.id}")
    assert "Suspend now" in page
    assert "Revoke now" not in page
    form = {"grant": grant, "reason": "leak"}
    assert send(staff, case, "grant", command="revoke", **form).status_code == 403
    assert send(staff, case, "grant", command="suspend", **form).status_code == 303


def test_a_grant_is_looked_up_through_its_case(
    browser: Open, world: World, cast: Cast, case: Application
) -> None:
    _, grant = granted(world)
    form = {"grant": grant, "command": "revoke", "reason": "leak"}
    assert send(browser(cast.approver), case, "grant", **form).status_code == 404


# --- the queue ------------------------------------------------------------------------------------


def test_the_segments_hold_what_they_say(
    browser: Open, world: World, cast: Cast, case: Application, double: Application
) -> None:
    send(browser(cast.approver), double, verdict="approve")
    staff = browser(cast.approver2)

    def listed(query: str) -> set[str]:
        return set(re.findall(r'href="/review/(GK-\w+)', staff.text(f"/review{query}")))

    assert listed("") == {case.id, double.id}
    assert listed("?view=second") == {double.id}
    assert listed("?view=waiting") == set()
    assert listed("?view=mine") == set()
    assert listed("?assignee=none") == {case.id}
    assert listed(f"?model={world.models['T4'].full_name}") == {double.id}
    assert listed("?model=northfield/nothing") == set()
    assert listed("?older_than=3") == set()
    send(staff, case, "claim")
    assert listed("?view=mine") == {case.id}


def test_an_overdue_case_says_so(world: World, case: Application) -> None:
    row = QueueRow(case, cast_person(world), [world.models["T3"]], None)
    assert case.submitted_at is not None
    fresh = desk.item(row, case.submitted_at + timedelta(days=2))
    late = desk.item(row, case.submitted_at + timedelta(days=11))
    assert (fresh.age, fresh.is_late) == ("2 d", False)
    assert (late.age, late.is_late) == ("6 d overdue", True)
    waiting = replace(row, application=replace(case, state=ApplicationState.INFO_REQUESTED))
    assert not desk.item(waiting, case.submitted_at + timedelta(days=11)).is_late


def cast_person(world: World) -> people.Person:
    """Return the lead of the open case."""
    with world.house.db.reading() as read:
        found = read.people.by_id(world.cast.pending.id)
    assert found is not None
    return found


def test_long_queues_are_read_page_by_page(
    browser: Open,
    cast: Cast,
    case: Application,
    double: Application,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cases_list, "CASES", 1)
    staff = browser(cast.approver)
    first = staff.text("/review")
    assert case.id in first
    assert double.id not in first
    more = re.search(r'rel="next" href="([^"]+)"', first)
    assert more is not None
    second = staff.text(more[1])
    assert double.id in second
    assert 'rel="next"' not in second


def test_a_question_names_fields_of_the_form_and_no_text_of_its_own(
    browser: Open, world: World, case: Application
) -> None:
    approver = browser(world.cast.approver)
    said = "Jane Doe jane.doe@uni.example"
    answer = send(approver, case, verdict="ask", note=TYPED, fields=["study", said])
    assert answer.status_code == 422
    assert "Answers to change" in text_of(answer)
    assert TYPED in text_of(answer)
    assert said not in text_of(answer)
    assert state_of(world, case) is ApplicationState.SUBMITTED
    answer = send(approver, case, verdict="ask", note=TYPED, fields=["study", "until", "study"])
    assert answer.status_code == 303
    with world.house.db.reading() as read:
        asked = read.audit.search(EntryFilter(subjects=[case.id], kinds=["InformationRequested"]))
    assert [entry.data["fields"] for entry in asked] == [["study", "until"]]
