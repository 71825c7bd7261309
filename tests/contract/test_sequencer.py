"""The one sequencer on Postgres: gapless, in entry order, and it refuses what we did not write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import create_engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from gatekeeper.db import ledger
from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.domain.errors import IntegrityBroken
from gatekeeper.domain.facts.catalogue import NamespaceAdded
from gatekeeper.services import audit
from gatekeeper.services.ports import House
from tests.cast import context
from tests.rooms import depth


@pytest.fixture
def house(postgres_copy: Callable[..., Any]) -> Iterator[House]:
    """An empty house on Postgres."""
    house = postgres_copy(False)[0].open()
    yield house
    house.db.close()


def add(house: House, name: str) -> None:
    """Record one fact."""
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded(name, name))


def leaves(house: House) -> list[tuple[int, int]]:
    """Return (leaf index, entry id) in leaf order."""
    with house.db.reading() as read:
        rows = read.connection.execute(
            select(t.leaves.c.leaf_index, t.leaves.c.entry_id).order_by(t.leaves.c.leaf_index)
        )
        return [(row.leaf_index, row.entry_id) for row in rows]


def waiting(house: House) -> int:
    """Count the entries without a leaf."""
    with house.db.reading() as read:
        return read.connection.execute(
            select(func.count()).select_from(t.entries)
        ).scalar_one() - len(leaves(house))


def test_an_entry_waits_for_its_leaf_until_the_sequencer_comes(house: House) -> None:
    add(house, "a")
    assert waiting(house) == 1
    assert audit.head(house).size == 0
    assert list(audit.verify(house)) == []
    assert house.db.sequence() == 1
    assert house.db.sequence() == 0
    assert audit.head(house).size == 1


def test_leaves_are_gapless_under_many_writers_and_several_sequencers(house: House) -> None:
    stop = threading.Event()

    def lead() -> None:
        while not stop.is_set():
            house.db.sequence()

    leaders = [threading.Thread(target=lead) for _ in range(2)]
    for leader in leaders:
        leader.start()
    count = depth(160, 2000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: add(house, f"n-{n}"), range(count)))
    stop.set()
    for leader in leaders:
        leader.join()
    house.db.sequence_all()
    found = leaves(house)
    assert [index for index, _ in found] == list(range(count))
    assert len({entry for _, entry in found}) == count
    assert list(audit.verify(house)) == []
    assert audit.compare(house) == []


def test_one_pass_goes_in_entry_order(house: House) -> None:
    for n in range(10):
        add(house, f"n-{n}")
    house.db.sequence()
    entries = [entry for _, entry in leaves(house)]
    assert entries == sorted(entries)


def test_while_one_leads_another_gives_no_leaf(house: House) -> None:
    add(house, "a")
    with house.db.engine.begin() as connection:
        assert ledger.sequence(connection, house.db.entry_key) == 1
        assert house.db.sequence() == 0
    assert [index for index, _ in leaves(house)] == [0]


def test_a_leader_that_dies_again_and_again_leaves_no_gap(house: House) -> None:
    administrator = create_engine(house.db.engine.url, isolation_level="AUTOCOMMIT")
    for n in range(depth(10, 50)):
        add(house, f"n-{n}")
        connection = house.db.engine.connect()
        transaction = connection.begin()
        assert ledger.sequence(connection, house.db.entry_key) >= 1
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with administrator.connect() as admin:
            admin.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with pytest.raises(DBAPIError):
            transaction.commit()
        connection.invalidate()
        connection.close()
        if n % 3 == 0:
            house.db.sequence_all()
    administrator.dispose()
    house.db.sequence_all()
    assert [index for index, _ in leaves(house)] == list(range(depth(10, 50)))
    assert list(audit.verify(house)) == []


@writes
def slip_in(house: House, event_id: str, body: bytes, mac: bytes) -> None:
    """Insert an entry as somebody with a database shell would."""
    with house.db.engine.begin() as connection:
        entry_id = connection.execute(
            insert(t.entries)
            .values(event_id=event_id, kind="NamespaceAdded", at=context().now,
                    actor_kind="operator", body=body, mac=mac)
            .returning(t.entries.c.id)
        ).scalar_one()  # fmt: skip
        connection.execute(insert(t.unsequenced).values(entry_id=entry_id))


def test_an_entry_we_did_not_write_gets_no_leaf_and_is_named(house: House) -> None:
    add(house, "ours")
    house.db.sequence_all()
    stamp = context()
    body = ledger.canonical(stamp.event_id(), stamp, NamespaceAdded("theirs", "Theirs"))
    slip_in(house, "e" * 32, body, ledger.entry_mac(b"another key" * 4, body))
    add(house, "later")
    with pytest.raises(IntegrityBroken, match="not written by this application"):
        house.db.sequence()
    assert audit.head(house).size == 1
    assert any("HMAC" in f.detail for f in audit.verify(house))


def test_an_event_id_enters_the_ledger_once(house: House) -> None:
    add(house, "ours")
    with house.db.reading() as read:
        first = next(iter(read.audit.walk()))
    with pytest.raises(IntegrityError):
        slip_in(house, first.event_id, first.body, first.mac)


def test_a_copied_entry_under_another_event_id_is_found(house: House) -> None:
    add(house, "ours")
    house.db.sequence_all()
    with house.db.reading() as read:
        first = next(iter(read.audit.walk()))
    slip_in(house, "f" * 32, first.body, first.mac)
    with pytest.raises(IntegrityBroken):
        house.db.sequence()
    assert list(audit.verify(house)) != []
