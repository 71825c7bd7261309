"""What may go wrong inside a shared commit on SQLite: slow, interrupted, abandoned, undone.

Nobody waits for ever, a 503 changed nothing, and what was acknowledged is there. Full and read-only
disks are in test_disk.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event

from gatekeeper.app import make_house
from gatekeeper.db import batch
from gatekeeper.domain.errors import Busy, Unavailable
from gatekeeper.domain.facts.catalogue import NamespaceAdded
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.services import audit
from gatekeeper.services.ports import House
from tests.cast import context
from tests.conftest import make_settings
from tests.rooms import depth

SECONDS = 30  # after which a test says that somebody hangs
Within = Callable[[], None]


@pytest.fixture
def impatient(sqlite_copy: Callable[..., Any], request: pytest.FixtureRequest) -> Iterator[House]:
    """An empty house that waits for so many seconds (0.3 where the test does not say)."""
    site, _ = sqlite_copy(False)
    seconds = str(getattr(request, "param", 0.3))
    settings = make_settings(GATEKEEPER_DATABASE__BUSY_SECONDS=seconds)
    house = make_house(settings, site.data, demo=True)
    yield house
    house.db.close()


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadPoolExecutor]:
    """Threads for the acts of a batch that takes further acts however old it is."""
    monkeypatch.setattr(batch, "MAX_SHARE_OF_PATIENCE", 1000)
    with ThreadPoolExecutor(4) as pool:
        yield pool


def add(house: House, name: str, within: Within | None = None) -> str:
    """Record one fact, do something before the act ends, and return the name."""
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded(name, name))
        if within is not None:
            within()
    return name


def names_in(house: House) -> set[str]:
    """Return the namespaces that are there."""
    with house.db.reading() as read:
        found = read.audit.search(EntryFilter(kinds=("NamespaceAdded",), limit=10_000))
    return {str(entry.data["namespace"]) for entry in found}


def until(is_so: Callable[[], bool]) -> None:
    """Wait for another thread to have come so far."""
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.001)


def act_until_somebody_waits(house: House, pool: ThreadPoolExecutor, name: str) -> Future[str]:
    """Begin an act that ends when somebody waits for its turn; return once it has begun."""
    batcher, entered = house.db._batcher, threading.Event()
    assert batcher is not None

    def wait() -> None:
        entered.set()
        until(lambda: batcher._turns.waiting > 0)

    act = pool.submit(add, house, name, wait)
    assert entered.wait(SECONDS)
    return act


def two_in_a_batch(
    house: House, pool: ThreadPoolExecutor, second: Within
) -> tuple[Future[str], Future[str]]:
    """Let one act leave its batch to another, which does `second` before it ends."""
    first = act_until_somebody_waits(house, pool, "first")
    return first, pool.submit(add, house, "second", second)


def test_a_slow_act_keeps_nobody_waiting_and_is_undone_with_those_it_kept_waiting(
    impatient: House, pool: ThreadPoolExecutor
) -> None:
    slow, may_end = threading.Event(), threading.Event()

    def dawdle() -> None:
        slow.set()
        assert may_end.wait(SECONDS)

    first, second = two_in_a_batch(impatient, pool, dawdle)
    assert slow.wait(SECONDS)
    with pytest.raises(Busy):
        add(impatient, "third")  # has no turn
    with pytest.raises(Unavailable):
        first.result(SECONDS)  # has no commit
    assert not second.done()
    may_end.set()
    with pytest.raises(Unavailable):
        second.result(SECONDS)
    assert names_in(impatient) == set()
    assert add(impatient, "fourth")
    assert names_in(impatient) == {"fourth"}
    assert list(audit.verify(impatient)) == []


def test_closing_commits_the_act_that_was_running_and_the_next_one_opens_anew(
    impatient: House, pool: ThreadPoolExecutor
) -> None:
    act = act_until_somebody_waits(impatient, pool, "running")
    impatient.db.close()
    assert act.result(SECONDS) == "running"
    add(impatient, "next")
    assert names_in(impatient) == {"running", "next"}


def test_an_act_that_is_slow_alone_hurts_nobody(impatient: House, pool: ThreadPoolExecutor) -> None:
    may_end = threading.Event()
    alone = pool.submit(add, impatient, "alone", lambda: may_end.wait(SECONDS))
    with pytest.raises(Busy):
        until(lambda: add(impatient, "other") == "")
    may_end.set()
    assert alone.result(SECONDS) == "alone"
    assert "alone" in names_in(impatient)


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt, MemoryError])
def test_a_thread_that_is_ended_in_its_act_leaves_the_commit_to_the_others(
    impatient: House, pool: ThreadPoolExecutor, end: type[BaseException]
) -> None:
    def die() -> None:
        raise end

    first, second = two_in_a_batch(impatient, pool, die)
    with pytest.raises(end):
        second.result(SECONDS)
    assert first.result(SECONDS) == "first"
    assert names_in(impatient) == {"first"}


def test_a_thread_that_is_ended_while_its_act_is_undone_takes_the_batch_with_it(
    impatient: House, pool: ThreadPoolExecutor
) -> None:
    def interrupt(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement == "ROLLBACK TO act":
            raise KeyboardInterrupt

    def fail() -> None:
        raise ZeroDivisionError

    event.listen(impatient.db.engine, "before_cursor_execute", interrupt)
    first, second = two_in_a_batch(impatient, pool, fail)
    with pytest.raises(KeyboardInterrupt):
        second.result(SECONDS)
    with pytest.raises(Unavailable):
        first.result(SECONDS)
    event.remove(impatient.db.engine, "before_cursor_execute", interrupt)
    assert names_in(impatient) == set()
    assert add(impatient, "next")


def test_a_batch_takes_no_more_acts_once_it_is_old(
    impatient: House, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MAX_SHARE_OF_PATIENCE", 0.0)
    may_end = threading.Event()
    first, second = two_in_a_batch(impatient, pool, lambda: may_end.wait(SECONDS))
    assert first.result(SECONDS) == "first"
    assert not second.done()
    may_end.set()
    assert second.result(SECONDS) == "second"


@pytest.mark.parametrize("impatient", [0.01, 0.03], indirect=True)
def test_whoever_loses_patience_at_any_moment_changed_nothing_and_nobody_hangs(
    impatient: House,
) -> None:
    chance, workers, rounds = random.Random(5), 16, depth(20, 300)
    pauses = [
        [chance.choice((0, 0, 0, 0.002, 0.01)) for _ in range(rounds)] for _ in range(workers)
    ]

    def work(worker: int) -> tuple[set[str], set[str]]:
        kept, refused = set[str](), set[str]()
        for turn, pause in enumerate(pauses[worker]):
            name = f"n-{worker}-{turn}"
            try:
                kept.add(add(impatient, name, lambda pause=pause: time.sleep(pause)))
            except Busy:  # Unavailable is one
                refused.add(name)
        return kept, refused

    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(work, worker) for worker in range(workers)]
        answers = [one.result(4 * SECONDS) for one in running]
    kept = set().union(*(k for k, _ in answers))
    refused = set().union(*(r for _, r in answers))
    assert kept, "nothing got through"
    assert refused, "nobody lost patience"
    assert names_in(impatient) == kept
    assert list(audit.verify(impatient)) == []
    assert audit.compare(impatient) == []
