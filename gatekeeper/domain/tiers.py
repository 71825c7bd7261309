"""Tiers as data: which requirements a person must meet to fetch a model of that class.

The file is config/tiers.toml; an unknown requirement or key stops the start. Not here: how a
requirement is judged (access).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from gatekeeper.domain.errors import GatekeeperError


class TierError(GatekeeperError):
    """The tier file says something this version does not know; the message names the key."""


class Requirement(StrEnum):
    """One condition of a tier; a tier is a set of these."""

    ACCOUNT = "account"
    VERIFIED_ADDRESS = "verified_address"
    AGREEMENTS = "agreements"
    FORM = "form"
    APPROVAL = "approval"
    NOT_DISTRIBUTED = "not_distributed"


@dataclass(frozen=True, slots=True)
class Tier:
    """One access class. `rank` orders from open (0) to withheld; durations carry their unit.

    `self_served`: bytes leave through this server alone, so that every request for them is judged;
    no address of the store is given out that would open them for its minutes.
    """

    code: str
    rank: int
    word: str
    summary: str
    requirements: frozenset[Requirement]
    approvals: int
    grant_days: int
    link_ttl_seconds: int
    team_size: int
    service_days: int
    self_served: bool

    def needs(self, requirement: Requirement) -> bool:
        """Say whether the tier names this requirement."""
        return requirement in self.requirements

    @property
    def is_open(self) -> bool:
        """Say whether anybody may fetch."""
        return not self.requirements

    @property
    def is_granted(self) -> bool:
        """Say whether fetching needs a grant (and not only an account)."""
        return self.grant_days > 0

    @property
    def is_reviewed(self) -> bool:
        """Say whether a person decides."""
        return self.approvals > 0


@dataclass(frozen=True, slots=True)
class Tiers:
    """Every tier of the site by its code, in rank order."""

    by_code: Mapping[str, Tier]

    def __getitem__(self, code: str) -> Tier:
        """Return the tier; raise TierError when the code is unknown."""
        try:
            return self.by_code[code]
        except KeyError:
            known = ", ".join(self.by_code)
            raise TierError(f"unknown tier {code!r}; known are {known}") from None

    def __iter__(self) -> Any:
        """Go through the tiers from open to withheld."""
        return iter(sorted(self.by_code.values(), key=lambda tier: tier.rank))


_KEYS = {f.name for f in fields(Tier)} - {"code", "rank"}


def read_tiers(table: Mapping[str, Any]) -> Tiers:
    """Read the parsed tier file; raise TierError naming the tier and key that is wrong."""
    tiers = {code: _read_tier(code, rank, row) for rank, (code, row) in enumerate(table.items())}
    if not tiers:
        raise TierError("the tier file is empty")
    return Tiers(tiers)


def _read_tier(code: str, rank: int, row: Any) -> Tier:
    if not isinstance(row, Mapping) or set(row) != _KEYS:
        wrong = sorted(set(row) ^ _KEYS) if isinstance(row, Mapping) else "not a table"
        raise TierError(f"tier {code}: missing or unknown keys {wrong}")
    try:
        requirements = frozenset(Requirement(name) for name in row["requirements"])
    except ValueError as error:
        known = ", ".join(Requirement)
        raise TierError(f"tier {code}: {error}; known requirements are {known}") from None
    if type(row["self_served"]) is not bool:
        raise TierError(f"tier {code}: self_served must be true or false")
    numbers = {k: row[k] for k in _KEYS - {"word", "summary", "requirements", "self_served"}}
    for key, value in numbers.items():
        if type(value) is not int or value < 0:
            raise TierError(f"tier {code}: {key} must be a whole number, not {value!r}")
    tier = Tier(
        code=code,
        rank=rank,
        word=str(row["word"]),
        summary=str(row["summary"]),
        requirements=requirements,
        self_served=row["self_served"],
        **numbers,
    )
    _check_sense(tier)
    return tier


def _check_sense(tier: Tier) -> None:
    if tier.approvals > 2:
        raise TierError(f"tier {tier.code}: approvals must be 0, 1 or 2")
    if (tier.approvals > 0) != tier.needs(Requirement.APPROVAL):
        raise TierError(f"tier {tier.code}: 'approval' and approvals must agree")
    if tier.is_reviewed and not tier.is_granted:
        raise TierError(f"tier {tier.code}: an approval needs grant_days above 0")
    if tier.requirements - {Requirement.NOT_DISTRIBUTED} and not tier.needs(Requirement.ACCOUNT):
        raise TierError(f"tier {tier.code}: whoever must meet a requirement needs an 'account'")
    if tier.is_granted and not tier.needs(Requirement.VERIFIED_ADDRESS):
        raise TierError(f"tier {tier.code}: a grant needs a 'verified_address'")
