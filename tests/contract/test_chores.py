"""Counters and the round of chores: what was offered is totalled once, and all of it.

Counters may be lost in a crash; nothing here changes a verdict.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gatekeeper import chores
from gatekeeper.db.ephemeral import Count, Ephemeral
from gatekeeper.domain.errors import Unavailable
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.domain.people import SYSTEM
from gatekeeper.services import downloads
from gatekeeper.services.downloads import hour_of
from gatekeeper.services.ports import House
from tests.builders import World
from tests.cast import context

NOW = context().now
HOUR = hour_of(NOW)


def totals(house: House) -> list[dict[str, Any]]:
    """Return what was totalled so far."""
    with house.db.reading() as read:
        found = read.audit.search(EntryFilter(kinds=("ServingTotalled",), limit=10_000))
    return [dict(entry.data) for entry in found]


def keep(house: House, counts: list[Count]) -> None:
    """Write counters."""
    with house.db.acting(context(SYSTEM)) as act:
        act.ephemeral.add_counts(counts)


def counted(world: World, number: int, *, hours_ago: int = 1, person: str = "") -> Count:
    """Make a counter of a file of its own."""
    who = person or world.cast.researcher.id
    model, hour = world.models["T3"].id, HOUR - timedelta(hours=hours_ago)
    return Count(who, model, f"{number:064x}", hour, requests=2, bytes_offered=10)


def test_what_was_counted_in_memory_is_written_once_and_added_up(any_world: World) -> None:
    house, researcher = any_world.house, any_world.cast.researcher.id
    model, past = any_world.models["T3"].id, HOUR - timedelta(hours=1)
    for _ in range(3):
        house.tally.add(researcher, model, "ab" * 32, past, 100)
    house.tally.add(researcher, model, "cd" * 32, past, 7)
    downloads.flush_tally(house, context(SYSTEM))
    downloads.flush_tally(house, context(SYSTEM))  # nothing is left in memory
    house.tally.add(researcher, model, "ab" * 32, past, 1)
    downloads.flush_tally(house, context(SYSTEM))
    assert downloads.roll_up(house, context(SYSTEM)) == 2
    told = {row["sha256"]: (row["requests"], row["bytes_offered"]) for row in totals(house)}
    assert told == {"ab" * 32: (4, 301), "cd" * 32: (1, 7)}
    assert downloads.roll_up(house, context(SYSTEM)) == 0


def test_counters_are_written_few_in_an_act_and_those_that_could_not_be_are_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, researcher = world.house, world.cast.researcher.id
    model, past = world.models["T3"].id, HOUR - timedelta(hours=1)
    for number in range(5):
        house.tally.add(researcher, model, f"{number:064x}", past, 1)
    monkeypatch.setattr(downloads, "COUNTERS_AN_ACT", 2)
    written = list[int]()

    def add_counts(self: Ephemeral, counts: list[Count]) -> None:
        written.append(len(counts))
        add(self, counts)
        if len(written) == 2:
            raise Unavailable("the disk is full")

    add = Ephemeral.add_counts
    monkeypatch.setattr(Ephemeral, "add_counts", add_counts)
    with pytest.raises(Unavailable):
        downloads.flush_tally(house, context(SYSTEM))
    downloads.flush_tally(house, context(SYSTEM))
    assert written == [2, 2, 2, 1]  # of five, two were written before the fault
    downloads.roll_up(house, context(SYSTEM))
    assert [row["requests"] for row in totals(house)] == [1] * 5


def test_the_running_hour_and_what_nobody_is_named_for_are_no_entries(any_world: World) -> None:
    house = any_world.house
    now = Count("", any_world.models["T0"].id, "ab" * 32, HOUR - timedelta(hours=1), 5, 5)
    keep(house, [now, counted(any_world, 1, hours_ago=0)])
    assert downloads.roll_up(house, context(SYSTEM, NOW)) == 0
    assert downloads.roll_up(house, context(SYSTEM, NOW + timedelta(hours=1))) == 1
    assert [row["person_id"] for row in totals(house)] == [any_world.cast.researcher.id]


def test_one_chore_totals_however_much_was_counted(world: World) -> None:
    keep(world.house, [counted(world, number) for number in range(450)])
    chore = next(c for c in chores.WORKER if c.name == "totals")
    chore.do(world.house, context(SYSTEM))
    assert len({row["sha256"] for row in totals(world.house)}) == 450
    assert downloads.roll_up(world.house, context(SYSTEM)) == 0


def test_of_two_workers_at_once_each_totals_its_own(
    postgres_copy: Callable[..., Any],
) -> None:
    site, world = postgres_copy(True)
    house = site.open()
    keep(house, [counted(world, number) for number in range(3)])
    with house.db.acting(context(SYSTEM)) as first, house.db.acting(context(SYSTEM)) as second:
        taken = first.ephemeral.take_counts(HOUR, limit=2), second.ephemeral.take_counts(HOUR)
    assert sorted(len(counts) for counts in taken) == [1, 2]
    assert len({count.sha256 for counts in taken for count in counts}) == 3
    house.db.close()


def test_a_round_goes_on_after_a_chore_that_failed_and_ends_with_one_more(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    done = list[str]()
    twice = threading.Event()

    def fail(_house: House, _ctx: object) -> None:
        raise ValueError("planted")

    def work(_house: House, ctx: Any) -> None:
        done.append(ctx.actor.kind)
        if len(done) == 2:
            twice.set()

    planted = (chores.Chore("bad", 1, fail), chores.Chore("good", 1, work))
    threads = chores.Round(world.house, planted)
    threads.start()
    assert twice.wait(20)
    before = len(done)
    threads.finish()
    assert not threads.is_alive()
    assert len(done) > before
    assert set(done) == {SYSTEM.kind}
    assert "chore bad failed" in caplog.text
