"""Applying: nothing typed is lost, nobody reads another's case, each state says the way on."""

from __future__ import annotations

import html
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gatekeeper.domain.agreements import Change
from gatekeeper.domain.applications import (
    Application,
    ApplicationState,
    Outcome,
    RejectReason,
)
from gatekeeper.domain.errors import Invalid
from gatekeeper.domain.grants import GrantCommand, GrantState
from gatekeeper.services import agreements, grants, registration
from gatekeeper.services.applications import decisions, drafts, reading
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.applications.drafts import Submission, Typed
from tests import builders
from tests.builders import COMMUNITY, RESEARCH, World
from tests.cast import Cast, Member, context
from tests.conftest import Site
from tests.http.pages.conftest import Browser, Open

T3 = "/apply/northfield/lyra-t3"
T2 = "/apply/northfield/lyra-t2"
PURPOSE = 'Whether readers notice.\nA second line, <b>bold</b> & "quoted".'


@pytest.fixture
def me(browser: Open, world: World) -> Browser:
    """The browser of `applicant`: verified, and nothing accepted."""
    return browser(world.cast.applicant)


def filled(world: World, member: Member, act: str = "submit", **more: Any) -> dict[str, Any]:
    """Return the whole form as somebody would fill it in."""
    signing = builders.signing(world.house, member, RESEARCH)
    return {
        "act": act,
        "version": "0",
        "purpose": PURPOSE,
        "public_summary": "Do readers notice?",
        **{f"answer-{name}": text for name, text in builders.answers(member).items()},
        f"sha256-{RESEARCH}": signing.sha256,
        f"clause-{RESEARCH}": list(signing.clauses),
        "typed_name": signing.typed_name,
        **more,
    }


def cases(world: World, member: Member) -> list[Application]:
    """Return somebody's applications, newest first."""
    return list(reading.mine(world.house, context(member.actor)).applications)


def kept(world: World, member: Member) -> list[Any]:
    """Return somebody's drafts."""
    return list(reading.mine(world.house, context(member.actor)).drafts)


def values(answer: TestResponse) -> dict[str, str]:
    """Return what the controls of a form hold: texts, and what is chosen or ticked."""
    found = {}
    text = answer.text
    for name, value in re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', text):
        found[name] = html.unescape(value)
    for tag in re.findall(r"<input [^>]+>", text):
        name = re.search(r' name="([^"]+)"', tag)
        value = re.search(r' value="([^"]*)"', tag)
        is_box = 'type="checkbox"' in tag or 'type="radio"' in tag
        if name and value and (not is_box or " checked" in tag):
            found[name[1]] = html.unescape(value[1])
    for name, inside in re.findall(
        r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', text, re.DOTALL
    ):
        chosen = re.search(r'value="([^"]*)" selected', inside)
        found[name] = chosen[1] if chosen else ""
    return found


def ticks(answer: TestResponse) -> int:
    """Return how many clauses are ticked."""
    return len(re.findall(r'name="clause-[^"]+" value="[^"]+" checked', answer.text))


# --- the whole way ---


def test_from_the_terms_to_the_bytes(browser: Open, world: World, cast: Cast) -> None:
    me = browser(cast.applicant)
    sent = me.send(T3, **filled(world, cast.applicant))
    assert sent.status_code == 303
    page = me.get(sent.headers["Location"])
    assert "It waits for a reviewer." in page.text
    assert PURPOSE in html.unescape(page.text)
    case = cases(world, cast.applicant)[0]
    assert (case.purpose, case.state) == (PURPOSE, ApplicationState.SUBMITTED)
    assert kept(world, cast.applicant) == []
    builders.decide(
        world.house, cast.handler, case.id, Decision(VerdictKind.ASK, 0, "Where is it kept?")
    )
    asked = me.get(f"/applications/{case.id}")
    assert "Where is it kept?" in asked.text
    assert 'name="answer-study"' in asked.text
    form = {**values(asked), "answer-study": "A better study", "message": "On one\r\ndisk."}
    back = me.send(f"/applications/{case.id}/answer", page=f"/applications/{case.id}", **form)
    assert back.status_code == 303
    case = cases(world, cast.applicant)[0]
    assert case.answers["study"] == "A better study"
    assert case.state is ApplicationState.IN_REVIEW or case.state is ApplicationState.SUBMITTED
    builders.decide(world.house, cast.approver, case.id, Decision(VerdictKind.APPROVE, 0, "Good."))
    done = me.text(f"/applications/{case.id}")
    for words in ("It was approved.", "On one\ndisk.", "Good.", "Access: active, until"):
        assert words in done
    link = me.send("/access/northfield/lyra-t3/links", page="/access/northfield/lyra-t3",
                   download=builders.WEIGHTS, revision="main")  # fmt: skip
    assert me.get(link.headers["Location"]).status_code == 200


def test_accepting_the_terms_is_enough_for_an_agreement_model(me: Browser, world: World) -> None:
    to = me.get(T2).headers["Location"]
    assert to == f"/agreements/{COMMUNITY}?model=northfield/lyra-t2"
    page = me.get(to)
    assert "Signing opens" in page.text
    signing = builders.signing(world.house, world.cast.applicant, COMMUNITY)
    done = me.send(
        to, **{f"sha256-{COMMUNITY}": signing.sha256, "typed_name": signing.typed_name,
               f"clause-{COMMUNITY}": list(signing.clauses)},
    )  # fmt: skip
    receipt = me.get(done.headers["Location"])
    assert "Granted on acceptance." in receipt.text
    assert signing.sha256 in receipt.text
    assert re.search(r"Ledger entry</dt><dd>\d+<", receipt.text)
    assert 'class="btn p" href="/access/northfield/lyra-t2"' in receipt.text
    assert me.get("/access/northfield/lyra-t2").status_code == 200
    assert me.get(T2).headers["Location"] == "/access/northfield/lyra-t2"


def test_a_relinquished_agreement_model_is_opened_by_signing_again(
    me: Browser, world: World
) -> None:
    cast = world.cast
    builders.accept(world.house, cast.applicant, COMMUNITY)
    held = grants.mine(world.house, context(cast.applicant.actor))[0]
    grants.change(world.house, context(cast.applicant.actor), held.id, GrantCommand.RELINQUISH)
    page = me.get(me.get(T2).headers["Location"])
    assert "signing once more opens it again" in page.text
    signing = builders.signing(world.house, cast.applicant, COMMUNITY)
    me.send(
        f"/agreements/{COMMUNITY}?model=northfield/lyra-t2",
        **{f"sha256-{COMMUNITY}": signing.sha256, "typed_name": signing.typed_name,
           f"clause-{COMMUNITY}": list(signing.clauses)},
    )  # fmt: skip
    now = context().now
    states = {g.state(now) for g in grants.mine(world.house, context(cast.applicant.actor))}
    assert states == {GrantState.RELINQUISHED, GrantState.ACTIVE}


# --- where somebody belongs who has no form to fill in ---


@pytest.mark.parametrize(
    ("key", "tier", "to"),
    [
        (None, "t3", "/sign-in?next=/apply/northfield/lyra-t3"),
        ("researcher", "t3", "/access/northfield/lyra-t3"),
        ("owner", "t4", "/access/northfield/lyra-t4"),
        ("applicant", "t0", "/access/northfield/lyra-t0"),
        ("applicant", "t1", "/access/northfield/lyra-t1"),
        ("stranger", "t1", "/account"),
        ("pending", "t3", "/applications/GK-"),
    ],
)
def test_who_needs_no_form_is_sent_on(
    browser: Open, world: World, key: str | None, tier: str, to: str
) -> None:
    answer = browser(world.cast[key] if key else None).get(f"/apply/northfield/lyra-{tier}")
    assert answer.status_code in {302, 303}
    assert answer.headers["Location"].startswith(to)


@pytest.mark.parametrize(("name", "status"), [("lyra-t5", 403), ("lyra-hidden", 404), ("no", 404)])
def test_what_cannot_be_applied_for_has_no_form(me: Browser, name: str, status: int) -> None:
    assert me.get(f"/apply/northfield/{name}").status_code == status
    sent = me.send(f"/apply/northfield/{name}", page=T3, purpose="p", act="submit", version="0")
    assert sent.status_code == status
    saved = me.send(f"/apply/northfield/{name}/draft", page=T3, purpose="p", version="0")
    assert saved.status_code == status


# --- nothing typed is lost ---


def test_a_form_with_faults_shows_each_and_keeps_every_word(me: Browser, world: World) -> None:
    wrong = {"answer-study": "", "answer-until": "soon", "answer-country": "XX",
             f"clause-{RESEARCH}": ["1", "3"], "typed_name": "Somebody"}  # fmt: skip
    form = filled(world, world.cast.applicant, **wrong)
    answer = me.send(T3, **form)
    assert answer.status_code == 422
    for field in ("answer-study", "answer-until", "answer-country", f"clause-{RESEARCH}",
                  "typed_name"):  # fmt: skip
        assert f'<a href="#f-{field}">' in answer.text
        assert f'id="f-{field}-error"' in answer.text
    found = values(answer)
    assert found["purpose"] == PURPOSE
    assert found["typed_name"] == "Somebody"
    assert found["answer-until"] == "soon"
    assert found["answer-group"] == form["answer-group"]
    assert found["answer-kind"] == "Safety"
    assert ticks(answer) == 2
    assert cases(world, world.cast.applicant) == []
    assert kept(world, world.cast.applicant)[0].purpose == PURPOSE
    again = me.send(T3, **{**filled(world, world.cast.applicant), "version": found["version"]})
    assert again.status_code == 303


def test_saving_leaves_a_draft_that_comes_back(me: Browser, world: World) -> None:
    form = filled(world, world.cast.applicant, act="save", purpose="One\r\ntwo")
    assert me.send(T3, **form).headers["Location"] == "/applications"
    listed = me.text("/applications")
    assert "Your draft is saved." in listed
    assert "Go on" in listed
    found = values(me.get(T3))
    assert found["purpose"] == "One\ntwo"
    assert found["answer-kind"] == "Safety"
    draft = kept(world, world.cast.applicant)[0]
    assert me.get(f"/applications/{draft.application_id}").headers["Location"] == T3
    assert me.send(T3, act="discard", version="1").headers["Location"] == "/northfield/lyra-t3"
    assert "Your draft is discarded." in me.text("/northfield/lyra-t3")
    assert kept(world, world.cast.applicant) == []


def test_the_draft_saves_as_it_is_typed(me: Browser, world: World) -> None:
    at = f"{T3}/draft"
    first = me.send(at, page=T3, purpose="a", version="0")
    assert first.json == {"version": 1}
    second = me.send(at, page=T3, purpose="ab", version="1")
    assert second.json == {"version": 2}
    stale = me.send(at, page=T3, purpose="other", version="1")
    assert (stale.status_code, stale.json) == (409, {"version": 2})
    assert me.send(at, page=T3, purpose="z", version="0").status_code == 409
    same = me.send(at, page=T3, purpose="ab", version="0")
    assert same.json == {"version": 2}  # the same words are no conflict
    assert me.send(at, page=T3, purpose="x" * 5000, version="2").status_code == 422
    assert kept(world, world.cast.applicant)[0].purpose == "ab"


def test_a_draft_changed_in_another_window_is_not_overwritten(me: Browser, world: World) -> None:
    me.send(f"{T3}/draft", page=T3, purpose="in the other window", version="0")
    form = filled(world, world.cast.applicant, version="0")
    answer = me.send(T3, **form)
    assert answer.status_code == 409
    assert values(answer)["purpose"] == PURPOSE
    assert ticks(answer) == 3
    assert kept(world, world.cast.applicant)[0].purpose == "in the other window"
    assert cases(world, world.cast.applicant) == []
    now = values(answer)["version"]
    assert me.send(T3, **{**form, "version": now}).status_code == 303


def test_a_second_window_sends_nothing_twice(me: Browser, world: World) -> None:
    form = filled(world, world.cast.applicant)
    csrf = values(me.get(T3))["csrf_token"]
    assert me.send(T3, **form).status_code == 303
    answer = me.client.post(T3, data={**form, "purpose": "other words", "csrf_token": csrf})
    assert answer.status_code == 409
    assert values(answer)["purpose"] == "other words"
    assert "You have applied already." in answer.text
    assert len(cases(world, world.cast.applicant)) == 1
    assert kept(world, world.cast.applicant) == []


@pytest.mark.parametrize("version", ["", "x", "²", "-1", "9" * 60, "1.5", "\u0661"])
def test_a_nonsense_version_is_a_stale_one(me: Browser, world: World, version: str) -> None:
    me.send(f"{T3}/draft", page=T3, purpose="a", version="0")
    answer = me.send(T3, **filled(world, world.cast.applicant, version=version))
    assert answer.status_code == 409
    assert values(answer)["purpose"] == PURPOSE


@pytest.mark.parametrize(
    ("field", "text"),
    [("purpose", "x" * 4001), ("answer-study", "y" * 9000), ("public_summary", "z" * 1001)],
)
def test_a_text_over_its_limit_is_shown_and_named(
    me: Browser, world: World, field: str, text: str
) -> None:
    for act in ("save", "submit"):
        answer = me.send(T3, **filled(world, world.cast.applicant, act=act, **{field: text}))
        assert answer.status_code == 422
        assert f'<a href="#f-{field}">' in answer.text
        assert values(answer)[field] == text


def test_ten_megabytes_are_too_many_and_the_draft_stays(me: Browser, world: World) -> None:
    me.send(f"{T3}/draft", page=T3, purpose="small", version="0")
    answer = me.send(T3, purpose="x" * 10_000_000, act="save", version="1")
    assert answer.status_code in {413, 422}
    assert kept(world, world.cast.applicant)[0].purpose == "small"


def test_terms_that_changed_while_they_were_read_are_ticked_anew(me: Browser, world: World) -> None:
    form = filled(world, world.cast.applicant)
    builders.publish_agreement(world.house, RESEARCH, edition="second")
    answer = me.send(T3, **form)
    assert answer.status_code == 409
    assert "The terms have changed." in answer.text
    assert "of the second edition" in answer.text
    assert ticks(answer) == 0
    assert values(answer)["purpose"] == PURPOSE
    assert values(answer)[f"sha256-{RESEARCH}"] != form[f"sha256-{RESEARCH}"]
    assert agreements.mine(world.house, context(world.cast.applicant.actor)) == []
    fresh = filled(world, world.cast.applicant, version=values(answer)["version"])
    assert me.send(T3, **fresh).status_code == 303


def test_an_unverified_person_fills_in_and_cannot_send(browser: Open, world: World) -> None:
    stranger = world.cast.stranger
    one = browser(stranger)
    assert "Your address is not verified yet." in one.text(T3)
    answer = one.send(T3, **filled(world, stranger))
    assert answer.status_code == 403
    assert "Follow the mail we sent you" in answer.text
    assert values(answer)["purpose"] == PURPOSE
    assert kept(world, stranger)[0].purpose == PURPOSE
    assert cases(world, stranger) == []


def test_answers_of_an_earlier_application_are_filled_in(
    browser: Open, world: World, cast: Cast
) -> None:
    page = browser(cast.pending).get("/apply/northfield/lyra-t4")  # T4 asks the same questions
    assert f"Filled in from {cases(world, cast.pending)[0].id}." in page.text
    found = values(page)
    assert found["answer-study"] == builders.answers(cast.pending)["study"]
    assert found["purpose"] == ""
    assert kept(world, cast.pending) == []


# --- after it was sent ---


def refuse(world: World, case: Application, **more: Any) -> None:
    """Refuse a case."""
    decision = Decision(VerdictKind.REJECT, 0, "Say <i>more</i>.", RejectReason.PURPOSE_UNCLEAR)
    builders.decide(world.house, world.cast.approver, case.id, replace(decision, **more))


def test_a_refusal_has_its_reason_and_a_way_back_with_the_old_answers(
    browser: Open, world: World, cast: Cast
) -> None:
    one, case = browser(cast.pending), cases(world, cast.pending)[0]
    refuse(world, case)
    decisions.post_message(
        world.house, context(cast.handler.actor), case.id, "A later word", internal=False
    )
    page = one.get(f"/applications/{case.id}")
    why = page.text.split("Why, and the way back")[1].split("</section>")[0]
    assert "The purpose is unclear." in why
    assert "Say &lt;i&gt;more&lt;/i&gt;." in why
    assert "A later word" not in why
    href = re.search(r'class="btn p" href="(/apply/[^"]+)"', why)
    assert href is not None
    again = values(one.get(html.unescape(href[1])))
    assert again["purpose"] == case.purpose
    assert again["public_summary"] == case.public_summary
    assert again["answer-study"] == case.answers["study"]


@pytest.mark.parametrize(
    ("more", "words", "may"),
    [
        ({"outcome": Outcome.FIXABLE}, "Mend what is missing", True),
        ({"outcome": Outcome.APPEALABLE}, "ask for another look", True),
        ({"outcome": Outcome.FINAL}, "This decision is final.", False),
        ({"outcome": Outcome.AFTER, "after_on": date(2099, 1, 5)}, "after 5 Jan 2099", False),
    ],
)
def test_each_way_back_is_said_and_kept_to(
    browser: Open, world: World, more: Mapping[str, Any], words: str, may: bool
) -> None:
    member = world.cast.pending
    one, case = browser(member), cases(world, member)[0]
    refuse(world, case, **more)
    text = re.sub(r"<[^>]+>", "", one.text(f"/applications/{case.id}"))
    assert words in text
    assert ("Apply again with these answers" in text) is may
    form = one.get(T3)
    assert form.status_code == (200 if may else 303)
    if not may:
        assert form.headers["Location"] == f"/applications/{case.id}"


def test_withdrawing_takes_the_version_that_was_seen(
    browser: Open, world: World, cast: Cast
) -> None:
    one, case = browser(cast.pending), cases(world, cast.pending)[0]
    page = f"/applications/{case.id}"
    seen = values(one.get(page))["version"]
    decisions.claim(world.house, context(cast.handler.actor), case.id, case.version)
    stale = one.send(f"{page}/withdraw", page=page, version=seen)
    assert stale.status_code == 409
    assert "It changed meanwhile." in stale.text
    assert one.send(f"{page}/withdraw", page=page, version="2").status_code == 303
    assert "You withdrew it." in one.text(page)
    assert "Apply again with these answers" in one.text(page)
    assert one.send(f"{page}/withdraw", page=page, version="3").status_code == 409


@pytest.mark.parametrize("text", ["", "  \r\n", "x" * 8001])
def test_a_message_that_will_not_do_comes_back(
    browser: Open, world: World, cast: Cast, text: str
) -> None:
    one, case = browser(cast.pending), cases(world, cast.pending)[0]
    page = f"/applications/{case.id}"
    answer = one.send(f"{page}/message", page=page, text=text)
    assert answer.status_code == 422
    assert values(answer)["text"] == text.replace("\r\n", "\n")
    assert 'id="f-text-error"' in answer.text


def test_an_answer_that_will_not_do_comes_back(browser: Open, world: World, cast: Cast) -> None:
    one, case = browser(cast.pending), cases(world, cast.pending)[0]
    page = f"/applications/{case.id}"
    ask = Decision(VerdictKind.ASK, 0, "When?", fields=["until"])
    builders.decide(world.house, cast.handler, case.id, ask)
    shown = values(one.get(page))
    assert "answer-until" in shown
    assert "answer-study" not in shown  # the reviewer named one question
    bad = one.send(f"{page}/answer", page=page, **{**shown, "answer-until": "soon",
                                                   "message": "words"})  # fmt: skip
    assert bad.status_code == 422
    assert (values(bad)["answer-until"], values(bad)["message"]) == ("soon", "words")
    long = one.send(f"{page}/answer", page=page, **{**shown, "message": "x" * 8001})
    assert (long.status_code, len(values(long)["message"])) == (422, 8001)
    stale = one.send(f"{page}/answer", page=page, **{**shown, "version": "1", "message": "words"})
    assert stale.status_code == 409
    assert values(stale)["message"] == "words"
    good = one.send(f"{page}/answer", page=page, **{**shown, "answer-until": "2027-02-02"})
    assert good.status_code == 303
    case = cases(world, cast.pending)[0]
    assert case.answers["until"] == "2027-02-02"
    assert case.answers["study"] == builders.answers(cast.pending)["study"]
    late = one.send(f"{page}/answer", page=page, **{**shown, "message": "too late"})
    assert late.status_code == 409
    assert values(late)["text"] == "too late"


def test_an_answer_whose_message_is_not_kept_is_not_sent(
    browser: Open, site: Site, world: World, cast: Cast
) -> None:
    one, case = browser(cast.pending), cases(world, cast.pending)[0]
    page = f"/applications/{case.id}"
    builders.decide(world.house, cast.handler, case.id, Decision(VerdictKind.ASK, 0, "When?"))
    shown = values(one.get(page))
    database = sqlite3.connect(site.data / "gatekeeper.db")
    fault = "BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'planted'); END"
    database.execute(f"CREATE TRIGGER planted {fault}")
    answer = one.send(f"{page}/answer", page=page, **{**shown, "message": "words"})
    assert answer.status_code >= 500
    assert cases(world, cast.pending)[0].state is ApplicationState.INFO_REQUESTED
    database.execute("DROP TRIGGER planted")
    database.close()
    answer = one.send(f"{page}/answer", page=page, **{**shown, "message": "words"})
    assert answer.status_code == 303
    assert cases(world, cast.pending)[0].state is ApplicationState.SUBMITTED
    assert "words" in one.text(page)
    long = Submission(message="x" * 8001)
    with pytest.raises(Invalid, match="message"):
        drafts.submit(world.house, context(cast.pending.actor), case.id, long)


def test_new_terms_stop_an_answer_and_lose_nothing(browser: Open, world: World, cast: Cast) -> None:
    one, case = browser(cast.pending), cases(world, cast.pending)[0]
    page = f"/applications/{case.id}"
    builders.decide(world.house, cast.handler, case.id, Decision(VerdictKind.ASK, 0, "When?"))
    shown = values(one.get(page))
    builders.publish_agreement(world.house, RESEARCH, change=Change.MATERIAL, edition="second")
    answer = one.send(f"{page}/answer", page=page, **{**shown, "answer-study": "New words",
                                                      "message": "and more"})  # fmt: skip
    assert answer.status_code == 403
    assert "have changed" in answer.text
    assert values(answer)["message"] == "and more"
    assert values(answer)["answer-study"] == "New words"
    builders.accept(world.house, cast.pending, RESEARCH)
    assert values(one.get(page))["answer-study"] == "New words"


# --- whose it is ---


OTHERS = ("applicant", "researcher", "stranger", "owner", "handler", "approver", "compliance")


@pytest.mark.parametrize("key", OTHERS)
def test_nobody_else_reads_or_moves_an_application(browser: Open, world: World, key: str) -> None:
    one, case = browser(world.cast[key]), cases(world, world.cast.pending)[0]
    page = f"/applications/{case.id}"
    tails = ("message", "answer", "withdraw")
    form = {"text": "x", "version": "1"}
    tried = [one.send(f"{page}/{tail}", page="/applications", **form) for tail in tails]
    for answer in (one.get(page), *tried):
        assert answer.status_code == 404
        assert world.cast.pending.canary not in answer.text
    assert world.cast.pending.canary not in one.text("/applications")
    assert cases(world, world.cast.pending)[0].version == case.version


def test_nobody_else_reads_a_draft(browser: Open, world: World, cast: Cast) -> None:
    mine = drafts.start(
        world.house, context(cast.applicant.actor), [world.name("T3")], Typed(purpose="secret one")
    )
    case = cases(world, cast.pending)[0]
    for key in ("stranger", "handler"):
        one = browser(cast[key])
        assert one.get(f"/applications/{mine.application_id}").status_code == 404
        assert "secret one" not in one.text(f"{T3}?copy={mine.application_id}")
        assert cast.pending.canary not in one.text(f"{T3}?copy={case.id}")


def test_a_receipt_is_its_signers_alone(browser: Open, world: World, cast: Cast) -> None:
    accepted = agreements.mine(world.house, context(cast.researcher.actor))[0][0]
    path = f"/agreements/{RESEARCH}/receipts/{accepted.id}"
    assert cast.researcher.name in browser(cast.researcher).text(path)
    assert browser(cast.researcher).get(path.replace(RESEARCH, COMMUNITY)).status_code == 404
    for key in ("applicant", "owner", "compliance", "admin"):
        assert browser(cast[key]).get(path).status_code == 404
    assert browser().get(path).headers["Location"].startswith("/sign-in?next=/agreements/")


def test_who_leads_a_case_never_reads_the_notes_about_it(
    browser: Open, world: World, cast: Cast
) -> None:
    case = builders.apply_for(world.house, cast.handler, world.models["T3"])
    decisions.post_message(
        world.house, context(cast.approver.actor), case.id, "zqnotezq", internal=True
    )
    text = browser(cast.handler).text(f"/applications/{case.id}")
    assert "zqnotezq" not in text


# --- agreements ---


def test_an_agreement_is_read_by_everybody(browser: Open, world: World) -> None:
    text = browser().text(f"/agreements/{RESEARCH}")
    assert "You keep to rule 1 of the first edition." in text
    assert f'href="/sign-in?next=/agreements/{RESEARCH}"' in text
    assert browser().cookie == ""
    for tail in ("none", *(f"{RESEARCH}?version={v}" for v in ("9", "x", "0", "9" * 99))):
        assert browser().get(f"/agreements/{tail}").status_code == 404


def test_a_signature_that_will_not_do_keeps_its_ticks(me: Browser, world: World) -> None:
    path = f"/agreements/{RESEARCH}"
    sha256 = agreements.show(world.house, RESEARCH).sha256
    form = {f"sha256-{RESEARCH}": sha256, f"clause-{RESEARCH}": ["1", "2"], "typed_name": "Nobody"}
    answer = me.send(path, **form)
    assert answer.status_code == 422
    assert ticks(answer) == 2
    assert values(answer)["typed_name"] == "Nobody"
    assert f'<a href="#f-clause-{RESEARCH}">' in answer.text
    other = me.send(path, **{**form, f"sha256-{RESEARCH}": "0" * 64, f"clause-{RESEARCH}": ["1"]})
    assert other.status_code == 409
    assert ticks(other) == 0
    assert agreements.mine(world.house, context(world.cast.applicant.actor)) == []


def test_what_changed_since_the_last_signature_is_said(
    browser: Open, world: World, cast: Cast
) -> None:
    one = browser(cast.researcher)
    assert "You accepted it" in one.text(f"/agreements/{RESEARCH}")
    builders.publish_agreement(world.house, RESEARCH, edition="second")
    text = one.text(f"/agreements/{RESEARCH}")
    assert "Changed since you last signed." in text
    assert "Before: You keep to rule 1 of the first edition." in text
    old = one.text(f"/agreements/{RESEARCH}?version=1")
    assert "This is an older version." in old
    assert "Receipt" in old
    assert "Sign</button>" not in old


def test_an_unverified_person_reads_and_cannot_sign(browser: Open, world: World) -> None:
    one, stranger = browser(world.cast.stranger), world.cast.stranger
    text = one.text(f"/agreements/{RESEARCH}")
    assert "Your address is not verified yet." in text
    assert "Sign</button>" not in text
    signing = builders.signing(world.house, stranger, RESEARCH)
    answer = one.send(
        f"/agreements/{RESEARCH}", page="/account",
        **{f"sha256-{RESEARCH}": signing.sha256, "typed_name": signing.typed_name,
           f"clause-{RESEARCH}": list(signing.clauses)},
    )  # fmt: skip
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "model", ["https://evil.example/x", "//evil.example", "a/b\r\nX: y", "northfield/lyra-hidden",
              "<script>/x", "javascript:alert(1)/x"],
)  # fmt: skip
def test_the_model_of_an_address_leads_nowhere_else(me: Browser, world: World, model: str) -> None:
    path = f"/agreements/{COMMUNITY}"
    signing = builders.signing(world.house, world.cast.applicant, COMMUNITY)
    page = me.client.get(path, query_string={"model": model})
    assert page.status_code == 200
    main = page.text.split("<main")[1]
    for bad in ("evil.example", "<script>", "javascript:", "lyra-hidden"):
        assert bad not in main
    csrf = values(page)["csrf_token"]
    done = me.client.post(
        path, query_string={"model": model},
        data={"csrf_token": csrf, f"sha256-{COMMUNITY}": signing.sha256,
              f"clause-{COMMUNITY}": list(signing.clauses), "typed_name": signing.typed_name},
    )  # fmt: skip
    assert re.fullmatch(r"/agreements/[a-z-]+/receipts/acc_\w+", done.headers["Location"])


# --- attacks ---


def test_what_people_wrote_is_text_everywhere(browser: Open, world: World, cast: Cast) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
    name, password = f"Mal {evil}"[:120], "four words here"
    typed = registration.Registration("mal@mal.example", "mallory", name, evil, password)
    registration.create_person(world.house, context(), typed, verified=True, role=None)
    mallory = replace(cast.applicant, email=typed.email, password=password, name=name)
    one = browser(mallory)
    form = filled(world, mallory, purpose=evil, public_summary=evil)
    form |= {"answer-study": evil, "answer-group": evil, "answer-institution": evil}
    wrong = one.send(T3, **{**form, "typed_name": evil})
    sent = one.send(T3, **{**form, "version": values(wrong)["version"]})
    assert sent.status_code == 303
    page = sent.headers["Location"]
    one.send(f"{page}/message", page=page, text=evil)
    answers = [wrong, one.get(page), one.get("/applications"), one.get("/apply/northfield/lyra-t4"),
               one.get(f"/agreements/{RESEARCH}")]  # fmt: skip
    for answer in answers:
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
    assert evil in html.unescape(answers[1].text)


@pytest.mark.parametrize(
    "path",
    [
        T3, f"{T3}/draft", "/applications/{case}/message", "/applications/{case}/answer",
        "/applications/{case}/withdraw", f"/agreements/{RESEARCH}",
    ],
)  # fmt: skip
def test_every_form_asks_for_its_token(browser: Open, world: World, path: str) -> None:
    member, case = world.cast.pending, cases(world, world.cast.pending)[0]
    one = browser(member)
    with world.house.db.reading() as read:
        before = read.audit.head().size
    form = {**filled(world, member), "text": "x", "version": "1"}
    for token in (
        {},
        {"csrf_token": "x"},
        {"csrf_token": values(browser().get("/sign-in"))["csrf_token"]},
    ):
        answer = one.client.post(path.format(case=case.id), data={**form, **token})
        assert answer.status_code == 400
    with world.house.db.reading() as read:
        assert read.audit.head().size == before
    assert kept(world, member) == []


def test_pages_of_applying_stay_small(browser: Open, world: World, cast: Cast) -> None:
    member = cast.applicant
    form = filled(world, member, purpose="<&>" * 1300)
    form |= {"answer-study": "<&>" * 1300}
    one = browser(member)
    sent = one.send(T3, **form)
    assert sent.status_code == 303
    for path in (sent.headers["Location"], "/applications", f"/agreements/{RESEARCH}"):
        assert len(one.get(path).get_data()) < 60_000
    assert len(browser(cast.stranger).get(T3).get_data()) < 60_000


def test_a_draft_of_several_models_asks_the_terms_of_each(
    browser: Open, world: World, cast: Cast
) -> None:
    drafts.start(
        world.house, context(cast.applicant.actor), [world.name("T3"), world.name("T4")],
        Typed(purpose="Both"),
    )  # fmt: skip
    one = browser(cast.applicant)
    page = one.get("/apply/northfield/lyra-t4")
    assert "Apply for Lyra-T4, Lyra-T3" in page.text or "lyra-t3" in page.text
    form = filled(world, cast.applicant, version=values(page)["version"])
    sent = one.send("/apply/northfield/lyra-t4", **form)
    assert sent.status_code == 303
    assert len(cases(world, cast.applicant)[0].models) == 2


def test_an_approved_case_says_what_became_of_the_access(
    browser: Open, world: World, cast: Cast
) -> None:
    one, case = browser(cast.researcher), cases(world, cast.researcher)[0]
    assert 'class="btn p" href="/access/northfield/lyra-t3"' in one.text(f"/applications/{case.id}")
    held = grants.mine(world.house, context(cast.researcher.actor))[0]
    grants.change(world.house, context(cast.researcher.actor), held.id, GrantCommand.RELINQUISH)
    text = re.sub(r"<[^>]+>", "", one.text(f"/applications/{case.id}"))
    assert "Access: given back" in text
    assert "Download" not in text
    assert held.ends_at > context().now + timedelta(days=1)
