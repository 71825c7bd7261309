"""What Postgres may do to one process: locked tables, slow statements, frozen transactions.

Every wait ends, the pool is whole afterwards, and what was refused changed nothing. Several
processes, and a Postgres that is stopped, are in test_servers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, func, make_url, select, text
from sqlalchemy.pool import NullPool, QueuePool

from gatekeeper.app import create_app, make_house, read_keys
from gatekeeper.db import ledger
from gatekeeper.db import tables as t
from gatekeeper.domain.errors import Unavailable
from gatekeeper.domain.facts.catalogue import NamespaceAdded
from gatekeeper.services import audit
from gatekeeper.services.ports import House
from tests.builders import WEIGHTS, World
from tests.cast import context
from tests.conftest import Site, make_settings
from tests.contract.test_database import at_once
from tests.http.test_faults import is_unavailable

STORM = 60  # requests at once, for a pool of four connections
SECONDS = 30


@pytest.fixture
def place(postgres_copy: Callable[..., Any]) -> tuple[Site, World]:
    """A furnished house on Postgres that nobody has opened."""
    site, world = postgres_copy(True)
    return site, world


def open_house(site: Site, **environment: str) -> House:
    """Open a house with a small pool, little patience, and what else is said."""
    ours = {"BUSY_SECONDS": "0.4", "POOL_SIZE": "2", **environment}
    keys = {f"GATEKEEPER_DATABASE__{key}": value for key, value in ours.items()}
    settings = make_settings(GATEKEEPER_DATABASE__URL=site.url, **keys)
    return make_house(settings, site.data, demo=True)


@contextmanager
def another_session(url: str) -> Iterator[Connection]:
    """Open a transaction of somebody else's, rolled back at the end."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        yield connection
        connection.rollback()


def test_a_storm_on_a_locked_table_is_503_and_leaves_the_pool_whole(
    place: tuple[Site, World],
) -> None:
    site, world = place
    house = open_house(site)
    settings = make_settings(GATEKEEPER_DATABASE__URL=site.url)
    app = create_app(settings, house, read_keys(settings, site.data).sessions)
    body = {"model": "northfield/lyra-t3", "revision": "main", "path": WEIGHTS}
    doors: tuple[tuple[str, str], ...] = (
        ("POST", "/api/v1/links"),
        ("GET", f"/northfield/lyra-t3/resolve/main/{WEIGHTS}"),
        ("GET", "/api/v1/models"),
    )

    def ask(number: int) -> bool:
        method, path = doors[number % len(doors)]
        told = app.test_client().open(
            path, method=method, json=body, headers=world.cast.researcher.headers
        )
        return is_unavailable(told)

    with another_session(site.url) as other, ThreadPoolExecutor(STORM) as pool:
        other.execute(text("LOCK TABLE grants, models IN ACCESS EXCLUSIVE MODE"))
        with at_once(SECONDS):
            assert all(pool.map(ask, range(STORM)))
        assert app.test_client().get("/healthz").status_code == 200
    assert isinstance(house.db.engine.pool, QueuePool)
    assert house.db.engine.pool.checkedout() == 0
    with house.db.reading() as read:
        for table in (t.links, t.servings):
            counted = select(func.count()).select_from(table)
            assert read.connection.execute(counted).scalar_one() == 0
    assert not ask(0)
    assert not ask(1)
    house.db.close()


def test_a_postgres_that_may_only_be_read_is_503_to_acts_and_comes_back(
    place: tuple[Site, World],
) -> None:
    site, _ = place
    name = make_url(site.url).database
    administer(site, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    house = open_house(site)
    for _ in range(3):
        with pytest.raises(Unavailable):
            add(house, "during")
    assert house.db.is_ready()  # reading goes on
    administer(site, f"ALTER DATABASE {name} RESET default_transaction_read_only")
    with suppress(Unavailable):
        add(house, "after")  # may meet a connection from before, which is the last of them
    add(house, "again")
    with house.db.reading() as read:
        assert read.catalogue.namespace("during") is None
        assert read.catalogue.namespace("again") is not None
    house.db.close()


def add(house: House, name: str) -> None:
    """Record one fact."""
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded(name, name))


def administer(site: Site, statement: str) -> None:
    """Run a statement as the administrator of the database would."""
    url = make_url(site.url).set(database="postgres")
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


def test_a_statement_that_runs_too_long_is_ended(place: tuple[Site, World]) -> None:
    house = open_house(place[0], STATEMENT_SECONDS="1")
    with at_once(SECONDS), pytest.raises(Unavailable), house.db.reading() as read:
        read.connection.execute(text("SELECT pg_sleep(600)"))
    assert house.db.is_ready()
    house.db.close()


def test_a_process_that_freezes_in_an_act_keeps_its_locks_no_longer_than_a_statement_may_run(
    place: tuple[Site, World],
) -> None:
    site, world = place
    house, other = open_house(site, STATEMENT_SECONDS="1"), open_house(site, BUSY_SECONDS="20")
    person = world.cast.owner.id

    def wake_up_late() -> None:
        with house.db.acting(context()) as act:
            act.people.by_id(person, lock=True)
            # We stand still; the other, which waits for our lock, gets it.
            with other.db.acting(context()) as theirs:
                assert theirs.people.by_id(person, lock=True) is not None
            act.record(NamespaceAdded("late", "Late"))

    with pytest.raises(Unavailable):
        wake_up_late()
    with other.db.reading() as read:
        assert read.catalogue.namespace("late") is None
    for each in (house, other):
        each.db.close()


def test_a_sequencer_that_freezes_loses_the_lead(place: tuple[Site, World]) -> None:
    house, other = open_house(place[0]), open_house(place[0])
    other.db.sequence_all()
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded("waits", "Waits"))
    frozen, may_end = threading.Event(), threading.Event()

    def lead() -> None:
        with house.db.engine.begin() as connection:
            assert ledger.sequence(connection, house.db.entry_key) == 1
            frozen.set()
            assert may_end.wait(SECONDS)

    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(lead)
        assert frozen.wait(SECONDS)
        assert other.db.sequence() == 0
        with at_once(SECONDS):
            while other.db.sequence() == 0:
                pass
        may_end.set()
        assert leader.exception(SECONDS) is not None
    assert list(audit.verify(other)) == []
    for each in (house, other):
        each.db.close()
