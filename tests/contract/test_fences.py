"""Fences 5 and 6 on both databases: no write outside of the named writers, no change of the past.

The other fences stand in tests/unit/test_architecture.py.
"""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.services import audit
from gatekeeper.services.ports import House
from tests.cast import context


@pytest.mark.parametrize(
    "statement",
    [
        update(t.grants).values(state="active"),
        delete(t.members),
        insert(t.namespaces).values(name="x", title="x", created_at=None, event_id="e"),
        insert(t.sessions).from_select(["digest"], select(t.persons.c.id)),
        text("UPDATE applications SET state = 'approved'"),
        text("  delete from outbox"),
        text("WITH x AS (SELECT 1) UPDATE grants SET state = 'active'"),
    ],
)  # fmt: skip
def test_a_write_that_no_named_writer_makes_fails_the_test(
    any_house: House, statement: object
) -> None:
    with (
        pytest.raises(AssertionError, match="outside of the named writers"),
        any_house.db.engine.begin() as connection,
    ):
        connection.execute(statement)  # type: ignore[call-overload]


def test_a_write_inside_an_act_but_outside_of_record_fails_the_test(any_house: House) -> None:
    with (
        pytest.raises(AssertionError, match="outside of the named writers"),
        any_house.db.acting(context()) as act,
    ):
        act.connection.execute(update(t.grants).values(state="active"))


def test_a_named_writer_may_write_and_no_longer_afterwards(any_house: House) -> None:
    @writes
    def named() -> None:
        connection.execute(update(t.grants).values(reason=None))

    with any_house.db.engine.begin() as connection:
        named()
        with pytest.raises(AssertionError, match="outside of the named writers"):
            connection.execute(update(t.grants).values(reason=None))


CHANGES = [
    "UPDATE entries SET body = body",
    "UPDATE entries SET mac = '' WHERE id = 1",
    "DELETE FROM entries",
    "DELETE FROM entries WHERE id = (SELECT max(id) FROM entries)",
    "UPDATE leaves SET hash = hash",
    "DELETE FROM leaves WHERE leaf_index = 0",
]
OF_SQLITE = [
    "REPLACE INTO entries SELECT * FROM entries WHERE id = 1",
    "INSERT OR REPLACE INTO leaves SELECT * FROM leaves WHERE leaf_index = 0",
]
OF_POSTGRES = ["TRUNCATE leaves", "TRUNCATE entries CASCADE"]


def refuses(house: House, statement: str) -> bool:
    """Run a statement past our fences, as a person with a database shell would."""

    @writes
    def past_the_fence() -> None:
        connection.execute(text(statement))

    try:
        with house.db.engine.begin() as connection:
            past_the_fence()
    except DBAPIError as error:
        return "append-only" in str(error)
    return False


def test_the_database_itself_refuses_to_change_or_delete_an_entry_or_a_leaf(
    any_house: House,
) -> None:
    before = audit.head(any_house)
    own = OF_POSTGRES if any_house.db.is_postgres else OF_SQLITE
    for statement in (*CHANGES, *own):
        assert refuses(any_house, statement), statement
    assert audit.head(any_house) == before
    assert list(audit.verify(any_house)) == []
