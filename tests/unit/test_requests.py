"""How one person's applications and grants fold into a request, and who may give access unasked."""

from __future__ import annotations

from typing import Any

import pytest

from gatekeeper.domain.applications import ApplicationId, ApplicationState, Decider, Hat
from gatekeeper.domain.catalogue import Availability
from gatekeeper.domain.errors import NotAllowed
from gatekeeper.domain.grants import GrantState, check_gift
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import PersonId
from gatekeeper.domain.requests import RequestStatus, fold
from tests.unit.made import DAY, NOW, application, grant, model, person

S, G = ApplicationState, GrantState


@pytest.mark.parametrize(
    ("case", "given", "expected"),
    [
        (None, None, None),
        (S.SUBMITTED, None, "pending"),
        (S.IN_REVIEW, None, "pending"),
        (S.INFO_REQUESTED, None, "pending"),
        (S.SECOND_APPROVAL, None, "pending"),
        (S.REJECTED, None, "rejected"),
        (S.WITHDRAWN, None, None),
        (S.APPROVED, None, None),
        (S.APPROVED, G.ACTIVE, "accepted"),
        (S.APPROVED, G.PENDING_TERMS, "accepted"),
        (S.APPROVED, G.SUSPENDED, None),
        (S.APPROVED, G.RELINQUISHED, None),
        (S.APPROVED, G.SUPERSEDED, None),
        (S.APPROVED, G.REVOKED, "rejected"),
        (None, G.ACTIVE, "accepted"),
        (None, G.REVOKED, "rejected"),
        (S.REJECTED, G.ACTIVE, "accepted"),
        (S.IN_REVIEW, G.REVOKED, "pending"),
        (S.REJECTED, G.REVOKED, "rejected"),
    ],
)
def test_a_request_stands_where_its_newest_state_says(
    case: S | None, given: G | None, expected: str | None
) -> None:
    cases = [application(case)] if case is not None else []
    grants = [grant(given, application_id=ApplicationId("GK-1234567"))] if given else []
    found = fold(cases, grants, NOW)
    assert (found.status if found is not None else None) == expected
    if found is not None and cases:
        assert found.id == "GK-1234567"  # its name stays, whatever becomes of it
    if found is not None and found.status is RequestStatus.PENDING:
        assert found.reviewed_at is None


@pytest.mark.parametrize(
    "changed",
    [{"sound": False}, {"ends_at": NOW}, {"starts_at": NOW + DAY}],
    ids=["slipped in", "ended", "not begun"],
)
def test_a_grant_that_is_not_in_force_accepts_nobody(changed: dict[str, Any]) -> None:
    assert fold([], [grant(**changed)], NOW) is None


def test_the_newest_of_several_grants_and_cases_counts() -> None:
    older = application(S.REJECTED, id=ApplicationId("GK-0000001"), submitted_at=NOW - 9 * DAY)
    newer = application(S.SUBMITTED)
    found = fold([newer, older], [], NOW)
    assert found is not None
    assert (found.id, found.status) == (newer.id, RequestStatus.PENDING)
    first = grant(id=GrantId("gr_0"), starts_at=NOW - 20 * DAY)
    found = fold([older], [grant(), first], NOW)
    assert found is not None
    assert found.row_id == grant().id


def test_who_applied_again_and_withdrew_stays_refused_by_what_was_revoked() -> None:
    again = application(S.WITHDRAWN)
    found = fold([again], [grant(G.REVOKED)], NOW)
    assert found is not None
    assert (found.status, found.application) == (RequestStatus.REJECTED, None)


NOBODY_PUBLIC = frozenset[str]()
GIVER = Decider(
    person(id=PersonId("per_9"), username="bo", email="bo@lab.example"), frozenset({Hat.APPROVER})
)


def test_an_approver_gives_what_one_approver_may_decide() -> None:
    check_gift(GIVER, person(), model("T2"), NOBODY_PUBLIC)
    check_gift(GIVER, person(), model("T3"), NOBODY_PUBLIC)


@pytest.mark.parametrize(
    ("changed", "guard"),
    [
        ({"giver": Decider(GIVER.person, frozenset())}, "G-role"),
        ({"giver": Decider(GIVER.person, frozenset(Hat) - {Hat.APPROVER})}, "G-role"),
        ({"holder": GIVER.person}, "G-conflict"),
        ({"holder": person(email="amara@lab.example")}, "G-conflict"),
        ({"holder": person(verified_at=None)}, "G-tier"),
        ({"holder": person(suspended=True)}, "G-block"),
        ({"model": model("T4")}, "G-two"),
        ({"model": model("T5")}, "G-open"),
        ({"model": model("T3", availability=Availability.FROZEN)}, "G-open"),
        ({"model": model("T3", availability=Availability.WITHDRAWN)}, "G-open"),
    ],
)
def test_a_gift_is_refused_by_the_guard_it_breaks(changed: dict[str, Any], guard: str) -> None:
    asked: dict[str, Any] = {"giver": GIVER, "holder": person(), "model": model("T3")} | changed
    with pytest.raises(NotAllowed) as refused:
        check_gift(**asked, public_domains=NOBODY_PUBLIC)
    assert refused.value.guard == guard


def test_a_public_mail_domain_is_no_conflict() -> None:
    check_gift(GIVER, person(email="a@lab.example"), model("T3"), frozenset({"lab.example"}))
