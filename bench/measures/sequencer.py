"""Postgres: one sequencer that gives leaves behind the acts, beside a locked head row in each act.

The anchor appends its entry as ours does, then takes the tree's one row FOR UPDATE and gives the
leaf itself: acts wait for one another from there to their commit. Ours counts until every entry has
its leaf. Source: house.md 6, performance.md B.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Select, String, bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY

from bench.clients.actors import Acts, act_on
from bench.figures import Bound, Figure, by_yield, in_rounds
from bench.ground import Ground
from bench.servers.hall import bare, opened
from bench.servers.postgres import postgres
from gatekeeper import chores
from gatekeeper.db import ledger
from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.db.statements import Prepared
from gatekeeper.domain.facts import Fact
from gatekeeper.domain.facts.catalogue import NamespaceAdded
from gatekeeper.domain.ledger import leaf_hash
from gatekeeper.services.ports import House
from tests.cast import context

SECONDS = 4.0
_LOCK = Prepared(select(t.tree.c.id).where(t.tree.c.id == 1).with_for_update())


def _appending() -> Select[Any]:
    """Insert an entry and its mentions in one way there, as ours does; return the entry's id."""
    entry = ledger._INSERT_ENTRY.cte("entry")  # noqa: SLF001  # of the same parts as ours
    subject = func.unnest(bindparam("subjects", type_=ARRAY(String)))
    named = insert(t.mentions).from_select(["subject", "entry_id"], select(subject, entry.c.id))
    return select(entry.c.id).add_cte(named.cte("named"))


_APPEND = Prepared(_appending())


def measure(ground: Ground) -> Sequence[Figure]:
    """Measure acts a second, each way on a database of its own."""
    place = ground.place("sequencer")
    with (
        postgres(["ours", "anchor"]) as urls,
        opened(bare(place / "ours", urls["ours"]), urls["ours"]) as ours,
        opened(bare(place / "anchor", urls["anchor"]), urls["anchor"]) as anchor,
    ):
        _plant_head(anchor)
        found = in_rounds(
            {"ours": lambda: _sequenced(ours), "anchor": lambda: _chained(anchor)}, ground.rounds
        )
    speeds = {name: [acts.per_second for acts in all_acts] for name, all_acts in found.items()}
    return [
        Figure(
            name="sequencer",
            anchor="a locked head row in each act",
            unit="acts a second",
            values=speeds,
            ratios=by_yield(speeds["ours"], speeds["anchor"]),
            floor=1.5,
            aim=2.0,
            bound=Bound.AT_LEAST,
        )
    ]


def _sequenced(house: House) -> Acts:
    round_of_chores = chores.Round(house, chores.EVERYWHERE)
    round_of_chores.start()
    begun = time.perf_counter()
    acts = act_on(house.db.acting, SECONDS)
    house.db.sequence_all()
    acts.seconds = time.perf_counter() - begun
    round_of_chores.finish()
    return acts


def _plant_head(house: House) -> None:
    """Record something, so that there is a head row to lock."""
    with house.db.acting(context()) as act:
        act.record(NamespaceAdded("first", "First"))
    house.db.sequence_all()


def _chained(house: House) -> Acts:
    with patch.object(ledger, "append", _append_and_chain):
        return act_on(house.db.acting, SECONDS)


@writes
def _append_and_chain(connection: Connection, key: bytes, stamp: ledger.Stamp, fact: Fact) -> None:
    """Append an entry and give it its leaf in the same transaction, under the head row's lock."""
    body = ledger.canonical(stamp.event_id, stamp.context, fact)
    actor = stamp.context.actor
    entry_id = _APPEND.first(
        connection,
        subjects=tuple(sorted(ledger.subjects(stamp.context, fact))),
        event_id=stamp.event_id,
        kind=type(fact).__name__,
        at=stamp.context.now,
        actor_kind=str(actor.kind),
        actor_id=actor.person_id,
        body=body,
        mac=ledger.entry_mac(key, body),
    ).id
    _LOCK.first(connection)
    ledger._grow(connection, [(entry_id, leaf_hash(body))])  # noqa: SLF001
