"""Facts to entries and back; one golden entry a kind, which no later version may fail to read.

`python -m tests.unit.test_codec` writes the golden entry of a new kind; it rewrites none.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.db import ledger
from gatekeeper.domain.errors import IntegrityBroken
from gatekeeper.domain.facts import Fact, codec
from gatekeeper.domain.people import Actor, ActorKind, Context, EventId, PersonId, TokenId
from gatekeeper.domain.sealed import Content, Sealed
from tests.rooms import depth
from tests.unit.sample_facts import SALT, SECRET, facts_of, sample

GOLDEN = Path(__file__).parent / "golden"
KINDS = sorted(codec.kinds())


def entry_of(fact: Fact) -> bytes:
    """Write the entry of a fact under a fixed event, moment and actor."""
    actor = Actor(ActorKind.PERSON, PersonId("per_actor"), None, TokenId("tok_actor"))
    now = datetime(2026, 1, 31, 12, 0, 0, 1, UTC)
    return ledger.canonical(EventId("0123456789abcdef" * 2), Context(actor, now, bytes), fact)


def stripped(fact: Fact) -> Fact:
    """Return a fact as the ledger keeps it: commitments and digests only."""
    bare: dict[str, Any] = {}
    for field in fields(fact):
        match getattr(fact, field.name):
            case Sealed(commitment=kept):
                bare[field.name] = Sealed(kept)
            case Content(sha256=kept):
                bare[field.name] = Content(kept)
    return replace(fact, **bare)


def test_every_kind_has_a_golden_entry_and_no_golden_entry_lost_its_kind() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_written_as_its_golden_entry(kind: str) -> None:
    assert entry_of(sample(kind)) == (GOLDEN / f"{kind}.json").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_golden_entry_is_read_as_the_fact_it_was(kind: str) -> None:
    parsed = json.loads((GOLDEN / f"{kind}.json").read_bytes())
    fact = codec.from_data(parsed["kind"], parsed["data"])
    assert fact == stripped(sample(kind))
    assert codec.to_data(fact) == parsed["data"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_sealed_is_in_an_entry(kind: str) -> None:
    written = entry_of(sample(kind)).decode()
    assert SECRET not in written
    assert SALT.hex() not in written
    assert "public " not in written


@given(st.sampled_from(KINDS).flatmap(facts_of))
@settings(max_examples=depth(100, 2000), deadline=None)
def test_any_fact_survives_the_way_to_an_entry_and_back(fact: Fact) -> None:
    entry = json.loads(entry_of(fact))
    assert codec.from_data(entry["kind"], entry["data"]) == stripped(fact)


def test_a_kind_or_field_from_the_future_is_not_guessed_at() -> None:
    with pytest.raises(IntegrityBroken, match="GrantDoubled"):
        codec.from_data("GrantDoubled", {})
    data = codec.to_data(sample("GrantRevoked"))
    with pytest.raises(IntegrityBroken):
        codec.from_data("GrantRevoked", data | {"colour": "red"})
    with pytest.raises(IntegrityBroken):
        codec.from_data("GrantRevoked", data | {"reason": "boredom"})
    with pytest.raises(IntegrityBroken):
        codec.from_data("GrantRevoked", {k: v for k, v in data.items() if k != "reason"})


def test_a_fact_cannot_carry_what_has_no_one_form() -> None:
    fact = sample("LedgerExported")
    for value in (1.5, {"a": 1}, b"bytes", object()):
        with pytest.raises(TypeError, match="cannot carry"):
            codec.to_data(replace(fact, first=value))  # type: ignore[arg-type]


def test_an_entry_over_sixteen_kilobytes_is_refused() -> None:
    long = replace(sample("NamespaceAdded"), title="x" * (17 * 1024))
    with pytest.raises(IntegrityBroken, match="over 16384"):
        entry_of(long)


@pytest.mark.parametrize("kind", KINDS)
def test_the_people_models_grants_and_cases_of_a_fact_can_be_searched(kind: str) -> None:
    fact = sample(kind)
    searched = codec.mentioned(fact)
    for field in fields(fact):
        ids = ("person_id", "grant_id", "model_id", "application_id", "release_id", "token_id",
               "lead_id", "assignee_id", "author_id", "approver_id")  # fmt: skip
        if field.name in ids:
            assert getattr(fact, field.name) in searched, field.name
        if field.name == "models":
            assert set(getattr(fact, "models")) <= searched  # noqa: B009  kinds without it


def write_missing() -> None:
    """Write the golden entry of every kind that has none."""
    GOLDEN.mkdir(exist_ok=True)
    for kind in KINDS:
        path = GOLDEN / f"{kind}.json"
        if not path.exists():
            path.write_bytes(entry_of(sample(kind)))
            print(f"wrote {path.name}")


if __name__ == "__main__":
    write_missing()
