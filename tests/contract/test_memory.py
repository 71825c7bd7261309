"""What was read is kept as long as nothing it may rest on changes: by us, by others, by hand."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import event

from gatekeeper.db.memory import BEARS_ON_NOTHING, Memory, Recall
from gatekeeper.db.readers import Readers
from gatekeeper.db.tables import PROJECTIONS
from gatekeeper.domain.access import Refused
from gatekeeper.domain.errors import BadCredentials, BadLink, NotFound
from gatekeeper.domain.facts.catalogue import NamespaceAdded
from gatekeeper.domain.facts.grants import GrantRevoked
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.people import ANONYMOUS
from gatekeeper.services import downloads, grants, tokens
from gatekeeper.services.ports import House
from tests.builders import World
from tests.cast import context
from tests.conftest import Site


class Counting:
    """Reads the namespace `lab` and counts how often it had to."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, read: Readers) -> bool:
        self.times += 1
        return read.catalogue.namespace("lab") is not None


def ask(house: House, find: Callable[[Readers], bool]) -> bool:
    """Recall what `find` reads."""
    return house.db.recall(lambda look: look.get("lab", find))


def record(house: House) -> None:
    """Commit something."""
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded("lab", "Lab"))


def test_nothing_is_read_again_while_nothing_changes(bare_house: House) -> None:
    find = Counting()
    assert [ask(bare_house, find) for _ in range(3)] == [False] * 3
    assert find.times == 1


def test_our_own_commit_is_seen_at_once(bare_house: House) -> None:
    find = Counting()
    assert not ask(bare_house, find)
    record(bare_house)
    assert ask(bare_house, find)


def test_a_commit_of_another_process_is_seen_at_once(site: Site, world: World) -> None:
    other, find = site.open(), Counting()
    assert not ask(world.house, find)
    record(other)
    other.db.close()
    assert ask(world.house, find)


def test_a_row_changed_by_hand_is_seen_at_once(site: Site, world: World) -> None:
    token = world.cast.researcher.token
    assert tokens.bearer(world.house, context(ANONYMOUS), token).person_id
    by_hand = sqlite3.connect(site.data / "gatekeeper.db")
    by_hand.execute("UPDATE persons SET suspended = 1")
    by_hand.commit()
    by_hand.close()
    with pytest.raises(BadCredentials):
        tokens.bearer(world.house, context(ANONYMOUS), token)


def test_what_fails_is_tried_again(bare_house: House) -> None:
    def fail(_: Readers) -> bool:
        raise NotFound("not yet")

    with pytest.raises(NotFound):
        ask(bare_house, fail)
    assert not ask(bare_house, Counting())


def test_a_commit_that_overtakes_a_reader_is_not_lost(bare_house: House) -> None:
    asked, committed = threading.Event(), threading.Event()
    seen = []

    def slow(read: Readers) -> bool:
        found = read.catalogue.namespace("lab") is not None  # the snapshot is taken here
        asked.set()
        assert committed.wait(30)
        return found

    reader = threading.Thread(target=lambda: seen.append(ask(bare_house, slow)))
    reader.start()
    assert asked.wait(30)
    record(bare_house)
    committed.set()
    reader.join()
    assert seen == [False]  # as it was when it was asked
    assert ask(bare_house, Counting())


def test_a_link_stops_with_its_grant_between_two_requests(world: World) -> None:
    house, ref = world.house, world.ref("T3")
    link = downloads.issue_link(house, context(world.cast.researcher.actor), ref)
    token = link.path.split("/")[2]
    for _ in range(3):
        assert downloads.redeem(house, context(ANONYMOUS), token, serves=True).file.path == ref.path
    held = grants.mine(house, context(world.cast.researcher.actor))[0]
    grants.change(house, context(), held.id, GrantCommand.SUSPEND, EndReason.LEAK, "a leak")
    with pytest.raises((BadLink, Refused)):
        downloads.redeem(house, context(ANONYMOUS), token, serves=True)


def test_a_file_asked_for_again_asks_the_database_one_thing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx, ref = context(world.cast.researcher.actor), world.ref("T3")
    downloads.request_file(world.house, ctx, ref)
    seen: list[str] = []
    ask = Memory._ask

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    def noting(memory: Memory) -> int | None:
        seen.append("the number")
        return ask(memory)

    monkeypatch.setattr(Memory, "_ask", noting)
    event.listen(world.house.db.engine, "before_cursor_execute", note)
    downloads.request_file(world.house, ctx, ref)
    event.remove(world.house.db.engine, "before_cursor_execute", note)
    assert seen == ["the number"]


def test_threads_that_ask_at_once_each_see_the_newest_state(bare_house: House) -> None:
    record(bare_house)
    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(lambda _: ask(bare_house, Counting()), range(640)))
    assert all(found)


def test_every_reader_is_asked_on_postgres(any_bare_house: House) -> None:
    find = Counting()
    for _ in range(2):
        ask(any_bare_house, find)
    assert find.times == (2 if any_bare_house.db.is_postgres else 1)


def test_every_table_that_a_verdict_may_rest_on_raises_the_number(bare_house: House) -> None:
    with bare_house.db.reading() as read:
        found = read.connection.exec_driver_sql(
            "SELECT tbl_name, count(*) FROM sqlite_master WHERE type = 'trigger'"
            " AND name LIKE 'generation_%' GROUP BY tbl_name"
        )
        raising = {row[0]: row[1] for row in found}
    assert raising == {t.name: 3 for t in PROJECTIONS if t not in BEARS_ON_NOTHING}


def test_a_served_file_makes_nobody_read_again(world: World) -> None:
    find = Counting()
    assert not ask(world.house, find)
    ctx = context(world.cast.researcher.actor)
    downloads.request_file(world.house, ctx, world.ref("T3"))
    downloads.issue_link(world.house, ctx, world.ref("T3"))
    assert not ask(world.house, find)
    assert find.times == 1


def test_what_was_read_of_one_state_is_not_mixed_with_another(bare_house: House) -> None:
    house, overtaken, seen = bare_house, [], []

    def find(look: Recall) -> bool:
        first = look.get("first", Counting())
        if not overtaken:
            overtaken.append(record(house))
        seen.append((first, look.get("second", Counting())))
        return first

    house.db.recall(lambda look: look.get("first", Counting()))
    assert house.db.recall(find)
    assert seen == [(True, True)]


def test_a_number_that_was_deleted_by_hand_makes_every_reader_ask(site: Site, world: World) -> None:
    with closing(sqlite3.connect(site.data / "gatekeeper.db")) as by_hand:
        by_hand.execute("DELETE FROM generation")
        by_hand.commit()
    find = Counting()
    assert [ask(world.house, find) for _ in range(2)] == [False, False]
    assert find.times == 2


def test_a_revocation_earlier_in_the_same_batch_is_seen(world: World) -> None:
    house, ref = world.house, world.ref("T3")
    ctx = context(world.cast.researcher.actor)
    held = grants.mine(house, ctx)[0]
    downloads.look(house, ctx, ref)  # all of it is remembered, and nothing recorded
    batcher, entered = house.db._batcher, threading.Event()
    assert batcher is not None

    def revoke() -> None:
        with house.db.acting(context()) as act:
            note = context().sealed("note", "it leaked")
            act.record(GrantRevoked(held.id, held.person_id, EndReason.LEAK, note))
            entered.set()
            while not batcher._turns.waiting:  # then the other has decided to record
                assert not served.done()

    with ThreadPoolExecutor(2) as pool:
        served: Future[downloads.Ready] = Future()
        revoked = pool.submit(revoke)
        assert entered.wait(30)
        served = pool.submit(downloads.request_file, house, ctx, ref)
        with pytest.raises(Refused):
            served.result(30)
        revoked.result(30)


def test_without_its_triggers_nothing_is_kept(site: Site, world: World) -> None:
    with closing(sqlite3.connect(site.data / "gatekeeper.db")) as by_hand:
        by_hand.execute("DROP TRIGGER generation_grants_update")
        by_hand.commit()
    find, house = Counting(), site.open()
    assert [ask(house, find) for _ in range(2)] == [False, False]
    house.db.close()
    assert find.times == 2


def test_what_is_recorded_is_seen_although_a_trigger_was_dropped_meanwhile(
    site: Site, world: World
) -> None:
    ctx, ref = context(world.cast.researcher.actor), world.ref("T3")
    downloads.request_file(world.house, ctx, ref)
    with closing(sqlite3.connect(site.data / "gatekeeper.db")) as by_hand:
        for verb in ("insert", "update", "delete"):
            by_hand.execute(f"DROP TRIGGER generation_grants_{verb}")
        by_hand.commit()
    held = grants.mine(world.house, ctx)[0]
    grants.change(world.house, context(), held.id, GrantCommand.SUSPEND, EndReason.LEAK, "a leak")
    with pytest.raises(Refused):
        downloads.request_file(world.house, ctx, ref)
