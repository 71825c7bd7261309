"""What the database keeps, on SQLite and on Postgres: schema, acts, snapshots, waiting.

Not here: group commit (test_group_commit), the sequencer (test_sequencer).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, func, inspect, select, text

from gatekeeper.app import make_house
from gatekeeper.db import migrations
from gatekeeper.db import tables as t
from gatekeeper.db.engine import make_engine
from gatekeeper.domain.errors import Busy, Conflict, Unavailable
from gatekeeper.domain.facts.catalogue import NamespaceAdded
from gatekeeper.domain.facts.people import PersonSuspended, TokenRevoked
from gatekeeper.domain.sealed import seal
from gatekeeper.services import audit
from gatekeeper.services.ports import House
from tests.builders import World
from tests.cast import context
from tests.conftest import make_settings, running_postgres

Counts = dict[str, int]


def counts(house: House) -> Counts:
    """Count the rows of every table."""
    with house.db.reading() as read:
        return {
            table.name: read.connection.execute(
                select(func.count()).select_from(table)
            ).scalar_one()
            for table in t.metadata.sorted_tables
        }


def add_namespace(house: House, name: str) -> None:
    """Record one small fact."""
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded(name, name))


def has_namespace(house: House, name: str) -> bool:
    """Say whether the fact is there."""
    with house.db.reading() as read:
        return read.catalogue.namespace(name) is not None


# --- the schema -----------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgres"])
def empty_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine over a database without a schema."""
    if request.param == "sqlite":
        engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    else:
        engine = make_engine(request.getfixturevalue("postgres_url"))
    yield engine
    engine.dispose()


def test_upgrading_an_empty_database_gives_the_tables_of_the_code(empty_engine: Engine) -> None:
    assert migrations.current(empty_engine) is None
    assert not migrations.is_current(empty_engine)
    migrations.upgrade(empty_engine)
    assert migrations.is_current(empty_engine)
    assert migrations.differences(empty_engine) == []
    made = set(inspect(empty_engine).get_table_names())
    assert made == {table.name for table in t.metadata.sorted_tables} | {"alembic_version"}


def test_indexes_keys_and_nullability_are_those_of_the_code(empty_engine: Engine) -> None:
    migrations.upgrade(empty_engine)
    found = inspect(empty_engine)
    for table in t.metadata.sorted_tables:
        indexes = {i["name"] for i in found.get_indexes(table.name)}
        assert {i.name for i in table.indexes} <= indexes, table.name
        keys = found.get_pk_constraint(table.name)["constrained_columns"]
        assert set(keys) == {c.name for c in table.primary_key}, table.name
        nullable = {c["name"] for c in found.get_columns(table.name) if c["nullable"]}
        assert nullable == {c.name for c in table.columns if c.nullable}, table.name


def test_upgrading_twice_changes_nothing(empty_engine: Engine) -> None:
    migrations.upgrade(empty_engine)
    migrations.upgrade(empty_engine)
    assert migrations.is_current(empty_engine)


# --- acts -----------------------------------------------------------------------------------------


def test_an_act_that_is_left_by_an_exception_changes_nothing(any_house: House) -> None:
    before = counts(any_house)
    with suppress(KeyError), any_house.db.acting(context()) as act:
        act.record(NamespaceAdded("half", "Half"))
        raise KeyError
    assert counts(any_house) == before
    add_namespace(any_house, "whole")
    assert has_namespace(any_house, "whole")
    assert not has_namespace(any_house, "half")


def test_a_fact_that_cannot_be_made_true_undoes_those_before_it(any_world: World) -> None:
    house, token = any_world.house, any_world.cast.owner.token_id
    owner = any_world.cast.owner.id
    with house.db.acting(context()) as act:
        act.record(TokenRevoked(token, owner))
    before = counts(house)
    with pytest.raises(Conflict), house.db.acting(context()) as act:
        act.record(
            PersonSuspended(owner, seal("note", "test", bytes(32))), TokenRevoked(token, owner)
        )
    assert counts(house) == before
    with house.db.reading() as read:
        person = read.people.by_id(owner)
    assert person is not None
    assert not person.suspended


def test_the_change_its_entry_and_its_mail_come_together(any_world: World) -> None:
    house = any_world.house
    before = counts(house)
    with house.db.acting(context()) as act:
        act.record(PersonSuspended(any_world.cast.stranger.id, seal("note", "test", bytes(32))))
    house.db.sequence_all()
    after = counts(house)
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert changed == {"entries": 1, "leaves": 1, "mentions": 1, "outbox": 1}
    assert audit.compare(house) == []


def test_what_an_act_recorded_is_read_inside_it(any_house: House) -> None:
    with any_house.db.acting(context()) as act:
        act.record(NamespaceAdded("fresh", "Fresh"))
        assert act.catalogue.namespace("fresh") is not None
        assert not has_namespace(any_house, "fresh")


def test_what_was_acknowledged_is_there_after_opening_anew(any_copy: Callable[..., Any]) -> None:
    site, _ = any_copy(False)
    first = site.open()
    add_namespace(first, "kept")
    again = site.open()
    assert has_namespace(again, "kept")
    for house in (first, again):
        house.db.close()


# --- snapshots ------------------------------------------------------------------------------------


def test_a_reader_sees_one_moment_until_it_ends(any_house: House) -> None:
    with any_house.db.reading() as read:
        before = read.audit.head()
        done = threading.Thread(target=add_namespace, args=(any_house, "later"))
        done.start()
        done.join()
        any_house.db.sequence_all()
        assert read.catalogue.namespace("later") is None
        assert read.audit.head() == before
    assert has_namespace(any_house, "later")


def test_verifying_and_comparing_beside_a_writer_finds_nothing(any_house: House) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            add_namespace(any_house, f"busy-{number}")
            any_house.db.sequence_all()
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            assert list(audit.verify(any_house)) == []
            assert audit.compare(any_house) == []
    finally:
        stop.set()
        writer.join()


# --- waiting --------------------------------------------------------------------------------------


@contextmanager
def at_once(seconds: float) -> Iterator[None]:
    """Fail when the block takes longer."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < seconds, f"it took {took:.1f} s"


def impatient(site: Any) -> House:
    """Open a house that waits one second for a lock or a connection."""
    url = {"GATEKEEPER_DATABASE__URL": site.url} if site.url else {}
    settings = make_settings(GATEKEEPER_DATABASE__BUSY_SECONDS="1.0", **url)
    return make_house(settings, site.data, demo=True)


def test_a_file_that_another_process_has_locked_is_unavailable_soon(
    sqlite_copy: Callable[..., Any],
) -> None:
    site, _ = sqlite_copy(False)
    house = impatient(site)
    other = sqlite3.connect(site.data / "gatekeeper.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with at_once(4), pytest.raises(Unavailable):
        add_namespace(house, "waiting")
    with at_once(1):
        assert not has_namespace(house, "waiting")
    other.execute("ROLLBACK")
    other.close()
    add_namespace(house, "waiting")
    assert has_namespace(house, "waiting")
    house.db.close()


def test_a_row_that_another_session_has_locked_is_unavailable_soon(
    postgres_copy: Callable[..., Any],
) -> None:
    site, world = postgres_copy(True)
    house = impatient(site)
    person = world.cast.owner.id
    other = create_engine(site.url)
    with other.connect() as connection:
        connection.execute(text("SELECT 1 FROM persons FOR UPDATE"))
        with at_once(4), pytest.raises(Unavailable), house.db.acting(context()) as act:
            act.people.by_id(person, lock=True)
    other.dispose()
    with house.db.acting(context()) as act:
        assert act.people.by_id(person, lock=True) is not None
    house.db.close()


def test_when_every_connection_is_taken_it_is_said_soon(any_copy: Callable[..., Any]) -> None:
    site, _ = any_copy(False)
    house = impatient(site)
    with ExitStack() as taken:
        with at_once(30), pytest.raises(Busy):
            take_all(house, taken)
        with at_once(4):
            assert not house.db.is_ready()
    assert house.db.is_ready()
    house.db.close()


def take_all(house: House, taken: ExitStack) -> None:
    """Open readers until there is no connection left."""
    for _ in range(1000):
        taken.enter_context(house.db.reading()).audit.head()


def end_other_sessions(url: str) -> None:
    """End every session of a database but our own, as an administrator would."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()


def lose(house: House, url: str, *, last_words: bool) -> None:
    """Record in an act whose connection dies before the end."""
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded("lost", "Lost"))
        end_other_sessions(url)
        if last_words:
            act.record(NamespaceAdded("later", "Later"))


@pytest.mark.parametrize("last_words", [True, False])
def test_an_act_whose_connection_dies_changes_nothing_and_the_next_one_works(
    postgres_copy: Callable[..., Any], last_words: bool
) -> None:
    site, _ = postgres_copy(False)
    house = site.open()
    with pytest.raises(Unavailable):
        lose(house, site.url, last_words=last_words)
    assert not has_namespace(house, "lost")
    add_namespace(house, "next")
    house.db.sequence_all()
    assert audit.head(house).size == 1
    house.db.close()


def test_a_connection_that_died_while_nobody_used_it_is_replaced_unseen(
    postgres_copy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, _ = postgres_copy(False)
    house = site.open()
    add_namespace(house, "first")
    end_other_sessions(site.url)
    monkeypatch.setattr("gatekeeper.db.engine.PING_SECONDS", 0)  # as if it had rested long
    add_namespace(house, "second")
    assert has_namespace(house, "second")
    house.db.close()


def test_a_postgres_that_is_stopped_is_unavailable_soon_and_works_when_it_is_back(
    sqlite_copy: Callable[..., Any],
) -> None:
    with running_postgres() as server:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        house = impatient(replace(sqlite_copy(False)[0], url=url))
        migrations.upgrade(house.db.engine)
        add_namespace(house, "before")
        server.stop()
        for ask in (add_namespace, has_namespace):
            with at_once(4), pytest.raises(Unavailable):
                ask(house, "during")
        with at_once(4):
            assert not house.db.is_ready()
        server.start()
        assert has_namespace(house, "before")
        assert not has_namespace(house, "during")
        add_namespace(house, "after")
        house.db.close()


def test_grants_of_an_older_database_stand_in_their_order_and_are_watched_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / "gatekeeper.db"
    engine = make_engine(f"sqlite:///{path}")
    config = migrations._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "uploads")
    with closing(sqlite3.connect(path)) as older:  # which does not ask for the person and the model
        older.execute(
            "INSERT INTO grants (id, person_id, state, starts_at, ends_at, changed_at, event_id,"
            " mac) VALUES ('gr_1', 'per_1', 'active', 77, 99, 77, 'e', x'00')"
        )
        older.execute("INSERT INTO grant_models (grant_id, model_id) VALUES ('gr_1', 'mod_1')")
        older.commit()
        triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
        before = older.execute(triggers).fetchone()
        migrations.upgrade(engine)
        assert older.execute("SELECT starts_at FROM grant_models").fetchall() == [(77,)]
        assert older.execute(triggers).fetchone() == before
    assert migrations.differences(engine) == []
    engine.dispose()
