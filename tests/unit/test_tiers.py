"""Tiers are data: what config/tiers.toml says, and what stops the start."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.domain.tiers import Requirement, TierError, read_tiers

FILE = Path(__file__).parents[2] / "config" / "tiers.toml"


def table() -> dict[str, Any]:
    """Read the tier file anew."""
    return tomllib.loads(FILE.read_text())


def test_the_tiers_are_those_of_the_interface() -> None:
    tiers = read_tiers(table())
    assert [t.code for t in tiers] == ["T0", "T1", "T2", "T3", "T4", "T5"]
    assert [t.approvals for t in tiers] == [0, 0, 0, 1, 2, 0]
    assert [t.is_open for t in tiers] == [True, False, False, False, False, False]
    assert [t.is_granted for t in tiers] == [False, False, True, True, True, False]
    assert [t.code for t in tiers if t.needs(Requirement.NOT_DISTRIBUTED)] == ["T5"]
    assert [t.rank for t in tiers] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("requirements", ["account", "retina_scan"], "retina_scan"),
        ("requirements", ["account", "approval"], "approvals"),
        ("approvals", 3, "approvals"),
        ("approvals", 1, "approval"),
        ("approvals", "two", "approvals"),
        ("approvals", True, "approvals"),
        ("grant_days", -1, "grant_days"),
        ("grant_days", 1.5, "grant_days"),
        ("link_ttl_seconds", "300", "link_ttl_seconds"),
        ("colour", "red", "colour"),
    ],
)
def test_a_tier_that_is_not_understood_stops_the_start_and_is_named(
    key: str, value: object, named: str
) -> None:
    wrong = table()
    wrong["T2"][key] = value
    with pytest.raises(TierError, match="T2") as stopped:
        read_tiers(wrong)
    assert named in str(stopped.value)


def test_a_missing_key_or_an_empty_file_stops_the_start() -> None:
    wrong = table()
    del wrong["T4"]["approvals"]
    with pytest.raises(TierError, match=r"T4.*approvals"):
        read_tiers(wrong)
    with pytest.raises(TierError):
        read_tiers({})
    with pytest.raises(TierError, match="T9"):
        read_tiers(table() | {"T9": 5})


def test_a_reviewed_tier_needs_a_time_for_its_grants() -> None:
    wrong = table()
    wrong["T3"]["grant_days"] = 0
    with pytest.raises(TierError, match="T3"):
        read_tiers(wrong)


@pytest.mark.parametrize(
    "requirements", [["agreements"], ["verified_address"], ["account", "agreements"]]
)
def test_a_tier_that_could_not_be_judged_stops_the_start(requirements: list[str]) -> None:
    row = {**table()["T2"], "requirements": requirements}
    with pytest.raises(TierError, match="tier X"):
        read_tiers({"X": row})


def test_an_unknown_tier_is_named_with_those_that_are_known() -> None:
    with pytest.raises(TierError, match=r"T7.*T0"):
        read_tiers(table())["T7"]
