"""Two roles on Postgres: the one that serves does all of the work and cannot touch the past."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import make_url

from gatekeeper import chores
from gatekeeper.app import create_app, make_house, read_keys
from gatekeeper.cli import main
from gatekeeper.db import roles
from gatekeeper.db import tables as t
from gatekeeper.domain.errors import Unavailable
from gatekeeper.domain.facts.catalogue import NamespaceAdded
from gatekeeper.services import audit
from gatekeeper.services.ports import House
from tests import builders
from tests.builders import WEIGHTS, artifact_canary
from tests.cast import context
from tests.conftest import make_settings

SCRIPT = Path(__file__).parents[2] / "docs" / "postgres-roles.sql"


def as_role(url: str, role: str) -> str:
    """Return the address of a database for another role."""
    return make_url(url).set(username=role).render_as_string(hide_password=False)


def run_sql(url: str, sql: str) -> None:
    """Run SQL as psql would, committed at its end."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        connection.execute(sql.encode())


@pytest.fixture
def urls(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An empty database after docs/postgres-roles.sql, as its roles reach it."""
    run_sql(postgres_url, SCRIPT.read_text())
    found = {role: as_role(postgres_url, f"gatekeeper_{role}") for role in ("owner", "app")}
    monkeypatch.setenv("GATEKEEPER_DATABASE__URL", found["app"])
    monkeypatch.setenv("GATEKEEPER_DATABASE__OWNER_URL", found["owner"])
    return found | {"superuser": postgres_url}


def gatekeeper(data: Path, *words: str, expect: int = 0) -> str:
    """Run a command; return what it printed."""
    result = CliRunner().invoke(main, ["--data", str(data), *words])
    assert result.exit_code == expect, (words, result.output, result.exception)
    return result.output


@pytest.fixture
def house(urls: dict[str, str], tmp_path: Path) -> Iterator[House]:
    """A house that both roles set up and that is opened by the one that serves."""
    gatekeeper(tmp_path / "data", "init")
    settings = make_settings(GATEKEEPER_DATABASE__URL=urls["app"])
    house = make_house(settings, tmp_path / "data", demo=True)
    add(house, "northfield-labs")
    house.db.sequence_all()
    yield house
    house.db.close()


def add(house: House, name: str) -> None:
    """Record one fact."""
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded(name, name))


def may(url: str, statement: str) -> bool:
    """Say whether a role may do something."""
    try:
        run_sql(url, statement)
    except InsufficientPrivilege:
        return False
    return True


def do_every_chore(house: House) -> None:
    """Do what goes on beside requests; a chore that fails raises."""
    for chore in chores.EVERYWHERE + chores.WORKER + chores.SLOW:
        chore.do(house, context())


def test_the_serving_role_does_all_of_the_work(
    house: House, urls: dict[str, str], tmp_path: Path
) -> None:
    settings = make_settings(GATEKEEPER_DATABASE__URL=urls["app"])
    keys = read_keys(settings, tmp_path / "data")
    client = create_app(settings, house, keys.sessions).test_client()
    world = builders.furnish(house, tmp_path)
    researcher, applicant = world.cast.researcher, world.cast.applicant
    case = builders.apply_for(house, applicant, world.models["T3"])
    builders.decide(house, world.cast.approver, case.id)
    for member in (researcher, applicant):
        body = {"model": "northfield/lyra-t3", "revision": "main", "path": WEIGHTS}
        headers = {**member.headers, "Idempotency-Key": "once"}
        link = client.post("/api/v1/links", json=body, headers=headers)
        assert link.status_code == 201
        again = client.post("/api/v1/links", json=body, headers=headers)
        assert again.headers["Idempotent-Replayed"] == "true"
        served = client.get(f"/northfield/lyra-t3/resolve/main/{WEIGHTS}", headers=member.headers)
        assert artifact_canary("lyra-t3").encode() in served.get_data()
    assert client.get("/").status_code == 200  # a visitor's session is written
    assert client.get("/readyz").status_code == 200
    do_every_chore(house)
    house.db.sequence_all()
    assert list(audit.verify(house)) == []
    assert audit.compare(house) == []


FORBIDDEN = (
    *(
        statement.format(table)
        for table in ("entries", "leaves", "mentions")
        for statement in (
            "UPDATE {0} SET entry_id = entry_id"
            if table != "entries"
            else "UPDATE {0} SET id = id",
            "DELETE FROM {0}",
            "TRUNCATE {0} CASCADE",
            "ALTER TABLE {0} DISABLE TRIGGER ALL",
            "ALTER TABLE {0} ADD COLUMN more text",
            "DROP TABLE {0} CASCADE",
            "CREATE RULE none AS ON INSERT TO {0} DO INSTEAD NOTHING",
            "LOCK TABLE {0} IN ACCESS EXCLUSIVE MODE",
        )
    ),
    "INSERT INTO entries SELECT * FROM entries ON CONFLICT (id) DO UPDATE SET body = ''",
    "SELECT * FROM entries FOR UPDATE",
    "SELECT setval('entries_id_seq', 1)",
    "DROP TRIGGER entries_append_only ON entries",
    "CREATE TRIGGER mine BEFORE INSERT ON entries EXECUTE FUNCTION refuse_change()",
    "DROP FUNCTION refuse_change CASCADE",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    "SET session_replication_role = replica",
    "SET ROLE gatekeeper_owner",
    "ALTER ROLE gatekeeper_app SUPERUSER",
    "CREATE ROLE another",
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE INDEX mine ON persons (id)",
    "TRUNCATE sessions",
    "DROP TABLE sessions",
    "UPDATE alembic_version SET version_num = '0000'",
    "DELETE FROM alembic_version",
    "COPY entries TO PROGRAM 'cat'",
    "COPY entries TO '/tmp/entries'",
)


def test_the_serving_role_cannot_touch_the_past_or_the_schema(
    house: House, urls: dict[str, str]
) -> None:
    before = audit.head(house)
    assert [s for s in FORBIDDEN if may(urls["app"], s)] == []
    run_sql(urls["app"], "GRANT ALL ON entries TO gatekeeper_app")  # a warning, and no effect
    assert not may(urls["app"], "UPDATE entries SET body = body")
    assert not roles.may_rewrite(house.db.engine)
    assert audit.head(house) == before
    assert list(audit.verify(house)) == []


def test_the_owner_too_is_refused_by_the_triggers(house: House, urls: dict[str, str]) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        run_sql(urls["owner"], "DELETE FROM leaves")


def test_the_serving_role_cannot_migrate_and_is_told_so(
    urls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATEKEEPER_DATABASE__OWNER_URL")
    said = gatekeeper(tmp_path / "data", "init", expect=1)
    assert "does not let our role do this" in said


def test_an_upgrade_by_the_owner_gives_the_serving_role_its_rights_and_no_more(
    house: House, urls: dict[str, str], tmp_path: Path
) -> None:
    run_sql(urls["owner"], "GRANT ALL ON ALL TABLES IN SCHEMA public TO gatekeeper_app")
    run_sql(urls["owner"], "REVOKE INSERT ON entries FROM gatekeeper_app")
    assert roles.may_rewrite(house.db.engine)
    with pytest.raises(Unavailable):
        add(house, "refused")
    assert "current" in gatekeeper(tmp_path / "data", "db", "upgrade")
    add(house, "again")
    for table in t.metadata.sorted_tables:
        assert not may(urls["app"], f"TRUNCATE {table.name} CASCADE")
    assert not may(urls["app"], "DELETE FROM entries")
    assert not roles.may_rewrite(house.db.engine)
