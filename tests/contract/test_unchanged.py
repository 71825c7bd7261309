"""What was read is kept exactly as long as nothing is committed: by us, by others, by hand."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

import pytest
from sqlalchemy import event

from gatekeeper.db.unit_of_work import Readers
from gatekeeper.domain.access import Refused
from gatekeeper.domain.errors import BadCredentials, BadLink, NotFound
from gatekeeper.domain.facts.catalogue import NamespaceAdded
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


def record(house: House) -> None:
    """Commit something."""
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded("lab", "Lab"))


def test_nothing_is_read_again_while_nothing_is_committed(bare_house: House) -> None:
    find = Counting()
    assert [bare_house.db.unchanged("lab", find) for _ in range(3)] == [False] * 3
    assert find.times == 1


def test_our_own_commit_is_seen_at_once(bare_house: House) -> None:
    find = Counting()
    assert not bare_house.db.unchanged("lab", find)
    record(bare_house)
    assert bare_house.db.unchanged("lab", find)


def test_a_commit_of_another_process_is_seen_at_once(site: Site, world: World) -> None:
    other, find = site.open(), Counting()
    assert not world.house.db.unchanged("lab", find)
    record(other)
    other.db.close()
    assert world.house.db.unchanged("lab", find)


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
        bare_house.db.unchanged("lab", fail)
    assert not bare_house.db.unchanged("lab", Counting())


def test_a_commit_that_overtakes_a_reader_is_not_lost(bare_house: House) -> None:
    asked, committed = threading.Event(), threading.Event()
    seen = []

    def slow(read: Readers) -> bool:
        found = read.catalogue.namespace("lab") is not None  # the snapshot is taken here
        asked.set()
        assert committed.wait(30)
        return found

    reader = threading.Thread(target=lambda: seen.append(bare_house.db.unchanged("lab", slow)))
    reader.start()
    assert asked.wait(30)
    record(bare_house)
    committed.set()
    reader.join()
    assert seen == [False]  # as it was when it was asked
    assert bare_house.db.unchanged("lab", Counting())


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


def test_a_file_asked_for_again_asks_the_database_one_thing(world: World) -> None:
    ctx, ref = context(world.cast.researcher.actor), world.ref("T3")
    downloads.request_file(world.house, ctx, ref)
    downloads.request_file(world.house, ctx, ref)  # the entry of the first was a commit
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(world.house.db.engine, "before_cursor_execute", note)
    downloads.request_file(world.house, ctx, ref)
    event.remove(world.house.db.engine, "before_cursor_execute", note)
    assert seen == ["PRAGMA data_version"]


def test_every_reader_is_asked_on_postgres(any_bare_house: House) -> None:
    find = Counting()
    for _ in range(2):
        any_bare_house.db.unchanged("lab", find)
    assert find.times == (2 if any_bare_house.db.is_postgres else 1)
