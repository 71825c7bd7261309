"""Which mail a fact owes, against the mail column of governance.md 3.4; and never a secret."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest

from gatekeeper.domain.agreements import Change
from gatekeeper.domain.facts import Fact, codec
from gatekeeper.domain.facts.agreements import AgreementPublished
from gatekeeper.domain.facts.applications import ApplicationSubmitted, MessagePosted
from gatekeeper.domain.facts.grants import GrantCreated
from gatekeeper.domain.grants import GrantState
from gatekeeper.domain.notices import Notice, NoticeKind, ToTeam, owed
from gatekeeper.domain.people import Role
from gatekeeper.domain.sealed import Content, Sealed
from tests.unit.sample_facts import sample

# fact: mail > who, ... Facts that need nobody are not named.
TABLE = """
PersonRegistered          verify_address>ToPerson
PasswordSet               password_changed>ToPerson
PersonSuspended           account_suspended>ToPerson
ApplicationWithdrawn      application_withdrawn>ToAssignee
InformationRequested      question_asked>ToLead
ApplicationApprovedFirst  second_approval_waiting>ToTeam
ApplicationReturned       application_returned>ToAssignee
ApplicationRejected       application_rejected>ToLead
ApplicationReopened       application_reopened>ToLead
GrantActivated            access_ready>ToPerson
GrantSuspended            grant_suspended>ToPerson
GrantReinstated           grant_reinstated>ToPerson
GrantRevoked              grant_revoked>ToPerson
"""
OWED = {kind: set(mails) for kind, *mails in map(str.split, TABLE.strip().splitlines())}
# What they owe depends on their fields: told by the tests below.
DEPENDS = {"AgreementPublished", "ApplicationSubmitted", "MessagePosted", "GrantCreated"}


def mails(fact: Fact) -> set[str]:
    """Write what a fact owes as the table does."""
    return {f"{n.kind}>{type(n.to).__name__}" for n in owed(fact)}


@pytest.mark.parametrize("kind", sorted(set(codec.kinds()) - DEPENDS))
def test_a_fact_owes_the_mails_of_the_table(kind: str) -> None:
    assert mails(sample(kind)) == OWED.get(kind, set())


@pytest.mark.parametrize("change", Change)
def test_new_terms_are_told_to_those_who_must_accept_them_again(change: Change) -> None:
    fact = sample("AgreementPublished")
    assert isinstance(fact, AgreementPublished)
    expected = set() if change is Change.EDITORIAL else {"terms_changed>ToAcceptors"}
    assert mails(replace(fact, change=change)) == expected


def test_a_message_is_told_to_the_other_side_and_a_note_to_nobody() -> None:
    fact = sample("MessagePosted")
    assert isinstance(fact, MessagePosted)
    both = {"message_posted>ToLead", "message_posted>ToDesk"}
    assert mails(replace(fact, internal=False)) == both
    assert mails(replace(fact, internal=True)) == set()


@pytest.mark.parametrize("awaits_review", [True, False])
def test_an_application_is_told_to_the_team_when_a_person_must_decide(awaits_review: bool) -> None:
    fact = sample("ApplicationSubmitted")
    assert isinstance(fact, ApplicationSubmitted)
    told = {"application_received>ToLead"}
    expected = told | {"application_waiting>ToTeam"} if awaits_review else told
    assert mails(replace(fact, awaits_review=awaits_review)) == expected


def test_a_grant_is_told_with_what_it_waits_for() -> None:
    fact = sample("GrantCreated")
    assert isinstance(fact, GrantCreated)
    assert mails(replace(fact, state=GrantState.ACTIVE)) == {"access_ready>ToPerson"}
    assert mails(replace(fact, state=GrantState.PENDING_TERMS)) == {"terms_waiting>ToPerson"}


def test_a_second_approval_is_asked_of_approvers_alone() -> None:
    (notice,) = owed(sample("ApplicationApprovedFirst"))
    assert isinstance(notice.to, ToTeam)
    assert notice.to.roles == {Role.APPROVER}


def every_notice() -> list[tuple[str, Fact, Notice]]:
    """Return every notice a sample owes."""
    facts = [(kind, sample(kind)) for kind in sorted(codec.kinds())]
    return [(kind, fact, notice) for kind, fact in facts for notice in owed(fact)]


@pytest.mark.parametrize(("kind", "fact", "notice"), every_notice())
def test_a_mail_leads_to_a_page_and_holds_no_secret(kind: str, fact: Fact, notice: Notice) -> None:
    pages = r"/(?:account|access|sign-in|reset|(?:applications|review|agreements)/[^/]+)"
    assert re.fullmatch(pages, notice.page), kind
    said = f"{notice.page} {notice.about}"
    for field in fields(fact):
        match getattr(fact, field.name):
            case Sealed(commitment=digest, value=value, salt=salt):
                assert digest not in said
                assert str(value) not in said
                assert str(salt) not in said
            case Content(sha256=digest):
                assert digest not in said


def test_every_kind_of_mail_is_owed_by_a_fact_or_by_one_of_two_verbs() -> None:
    by_verbs = {NoticeKind.ALREADY_REGISTERED, NoticeKind.RESET_PASSWORD}
    by_facts = {mail.partition(">")[0] for mails in OWED.values() for mail in mails}
    by_facts |= {
        "terms_changed", "application_received", "application_waiting", "message_posted",
        "access_ready", "terms_waiting",
    }  # fmt: skip
    assert {str(k) for k in NoticeKind} == by_facts | {str(k) for k in by_verbs}
