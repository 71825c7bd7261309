"""Whoever edits the database by SQL is found: by `verify` in the ledger, by `compare` elsewhere.

And whatever is done to grant rows opens nothing meanwhile: each carries its own HMAC.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Table, text

from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.domain.access import Refused
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.people import Role
from gatekeeper.services import audit, downloads, grants, members, tokens
from gatekeeper.services.applications import decisions
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import repositories
from tests import builders
from tests.builders import World
from tests.cast import Member, context
from tests.conftest import Site
from tests.rooms import depth


def use(world: World) -> None:
    """Leave at least one row in every audited table."""
    house, cast = world.house, world.cast
    for ask in (downloads.issue_link, downloads.request_file):
        ask(house, context(cast.researcher.actor), world.ref("T3"))
    with pytest.raises(Refused):
        downloads.request_file(house, context(cast.applicant.actor), world.ref("T3"))
    builders.accept(house, cast.applicant, builders.COMMUNITY)
    case = builders.apply_for(house, cast.applicant, world.models["T4"])
    builders.decide(house, cast.approver, case.id, Decision(VerdictKind.ASK, 0, note="Why?"))
    decisions.post_message(
        house, context(cast.handler.actor), case.id, "A note to ourselves.", internal=True
    )
    (held,) = grants.mine(house, context(cast.applicant.actor))
    ctx = context(cast.approver.actor)
    grants.change(house, ctx, held.id, GrantCommand.SUSPEND, EndReason.MISUSE, "odd")
    tokens.revoke(house, context(cast.admin.actor), cast.admin.token_id)
    members.set_role(house, context(), "northfield", cast.admin.email, Role.REVIEWER, remove=False)
    repositories.move(house, context(), world.name("T0"), ("northfield", "lyra-renamed"))


@pytest.fixture(scope="module")
def original(
    sqlite_template: Callable[[bool], Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A data directory in which every audited table has rows."""
    data, world = sqlite_template(True)
    used = tmp_path_factory.mktemp("used") / "data"
    shutil.copytree(data, used)
    house = Site(used).open()
    use(World(house, world.cast, world.models))
    assert audit.compare(house) == []
    house.db.close()
    return used


@dataclass(frozen=True, slots=True)
class Edit:
    """One statement of somebody with a database shell."""

    what: str
    statement: str
    values: tuple[Any, ...]


LEDGER = (t.entries, t.leaves, t.mentions, t.tree)


def edits(database: sqlite3.Connection, chance: random.Random) -> Iterator[Edit]:
    """Go through every column of some row, and the loss and the copy of some row, of each table."""
    for table in (*LEDGER, *t.PROJECTIONS):
        rows = database.execute(f"SELECT rowid, {_names(table)} FROM {table.name}").fetchall()
        assert rows, f"{table.name} is empty: the test shows nothing"
        for place, column in enumerate(table.columns, start=1):
            row = chance.choice(rows)
            statement = f"UPDATE {table.name} SET {column.name} = ? WHERE rowid = ?"
            what = f"{table.name}.{column.name} of row {row[0]}"
            yield Edit(what, statement, (other(row[place], column), row[0]))
        row = chance.choice(rows)
        yield Edit(
            f"a row of {table.name} is gone",
            f"DELETE FROM {table.name} WHERE rowid = ?",
            (row[0],),
        )
        if table is not t.tree:  # of which only one row is ever read
            yield _copy(table, chance.choice(rows)[1:])


def other(value: Any, column: Column[Any]) -> Any:
    """Return another value that fits the column."""
    match value:
        case None:
            return 1 if isinstance(column.type, t.Moment) else "x"
        case int() if isinstance(column.type, Boolean):
            return 1 - value  # any other number is read as true
        case int():
            return value + 1_000_003
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:] if value else b"x"
        case str() if value.startswith(("[", "{")):
            return value.replace('"', '"x', 1) if '"' in value else '["x"]'
        case _:
            return ("1" if value[:1] != "1" else "2") + value[1:]


def _copy(table: Table, row: tuple[Any, ...]) -> Edit:
    """Copy a row under another key, and past other unique columns."""
    unique = {c.name for c in table.primary_key} | {c.name for c in table.columns if c.unique}
    unique |= {c.name for i in table.indexes if i.unique for c in i.columns}
    values = tuple(
        other(value, column) if column.name in unique else value
        for column, value in zip(table.columns, row, strict=True)
    )
    marks = ", ".join("?" * len(values))
    return Edit(
        f"a copied row in {table.name}",
        f"INSERT INTO {table.name} ({_names(table)}) VALUES ({marks})",
        values,
    )


def _names(table: Table) -> str:
    """Return the columns in our order: a migration adds one at the end."""
    return ", ".join(column.name for column in table.columns)


def is_found(site: Site) -> bool:
    """Say whether verify or compare finds anything."""
    house = site.open()
    try:
        return bool(list(audit.verify(house)) or audit.compare(house))
    finally:
        house.db.close()


def test_any_single_edit_by_sql_is_found(original: Path, tmp_path: Path) -> None:
    chance = random.Random(5)
    site = Site(tmp_path / "data")
    shutil.copytree(original, site.data)
    database, whole = site.data / "gatekeeper.db", original / "gatekeeper.db"
    with sqlite3.connect(whole) as connection:
        tried = [e for _ in range(depth(1, 2)) for e in edits(connection, chance)]
    connection.close()
    missed: list[Edit] = []
    for edit in chance.sample(tried, min(len(tried), depth(40, 10_000))):
        shutil.copy(whole, database)
        connection = sqlite3.connect(database, isolation_level=None)
        for (trigger,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        changed = connection.execute(edit.statement, edit.values).rowcount
        connection.close()
        assert changed == 1, edit
        if not is_found(site):
            missed.append(edit)
    assert missed == []


def test_an_untouched_house_has_no_finding(original: Path) -> None:
    assert not is_found(Site(original))


# --- grants ---------------------------------------------------------------------------------------


def run(house: House, statement: str, **values: Any) -> None:
    """Run a statement past our fences, as a person with a database shell would."""

    @writes
    def past_the_fence() -> None:
        with house.db.engine.begin() as connection:
            connection.execute(text(statement), values)

    past_the_fence()


COPIED = (
    "INSERT INTO grants (id, person_id, state, starts_at, ends_at, application_id, agreement_id, "
    "reason, changed_at, event_id, mac) SELECT {id}, {person}, 'active', starts_at, ends_at, "
    "application_id, agreement_id, NULL, changed_at, event_id, {mac} FROM grants WHERE id = :old"
)
MODELS = "INSERT INTO grant_models (grant_id, model_id, starts_at) VALUES (:new, :model, 0)"


def opens(world: World, member: Member, key: str) -> bool:
    """Say whether somebody may fetch a file of a model."""
    try:
        downloads.request_file(world.house, context(member.actor), world.ref(key))
    except Refused:
        return False
    return True


@pytest.mark.parametrize("mac", ["mac", ":mac"])
def test_a_grant_row_slipped_in_opens_nothing_and_compare_names_it(
    any_world: World, mac: str
) -> None:
    house, cast = any_world.house, any_world.cast
    builders.accept(house, cast.applicant, builders.RESEARCH)
    (held,) = grants.mine(house, context(cast.researcher.actor))
    values = {"new": "gr_slipped", "old": held.id, "person": cast.applicant.id, "mac": b"0" * 32}
    if mac == "mac":
        del values["mac"]
    run(house, COPIED.format(id=":new", person=":person", mac=mac), **values)
    run(house, MODELS, new="gr_slipped", model=any_world.models["T3"].id)
    assert not opens(any_world, cast.applicant, "T3")
    with pytest.raises(Refused):
        downloads.issue_link(house, context(cast.applicant.actor), any_world.ref("T3"))
    house.db.sequence_all()
    assert [d for d in audit.compare(house) if d.startswith("grants gr_slipped")]


def test_a_copied_grant_of_ones_own_opens_nothing(any_world: World) -> None:
    """The same person, the same models, the same HMAC: but under another id."""
    house, cast = any_world.house, any_world.cast
    (held,) = grants.mine(house, context(cast.researcher.actor))
    run(house, COPIED.format(id=":new", person="person_id", mac="mac"), new="gr_twin", old=held.id)
    run(house, MODELS, new="gr_twin", model=any_world.models["T3"].id)
    ctx = context(cast.approver.actor)
    grants.change(house, ctx, held.id, GrantCommand.REVOKE, EndReason.LEAK)
    assert not opens(any_world, cast.researcher, "T3")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE grants SET person_id = :other WHERE id = :id",
        "UPDATE grants SET ends_at = ends_at + 1 WHERE id = :id",
        "UPDATE grants SET starts_at = starts_at - 1 WHERE id = :id",
        "UPDATE grants SET event_id = 'x' WHERE id = :id",
        "UPDATE grants SET application_id = NULL WHERE id = :id",
        "INSERT INTO grant_models (grant_id, model_id, starts_at) VALUES (:id, :model, 0)",
        "UPDATE grant_models SET model_id = :model WHERE grant_id = :id",
    ],
)
def test_an_edited_grant_opens_nothing_for_anybody_and_compare_names_it(
    any_world: World, statement: str
) -> None:
    house, cast = any_world.house, any_world.cast
    builders.accept(house, cast.applicant, builders.RESEARCH)
    (held,) = grants.mine(house, context(cast.researcher.actor))
    values = {"id": held.id, "other": cast.applicant.id, "model": any_world.models["T4"].id}
    run(house, statement, **{k: v for k, v in values.items() if f":{k}" in statement})
    for member in (cast.researcher, cast.applicant):
        for key in ("T3", "T4"):
            assert not opens(any_world, member, key)
    house.db.sequence_all()
    assert [d for d in audit.compare(house) if d.startswith("grant")]


@pytest.mark.parametrize("command", [GrantCommand.REVOKE, GrantCommand.SUSPEND])
def test_an_ended_grant_set_to_active_by_sql_stays_closed(
    any_world: World, command: GrantCommand
) -> None:
    house, cast = any_world.house, any_world.cast
    (held,) = grants.mine(house, context(cast.researcher.actor))
    grants.change(house, context(cast.approver.actor), held.id, command, EndReason.LEAK)
    run(house, "UPDATE grants SET state = 'active', reason = NULL WHERE id = :id", id=held.id)
    assert not opens(any_world, cast.researcher, "T3")
    house.db.sequence_all()
    assert [d for d in audit.compare(house) if d.startswith(f"grants {held.id}")]
