"""Fills a furnished house with copies of its own rows: up to millions, in a few minutes (SQLite).

The one place that writes audited tables without a fact. What it adds proves nothing: the MACs of
copied grants do not hold and copied entries repeat an event. It is for a benchmark's database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from sqlalchemy import Connection, Table, insert, text

from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.domain.catalogue import File

OPEN_CASES = 100  # what waits for a desk, however much was decided before
MODELS_A_NAMESPACE = 100  # each is the one model of its release

_NAMESPACE = f"'crowd-' || (i / {MODELS_A_NAMESPACE})"
_RELEASE = "'rel_crowd' || i"
_PERSON, _MODEL, _GRANT, _CASE = (f"'{kind}_crowd' || i" for kind in ("per", "mod", "gr", "GK"))
_REVISION = "printf('%040x', i)"
_AT = "one.{0} - 2000000000000 + i"  # earlier than anything real, in order
_EVENT = "printf('%032x', i)"

# Columns that differ from the row that is copied, an expression of the number i; parents first.
_COPIES: tuple[tuple[Table, Mapping[str, str]], ...] = (
    (t.namespaces, {"name": _NAMESPACE}),
    (t.releases, {"id": _RELEASE, "namespace": _NAMESPACE, "name": "'line-' || i"}),
    (t.models, {"id": _MODEL, "release_id": _RELEASE, "namespace": _NAMESPACE,
                "name": "'model-' || i"}),
    (t.revisions, {"id": _REVISION, "model_id": _MODEL}),
    (t.refs, {"model_id": _MODEL, "revision_id": _REVISION}),
    (t.files, {"revision_id": _REVISION}),
    (t.persons, {"id": _PERSON, "username_value": "'crowd' || i",
                 "email_value": "'crowd' || i || '@crowd.example'"}),
    (t.applications, {"id": _CASE, "lead_id": _PERSON,
                      "state": f"CASE WHEN i < {OPEN_CASES} THEN 'submitted' ELSE 'approved' END"}),
    (t.application_models, {"application_id": _CASE}),  # everybody asked for the same model
    (t.grants, {"id": _GRANT, "person_id": _PERSON, "application_id": _CASE}),
    (t.grant_models, {"grant_id": _GRANT}),  # and holds it
)  # fmt: skip
_STEPS = {"namespaces": MODELS_A_NAMESPACE}
_SHELF = ("namespaces", "releases", "models", "revisions", "refs")


@writes
def fill(connection: Connection, first: int, last: int) -> None:
    """Add models, people, cases, grants and entries with the numbers from `first` to before `last`.

    Both are multiples of 100. The ledger is as long as there are entries, and holds no proof.
    """
    with _uncounted(connection):
        for table, changes in _COPIES:
            _copy(connection, table, changes, first, last, _STEPS.get(table.name, 1))
    fill_ledger(connection, first, last)


@writes
def fill_ledger(connection: Connection, first: int, last: int) -> None:
    """Add entries alone, with their leaves and what they mention."""
    size = connection.execute(text("SELECT max(leaf_index) + 1 FROM leaves")).scalar_one()
    newest = connection.execute(text("SELECT max(id) FROM entries")).scalar_one()
    entry = f"{newest} + 1 + i - {first}"
    about = {"entry_id": entry}
    _copy(connection, t.entries, {"id": entry, "event_id": _EVENT}, first, last)
    leaf = {"leaf_index": f"{size} + i - {first}", **about}
    _copy(connection, t.leaves, leaf, first, last)
    for subject in (_PERSON, "(SELECT model_id FROM grant_models ORDER BY rowid LIMIT 1)"):
        _copy(connection, t.mentions, {"subject": subject, **about}, first, last)
    grown = size + last - first
    connection.execute(
        text("UPDATE tree SET size = :size, hashes = zeroblob(:bytes)"),
        {"size": grown, "bytes": 32 * grown.bit_count()},
    )


@writes
def fill_shelf(connection: Connection, cards: Sequence[File], paths: Sequence[str]) -> None:
    """Add a model for each card, with one revision: its card, and the first one's files `paths`."""
    with _uncounted(connection):
        for table, changes in _COPIES:
            if table.name in _SHELF:
                _copy(connection, table, changes, 0, len(cards), _STEPS.get(table.name, 1))
        for path in paths:
            _copy(connection, t.files, {"revision_id": _REVISION}, 0, len(cards), path=path)
        connection.execute(
            insert(t.files),
            [{"revision_id": f"{i:040x}", **asdict(card)} for i, card in enumerate(cards)],
        )


@writes
def forget(connection: Connection) -> None:
    """Say that something changed, so that a server reads again what it remembers."""
    connection.execute(text("UPDATE generation SET number = number + 1"))


@contextmanager
def _uncounted(connection: Connection) -> Iterator[None]:
    """Take the triggers away that raise the generation with each row; raise it once instead."""
    found = connection.execute(
        text(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' "
            "AND name GLOB 'generation_*'"
        )
    ).all()
    for trigger in found:
        connection.exec_driver_sql(f"DROP TRIGGER {trigger.name}")
    yield
    for trigger in found:
        connection.exec_driver_sql(trigger.sql)
    forget(connection)


def _copy(
    connection: Connection, table: Table, changes: Mapping[str, str], first: int, last: int,
    step: int = 1, path: str | None = None,
) -> None:  # fmt: skip
    """Insert a copy of the table's first row (at a path) for every `step`-th number."""
    times = {
        c.name: _AT.format(c.name)
        for c in table.c
        if c.name in {"changed_at", "submitted_at", "at"}
    }
    values = {**{c.name: f"one.{c.name}" for c in table.c}, **times, **changes}
    names = ", ".join(f'"{name}"' for name in values)
    where = "" if path is None else " WHERE path = :path"
    connection.execute(
        text(
            f"WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + {step} FROM n "
            f"WHERE i + {step} < {last}) INSERT INTO {table.name} ({names}) "
            f"SELECT {', '.join(values.values())} FROM n, "
            f"(SELECT * FROM {table.name}{where} ORDER BY rowid LIMIT 1) AS one"
        ),
        {} if path is None else {"path": path},
    )
