"""Agreements: the exact text, clause by clause, and what a new version asks."""

from __future__ import annotations

import hashlib

import pytest

from gatekeeper.domain.agreements import (
    Agreement,
    Change,
    TermsClause,
    TermsState,
    check_acceptance,
    terms_state,
    write_text,
)
from gatekeeper.domain.errors import Invalid, TermsOutdated
from tests.unit.made import NOW, TERMS

CLAUSES = (TermsClause("1", "Research", "No sale."), TermsClause("2", "Users", "You alone."))


def version(number: int) -> Agreement:
    """Make one published version."""
    text = write_text("Terms", "Read.", CLAUSES)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Agreement(TERMS, number, "Terms", "Read.", CLAUSES, Change.MATERIAL, digest, NOW)


def test_the_text_is_the_one_that_is_shown_and_hashed() -> None:
    assert write_text("Terms", " Read. \n", CLAUSES) == (
        "Terms\n\nRead.\n\n1. Research\nNo sale.\n\n2. Users\nYou alone.\n"
    )


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ((), TermsState.ACCEPTED),
        ((Change.EDITORIAL,), TermsState.ACCEPTED),
        ((Change.EDITORIAL, Change.EDITORIAL), TermsState.ACCEPTED),
        ((Change.MATERIAL,), TermsState.OUTDATED),
        ((Change.URGENT,), TermsState.OUTDATED),
        ((Change.MATERIAL, Change.EDITORIAL), TermsState.OUTDATED),
        ((Change.EDITORIAL, Change.URGENT), TermsState.OUTDATED),
    ],
)
def test_a_material_version_ends_older_acceptances(
    later: tuple[Change, ...], expected: TermsState
) -> None:
    changes = dict(enumerate((Change.MATERIAL, *later), start=1))
    assert terms_state(changes, 1) is expected
    assert terms_state(changes, len(changes)) is TermsState.ACCEPTED
    assert terms_state(changes, None) is TermsState.MISSING


def sign(**changed: object) -> None:
    """Accept the current version, or something that is not quite that."""
    current = version(2)
    values = {
        "sha256": current.sha256,
        "ticked": ["1", "2"],
        "typed_name": "Amara Osei",
        "full_name": "Amara Osei",
    } | changed
    check_acceptance(current, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("typed", ["Amara Osei", "  amara   OSEI ", "AMARA OSEI"])
def test_the_name_may_be_typed_with_other_blanks_and_case(typed: str) -> None:
    sign(typed_name=typed)


def test_a_text_that_is_not_the_current_one_is_refused_with_the_current_digest() -> None:
    with pytest.raises(TermsOutdated) as refused:
        sign(sha256="0" * 64)
    assert refused.value.sha256 == version(2).sha256


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"ticked": ["1"]}, "clauses"),
        ({"ticked": []}, "clauses"),
        ({"ticked": ["1", "2", "3"]}, "clauses"),
        ({"typed_name": "Amara"}, "typed_name"),
        ({"typed_name": ""}, "typed_name"),
    ],
)
def test_a_signing_that_does_not_bind_the_whole_text_is_refused(
    changed: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        sign(**changed)
    assert {e.field for e in refused.value.errors} == {field}
