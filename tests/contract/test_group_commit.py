"""Group commit on SQLite, and the same promises on Postgres, where every act commits alone.

What is acknowledged is durable; what fails hurts nobody but itself; a full disk ends a whole batch.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event

from gatekeeper.domain.errors import Unavailable
from gatekeeper.domain.facts.catalogue import NamespaceAdded
from gatekeeper.domain.facts.people import PersonSuspended
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.domain.people import PersonId
from gatekeeper.domain.sealed import seal
from gatekeeper.services import audit
from gatekeeper.services.ports import House
from tests.cast import context
from tests.rooms import depth

THREADS = 12


class Planted(Exception):
    """An act that fails on purpose."""


def add(house: House, name: str, *, fails: bool = False) -> str:
    """Record one fact, or fail after having recorded it; return the name once acknowledged."""
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded(name, name))
        if fails:
            raise Planted
    return name


def names_in(house: House) -> set[str]:
    """Return the namespaces that are there, as another process would see them."""
    with house.db.reading() as read:
        found = read.audit.search(EntryFilter(kinds=("NamespaceAdded",), limit=10_000))
    return {str(entry.data["namespace"]) for entry in found}


def test_acts_of_many_threads_are_all_kept_and_failing_ones_hurt_nobody(
    any_copy: Callable[..., Any],
) -> None:
    site, _ = any_copy(False)
    house, other = site.open(), site.open()
    rounds = depth(15, 100)

    def work(worker: int) -> set[str]:
        kept = set()
        for turn in range(rounds):
            name = f"n-{worker}-{turn}"
            if (worker + turn) % 3 == 0:
                with pytest.raises(Planted):
                    add(house, f"bad-{name}", fails=True)
            else:
                kept.add(add(house, name))
                # Acknowledged means committed: another process sees it now.
                with other.db.reading() as read:
                    assert read.catalogue.namespace(name) is not None
        return kept

    with ThreadPoolExecutor(THREADS) as pool:
        kept = set().union(*pool.map(work, range(THREADS)))
    house.db.sequence_all()
    assert names_in(other) == kept
    assert audit.head(other).size == len(kept)
    assert list(audit.verify(other)) == []
    assert audit.compare(other) == []
    for each in (house, other):
        each.db.close()


def test_many_acts_share_one_commit(bare_house: House) -> None:
    commits = []
    event.listen(bare_house.db.engine, "commit", lambda _: commits.append(1))
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda n: add(bare_house, f"n-{n}"), range(THREADS * 20)))
    assert audit.head(bare_house).size == THREADS * 20
    assert len(commits) < THREADS * 20


def test_an_act_alone_does_not_wait_for_others(bare_house: House) -> None:
    for n in range(20):
        add(bare_house, f"n-{n}")
    assert audit.head(bare_house).size == 20


def test_the_ledger_goes_on_after_an_act_that_failed(any_bare_house: House) -> None:
    add(any_bare_house, "first")
    with pytest.raises(Planted):
        add(any_bare_house, "bad", fails=True)
    add(any_bare_house, "second")
    any_bare_house.db.sequence_all()
    assert names_in(any_bare_house) == {"first", "second"}
    assert list(audit.verify(any_bare_house)) == []


def test_a_process_that_is_never_idle_keeps_nobody_out(sqlite_copy: Callable[..., Any]) -> None:
    site, _ = sqlite_copy(False)
    busy, other = site.open(), site.open()
    stop = threading.Event()

    def work(worker: int) -> None:
        turn = 0
        while not stop.is_set():
            add(busy, f"busy-{worker}-{turn}")
            turn += 1

    workers = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for worker in workers:
        worker.start()
    try:
        for n in range(5):
            assert add(other, f"other-{n}")
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert {f"other-{n}" for n in range(5)} <= names_in(busy)
    for house in (busy, other):
        house.db.close()


def big(house: House, number: int) -> None:
    """Record facts that take room."""
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded(f"big-{number}", "x" * 15_000))


def test_a_full_disk_fails_every_act_of_the_batch_and_loses_none_before_it(
    sqlite_copy: Callable[..., Any],
) -> None:
    site, _ = sqlite_copy(False)
    house = site.open()
    limits: list[Any] = []

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 60}")
        limits.append(connection)

    event.listen(house.db.engine, "connect", limit)
    kept, refused = [], []
    for number in range(100):
        try:
            big(house, number)
            kept.append(f"big-{number}")
        except Unavailable:
            refused.append(number)
            break
    assert kept
    assert refused, "the disk never filled up"
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda n: _tried(house, n), range(200, 200 + THREADS)))
    assert set(answers) == {"unavailable"}
    assert names_in(house) == set(kept)
    event.remove(house.db.engine, "connect", limit)
    house.db.close()
    again = site.open()
    big(again, 300)
    assert names_in(again) == {*kept, "big-300"}
    assert list(audit.verify(again)) == []
    assert audit.compare(again) == []
    again.db.close()


def test_a_commit_that_fails_in_any_way_leaves_the_turn_to_the_next(bare_house: House) -> None:
    broken = list[bool]()

    def interrupt(_connection: object) -> None:
        if not broken:
            broken.append(True)
            raise KeyboardInterrupt

    event.listen(bare_house.db.engine, "commit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        add(bare_house, "lost")
    kept = threading.Thread(target=add, args=(bare_house, "kept"), daemon=True)
    kept.start()
    kept.join(10)
    assert not kept.is_alive(), "nobody gave the turn back"
    assert names_in(bare_house) == {"kept"}


def test_nobody_believes_in_a_commit_that_failed_in_any_way(bare_house: House) -> None:
    entered, said = threading.Event(), list[str]()
    batcher = bare_house.db._batcher
    assert batcher is not None

    def fail(_connection: object) -> None:
        raise Planted

    event.listen(bare_house.db.engine, "commit", fail)

    def hold() -> None:
        with bare_house.db.acting(context()) as act:
            act.record(NamespaceAdded("first", "first"))
            entered.set()
            until = time.monotonic() + 10  # the second waits for its turn, and commits for both
            while not batcher._turns.waiting and time.monotonic() < until:
                pass

    def first() -> None:
        with pytest.raises((Planted, Unavailable)):
            hold()
        said.append("first")

    def second() -> None:
        entered.wait(10)
        with pytest.raises((Planted, Unavailable)):
            add(bare_house, "second")
        said.append("second")

    threads = [threading.Thread(target=work, daemon=True) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    event.remove(bare_house.db.engine, "commit", fail)
    assert sorted(said) == ["first", "second"]
    assert names_in(bare_house) == set()


def _tried(house: House, number: int) -> str:
    try:
        big(house, number)
    except Unavailable:
        return "unavailable"
    return "kept"


def test_an_act_that_reads_a_row_another_holds_waits_for_its_turn(any_house: House) -> None:
    entered, may_leave = threading.Event(), threading.Event()
    order: list[str] = []
    with any_house.db.reading() as read:
        person = next(iter(read.people.search("owner-user"))).id

    def first() -> None:
        with any_house.db.acting(context()) as act:
            act.people.by_id(person, lock=True)
            entered.set()
            may_leave.wait(10)
            act.record(PersonSuspended(person, seal("note", "first", bytes(32))))
            order.append("first")

    def second() -> None:
        with any_house.db.acting(context()) as act:
            seen = act.people.by_id(PersonId(person), lock=True)
            assert seen is not None
            assert seen.suspended
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    may_leave.set()
    for thread in threads:
        thread.join()
    assert order == ["first", "second"]
