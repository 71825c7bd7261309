"""The application's machine, every cell of it, against a table written from governance.md 3.4."""

from __future__ import annotations

from datetime import date

import pytest

from gatekeeper.domain.applications import (
    Application,
    Command,
    Decider,
    Hat,
    Outcome,
    check_command,
    check_conflict_of_interest,
    check_end,
    check_second_approver,
    check_version,
    check_way_back,
    commands_for,
    may_reapply,
)
from gatekeeper.domain.applications import ApplicationState as S
from gatekeeper.domain.errors import Conflict, Invalid, NotAllowed
from gatekeeper.domain.people import PersonId
from tests.unit.made import application, person

# command: who, from where. An approver has the handler's commands; a submitted case may be decided.
TABLE = """
submit    lead                                  draft info_requested
withdraw  lead                                  draft submitted in_review info_requested second_approval
claim     handler,approver                      submitted in_review second_approval
ask       handler,approver                      submitted in_review
approve   approver                              submitted in_review second_approval
return    approver                              second_approval
reject    approver                              submitted in_review second_approval
reopen    approver                              approved rejected
message   lead,handler,approver                 submitted in_review info_requested second_approval approved rejected withdrawn
note      handler,reviewer,approver,compliance  submitted in_review info_requested second_approval approved rejected withdrawn
"""  # noqa: E501  a table
ALLOWED = {
    (command, state, hat)
    for command, hats, *states in (line.split() for line in TABLE.strip().splitlines())
    for hat in hats.split(",")
    for state in states
}
TODAY = date(2026, 6, 15)
NOBODY_PUBLIC = frozenset[str]()


def test_the_table_names_every_command() -> None:
    assert {command for command, _, _ in ALLOWED} == {str(c) for c in Command}


@pytest.mark.parametrize("hat", Hat)
@pytest.mark.parametrize("command", Command)
def test_a_command_is_allowed_exactly_where_the_table_says(command: Command, hat: Hat) -> None:
    for state in S:
        case = application(state)
        expected = (command, state, hat) in ALLOWED
        assert (command in commands_for(case, frozenset({hat}))) == expected
        if expected:
            check_command(command, case, frozenset({hat}))
            continue
        with pytest.raises((NotAllowed, Conflict)) as refused:
            check_command(command, case, frozenset({hat}))
        may_somewhere = any((command, s, hat) in ALLOWED for s in S)
        somebody_may = any((command, state, h) in ALLOWED for h in Hat)
        # Who has no such right anywhere is told so; who has it learns that the state is wrong.
        is_conflict = may_somewhere and not somebody_may
        assert isinstance(refused.value, Conflict if is_conflict else NotAllowed)


def test_hats_add_up_and_no_hat_allows_nothing() -> None:
    both = frozenset({Hat.LEAD, Hat.HANDLER})
    case = application(S.IN_REVIEW)
    assert {Command.WITHDRAW, Command.CLAIM} <= commands_for(case, both)
    assert commands_for(case, frozenset()) == frozenset()
    with pytest.raises(NotAllowed):
        check_command(Command.MESSAGE, case, frozenset())


def test_a_conflict_tells_the_state_and_version_as_they_are() -> None:
    with pytest.raises(Conflict) as refused:
        check_command(Command.APPROVE, application(S.WITHDRAWN), frozenset({Hat.APPROVER}))
    assert (refused.value.state, refused.value.version) == ("withdrawn", 3)
    with pytest.raises(Conflict) as stale:
        check_version(application(S.IN_REVIEW), 2)
    assert (stale.value.state, stale.value.version) == ("in_review", 3)
    check_version(application(), 3)


def decider(**changed: object) -> Decider:
    """Make an approver from elsewhere."""
    other = person(id=PersonId("per_2"), email="priya@northfield.example")
    values = {"person": other, "hats": frozenset({Hat.APPROVER}), "override_note": ""} | changed
    return Decider(**values)  # type: ignore[arg-type]


def test_nobody_decides_their_own_application_whatever_they_note() -> None:
    lead = person()
    with pytest.raises(NotAllowed) as refused:
        check_conflict_of_interest(
            lead, decider(person=lead, override_note="I am fair"), NOBODY_PUBLIC
        )
    assert refused.value.guard == "G-conflict"


@pytest.mark.parametrize(
    ("domain", "public", "note", "expected"),
    [
        ("northfield.example", False, "", "refused"),
        ("northfield.example", False, "   ", "refused"),
        ("northfield.example", False, "other building", True),
        ("northfield.example", True, "", False),
        ("NorthField.EXAMPLE", False, "", "refused"),
        ("uni.example", False, "", False),
        ("sub.northfield.example", False, "", False),
    ],
)
def test_a_shared_mail_domain_asks_for_a_note(
    domain: str, public: bool, note: str, expected: object
) -> None:
    lead = person(email=f"amara@{domain}")
    public_domains = frozenset({"northfield.example"}) if public else NOBODY_PUBLIC
    approver = decider(override_note=note)
    if expected == "refused":
        with pytest.raises(Invalid, match="override_note"):
            check_conflict_of_interest(lead, approver, public_domains)
    else:
        assert check_conflict_of_interest(lead, approver, public_domains) is expected


def test_the_first_approver_is_not_the_second() -> None:
    first = decider()
    case = application(S.SECOND_APPROVAL, first_approver_id=first.person.id)
    with pytest.raises(NotAllowed) as refused:
        check_second_approver(case, first)
    assert refused.value.guard == "G-two"
    check_second_approver(case, decider(person=person(id=PersonId("per_3"))))


@pytest.mark.parametrize(
    ("day", "fits"),
    [("2026-06-14", False), ("2026-06-15", False), ("2026-06-16", True), ("2026-06-25", True),
     ("2026-06-26", False), ("9999-12-31", False)],
)  # fmt: skip
def test_an_end_lies_between_tomorrow_and_the_longest_grant(day: str, fits: bool) -> None:
    if fits:
        check_end(date.fromisoformat(day), TODAY, 10)
    else:
        with pytest.raises(Invalid, match="ends_on"):
            check_end(date.fromisoformat(day), TODAY, 10)


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("after", [None, "2026-06-14", "2026-06-15", "2026-06-16"])
def test_a_day_to_reapply_after_goes_with_after_alone(outcome: Outcome, after: str | None) -> None:
    day = date.fromisoformat(after) if after else None
    fits = (outcome is Outcome.AFTER and after == "2026-06-16") or (
        outcome is not Outcome.AFTER and after is None
    )
    if fits:
        check_way_back(outcome, day, TODAY)
    else:
        with pytest.raises(Invalid, match="outcome"):
            check_way_back(outcome, day, TODAY)


@pytest.mark.parametrize(
    ("outcome", "after", "expected"),
    [
        (Outcome.FIXABLE, None, True),
        (Outcome.APPEALABLE, None, True),
        (Outcome.FINAL, None, False),
        (Outcome.AFTER, "2026-06-14", True),
        (Outcome.AFTER, "2026-06-15", False),
        (Outcome.AFTER, "2026-06-16", False),
    ],
)
def test_a_refusal_leaves_the_way_back_it_names(
    outcome: Outcome, after: str | None, expected: bool
) -> None:
    day = date.fromisoformat(after) if after else None
    refused: Application = application(S.REJECTED, outcome=outcome, after_on=day)
    assert may_reapply(refused, TODAY) is expected
