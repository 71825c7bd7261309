"""The one rule against a truth table written from interface.md, "Who may fetch" and "Tiers"."""

from __future__ import annotations

from itertools import product

import pytest

from gatekeeper.domain.access import (
    Basis,
    ClauseState,
    Fetch,
    Reason,
    See,
    Standing,
    Verdict,
    decide,
)
from gatekeeper.domain.agreements import TermsState
from gatekeeper.domain.applications import ApplicationState as A
from gatekeeper.domain.catalogue import Availability, Visibility
from gatekeeper.domain.grants import GrantState as G
from gatekeeper.domain.people import Role, SiteRole
from tests.unit.made import DAY, NOW, TERMS, TICK, application, grant, model, person

GATED, CARD = Fetch("model.safetensors"), Fetch("README.md")
ACCEPTED = {TERMS: TermsState.ACCEPTED}
OUTDATED = {TERMS: TermsState.OUTDATED}

STANDINGS = {
    "anonymous": Standing(),
    "unverified": Standing(person(verified_at=None)),
    "verified": Standing(person()),
    "suspended": Standing(person(suspended=True)),
    # Roles: two give the right, the others none.
    "owner": Standing(person(), frozenset({Role.OWNER})),
    "publisher": Standing(person(), frozenset({Role.PUBLISHER})),
    "suspended_owner": Standing(person(suspended=True), frozenset({Role.OWNER})),
    "handler": Standing(person(), frozenset({Role.HANDLER})),
    "reviewer": Standing(person(), frozenset({Role.REVIEWER})),
    "approver": Standing(person(), frozenset({Role.APPROVER})),
    "compliance": Standing(person(site_roles=frozenset({SiteRole.COMPLIANCE}))),
    "admin": Standing(person(site_roles=frozenset({SiteRole.ADMIN}))),
    # Applications without a grant.
    **{f"is_{s}": Standing(person(), application=application(s), terms=ACCEPTED) for s in A},
    # Grants.
    **{f"has_{s}": Standing(person(), grants=(grant(s),), terms=ACCEPTED) for s in G},
    "ended": Standing(person(), grants=(grant(ends_at=NOW),), terms=ACCEPTED),
    "to_begin": Standing(person(), grants=(grant(starts_at=NOW + TICK),), terms=ACCEPTED),
    "forged": Standing(person(), grants=(grant(sound=False),), terms=ACCEPTED),
    "terms_missing": Standing(person(), grants=(grant(),)),
    "terms_outdated": Standing(person(), grants=(grant(),), terms=OUTDATED),
    "blocked_holder": Standing(person(suspended=True), grants=(grant(),), terms=ACCEPTED),
    "unproven_holder": Standing(person(verified_at=None), grants=(grant(),), terms=ACCEPTED),
}

# What fetching a gated file answers; `.` where the standing cannot come about in the tier.
FETCHING = """
standing             T0   T1                T2                T3                T4                T5
anonymous            yes  no_account        no_account        no_account        no_account        model_withheld
unverified           yes  email_unverified  email_unverified  email_unverified  email_unverified  model_withheld
verified             yes  yes               terms_missing     no_application    no_application    model_withheld
suspended            yes  blocklisted       blocklisted       blocklisted       blocklisted       model_withheld
owner                yes  yes               yes               yes               yes               yes
publisher            yes  yes               yes               yes               yes               yes
suspended_owner      yes  blocklisted       blocklisted       blocklisted       blocklisted       blocklisted
handler              yes  yes               terms_missing     no_application    no_application    model_withheld
reviewer             yes  yes               terms_missing     no_application    no_application    model_withheld
approver             yes  yes               terms_missing     no_application    no_application    model_withheld
compliance           yes  yes               terms_missing     no_application    no_application    model_withheld
admin                yes  yes               terms_missing     no_application    no_application    model_withheld
is_draft             yes  yes               .                 no_application    no_application    model_withheld
is_submitted         yes  yes               .                 pending           pending           model_withheld
is_in_review         yes  yes               .                 pending           pending           model_withheld
is_second_approval   yes  yes               .                 pending           pending           model_withheld
is_info_requested    yes  yes               .                 returned          returned          model_withheld
is_rejected          yes  yes               .                 rejected          rejected          model_withheld
is_withdrawn         yes  yes               .                 no_application    no_application    model_withheld
is_approved          yes  yes               .                 no_application    no_application    model_withheld
has_pending_terms    yes  yes               terms_missing     terms_missing     terms_missing     model_withheld
has_active           yes  yes               yes               yes               yes               model_withheld
has_suspended        yes  yes               grant_suspended   grant_suspended   grant_suspended   model_withheld
has_expired          yes  yes               grant_expired     grant_expired     grant_expired     model_withheld
has_revoked          yes  yes               grant_revoked     grant_revoked     grant_revoked     model_withheld
has_relinquished     yes  yes               no_application    no_application    no_application    model_withheld
has_superseded       yes  yes               grant_expired     grant_expired     grant_expired     model_withheld
ended                yes  yes               grant_expired     grant_expired     grant_expired     model_withheld
to_begin             yes  yes               pending           pending           pending           model_withheld
forged               yes  yes               terms_missing     no_application    no_application    model_withheld
terms_missing        yes  yes               terms_missing     terms_missing     terms_missing     model_withheld
terms_outdated       yes  yes               terms_outdated    terms_outdated    terms_outdated    model_withheld
blocked_holder       yes  blocklisted       blocklisted       blocklisted       blocklisted       model_withheld
unproven_holder      yes  email_unverified  email_unverified  email_unverified  email_unverified  model_withheld
"""  # noqa: E501  a table
_HEAD, *_ROWS = (line.split() for line in FETCHING.strip().splitlines())
CELLS = [
    (row[0], tier, expected)
    for row in _ROWS
    for tier, expected in zip(_HEAD[1:], row[1:], strict=True)
    if expected != "."
]


def answer(verdict: Verdict) -> str:
    """Write a verdict as the table does."""
    return "yes" if verdict.allowed else str(verdict.reason)


@pytest.mark.parametrize(("standing", "tier", "expected"), CELLS)
def test_fetching_a_gated_file_follows_the_table(standing: str, tier: str, expected: str) -> None:
    assert answer(decide(STANDINGS[standing], model(tier), GATED, NOW)) == expected


def test_the_table_has_a_row_for_every_standing() -> None:
    assert {row[0] for row in _ROWS} == set(STANDINGS)


@pytest.mark.parametrize("standing", STANDINGS)
def test_everybody_sees_a_public_model_and_reads_its_card(standing: str) -> None:
    open_files = (CARD, Fetch("LICENSE"), Fetch("License.txt"), Fetch("readme.rst"))
    for tier, wanted in product(_HEAD[1:], (See(), *open_files)):
        verdict = decide(STANDINGS[standing], model(tier), wanted, NOW)
        assert answer(verdict) == "yes"
        assert verdict.basis is Basis.OPEN


@pytest.mark.parametrize(
    "path", ["config.json", "docs/README.md", "deep/LICENSE", "UNREADME.md", "", "*"]
)
def test_no_other_file_of_a_gated_model_is_open(path: str) -> None:
    assert not decide(STANDINGS["verified"], model("T3"), Fetch(path), NOW).allowed


def test_a_file_the_owner_lists_is_open_and_its_neighbours_are_not() -> None:
    listed = model("T3", open_files=frozenset({"config.json"}))
    assert decide(Standing(), listed, Fetch("config.json"), NOW).allowed
    assert not decide(Standing(), listed, Fetch("config.json.bak"), NOW).allowed


@pytest.mark.parametrize("standing", STANDINGS)
def test_a_hidden_model_exists_for_members_and_holders_alone(standing: str) -> None:
    who = STANDINGS[standing]
    is_around = bool(who.roles) or any(g.sound for g in who.grants)
    for tier, wanted in product(_HEAD[1:], (See(), GATED, CARD, Fetch("*"))):
        verdict = decide(who, model(tier, visibility=Visibility.HIDDEN), wanted, NOW)
        shown = answer(decide(who, model(tier), wanted, NOW))
        assert answer(verdict) == (shown if is_around else "not_visible")


@pytest.mark.parametrize("standing", STANDINGS)
@pytest.mark.parametrize(
    ("availability", "reason"),
    [
        (Availability.FROZEN, Reason.RELEASE_FROZEN),
        (Availability.WITHDRAWN, Reason.MODEL_WITHDRAWN),
    ],
)
def test_a_frozen_or_withdrawn_model_serves_nobody_and_is_still_seen(
    standing: str, availability: Availability, reason: Reason
) -> None:
    for tier, wanted in product(_HEAD[1:], (GATED, CARD)):
        stopped = model(tier, availability=availability)
        assert decide(STANDINGS[standing], stopped, wanted, NOW).reason is reason
        assert decide(STANDINGS[standing], stopped, See(), NOW).allowed


def test_a_registered_model_that_lists_an_agreement_asks_for_it() -> None:
    listed = model("T1", agreements=(TERMS,))
    for terms, expected in (
        (None, "terms_missing"), (OUTDATED, "terms_outdated"), (ACCEPTED, "yes"),
    ):  # fmt: skip
        assert answer(decide(Standing(person(), terms=terms), listed, GATED, NOW)) == expected


def test_every_listed_agreement_must_be_accepted() -> None:
    two = model("T3", agreements=(TERMS, "partner"))
    standing = Standing(person(), grants=(grant(),), terms=ACCEPTED)
    assert decide(standing, two, GATED, NOW).reason is Reason.TERMS_MISSING


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOW - 10 * DAY - TICK, "pending"),
        (NOW - 10 * DAY, "yes"),
        (NOW + 10 * DAY - TICK, "yes"),
        (NOW + 10 * DAY, "grant_expired"),
        (NOW + 9999 * DAY, "grant_expired"),
    ],
)
def test_a_grant_opens_from_its_first_moment_to_before_its_last(now: object, expected: str) -> None:
    assert answer(decide(STANDINGS["has_active"], model("T3"), GATED, now)) == expected  # type: ignore[arg-type]


def test_a_live_grant_wins_over_an_ended_one_and_a_refused_application() -> None:
    standing = Standing(
        person(),
        grants=(grant(G.REVOKED, starts_at=NOW), grant()),
        application=application(A.REJECTED, changed_at=NOW),
        terms=ACCEPTED,
    )
    assert decide(standing, model("T3"), GATED, NOW).allowed


def test_applying_again_after_an_ended_grant_shows_as_pending() -> None:
    standing = Standing(
        person(), grants=(grant(G.REVOKED),), application=application(A.SUBMITTED), terms=ACCEPTED
    )
    assert decide(standing, model("T3"), GATED, NOW).reason is Reason.PENDING


@pytest.mark.parametrize(
    ("standing", "tier", "basis"),
    [
        ("anonymous", "T0", Basis.OPEN), ("owner", "T0", Basis.OPEN),
        ("verified", "T1", Basis.ACCOUNT), ("owner", "T3", Basis.MEMBER),
        ("owner", "T5", Basis.MEMBER), ("has_active", "T2", Basis.GRANT),
        ("has_active", "T4", Basis.GRANT),
    ],
)  # fmt: skip
def test_a_yes_names_what_it_rests_on(standing: str, tier: str, basis: Basis) -> None:
    verdict = decide(STANDINGS[standing], model(tier), GATED, NOW)
    assert verdict.basis is basis
    assert (verdict.grant is not None) == (basis is Basis.GRANT)


@pytest.mark.parametrize("standing", STANDINGS)
def test_the_reason_is_that_of_the_first_failing_clause(standing: str) -> None:
    for tier, wanted, visibility in product(_HEAD[1:], (See(), GATED, CARD), Visibility):
        verdict = decide(STANDINGS[standing], model(tier, visibility=visibility), wanted, NOW)
        failing = [clause.reason for clause in verdict.clauses if clause.fails]
        assert verdict.reason == next(iter(failing), None)
        assert verdict.allowed == (not failing)
        for clause in verdict.clauses:
            met = clause.state in {ClauseState.MET, ClauseState.NOT_NEEDED}
            assert met == (not clause.fails), clause


def test_not_visible_comes_first_whatever_else_fails() -> None:
    worst = model("T5", visibility=Visibility.HIDDEN, availability=Availability.WITHDRAWN)
    assert decide(STANDINGS["suspended"], worst, GATED, NOW).reason is Reason.NOT_VISIBLE


def test_the_reasons_are_the_closed_list_of_the_interface() -> None:
    listed = (
        "no_account email_unverified no_application pending returned rejected terms_missing "
        "terms_outdated grant_expired grant_suspended grant_revoked blocklisted release_frozen "
        "model_withheld model_withdrawn region mfa_required not_visible link_expired link_invalid "
        "wrong_scope"
    )
    assert {str(r) for r in Reason} == set(listed.split())
