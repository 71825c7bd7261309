"""What a measure returns: figures, each beside its anchor, with a floor and an aim.

A ratio is the median over the rounds of ours to the anchor's in the same round, so that noise which
lasts longer than a round cancels. `AT_LEAST`: higher is better, below the floor an issue is not
done. `AT_MOST`: the same the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from statistics import median
from typing import TypeVar

T = TypeVar("T")


class Bound(StrEnum):
    """Which side of floor and aim a ratio should be on."""

    AT_LEAST = "at least"
    AT_MOST = "at most"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Figure:
    """One comparison. `values` are per round, under "ours" and "anchor", in `unit`."""

    name: str
    anchor: str
    unit: str
    values: Mapping[str, Sequence[float]]
    ratios: Sequence[float]
    floor: float | None = None
    aim: float | None = None
    bound: Bound = Bound.NONE
    note: str = ""
    extra: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(self.ratios)

    @property
    def is_met(self) -> bool | None:
        """Say whether the aim is met; None where there is none."""
        return self._within(self.aim)

    @property
    def is_above_floor(self) -> bool | None:
        """Say whether the floor is kept; None where there is none."""
        return self._within(self.floor)

    def _within(self, limit: float | None) -> bool | None:
        if limit is None or self.bound is Bound.NONE:
            return None
        return self.ratio >= limit if self.bound is Bound.AT_LEAST else self.ratio <= limit


def by_cost(ours: Sequence[float], anchor: Sequence[float]) -> list[float]:
    """Ratios of what costs (CPU-seconds, seconds): 0.5 is twice as dear as the anchor."""
    return [theirs / own for own, theirs in zip(ours, anchor, strict=True)]


def by_yield(ours: Sequence[float], anchor: Sequence[float]) -> list[float]:
    """Ratios of what is gained (requests a second), or plainly of ours to the anchor's."""
    return [own / theirs for own, theirs in zip(ours, anchor, strict=True)]


def in_rounds(contenders: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run every contender once a round, each round in another order; return results by name."""
    chance = Random(20261122)  # the same orders in every run
    found: dict[str, list[T]] = {name: [] for name in contenders}
    for _ in range(rounds):
        order = list(contenders)
        chance.shuffle(order)
        for name in order:
            found[name].append(contenders[name]())
    return found
