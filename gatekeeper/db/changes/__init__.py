"""Facts become rows here and nowhere else: one module per capability, each `match` complete.

`apply` is called by `Act.record` and by replay; it must depend on nothing but the fact, its stamp
and rows written from earlier facts, so that replaying the ledger gives equal tables (fence 7).
"""

from __future__ import annotations

from typing import assert_never

from sqlalchemy import Connection

from gatekeeper.db.changes import (
    agreements,
    applications,
    catalogue,
    downloads,
    grants,
    people,
    rows,
)
from gatekeeper.db.engine import writes
from gatekeeper.db.ledger import Stamp
from gatekeeper.domain import facts
from gatekeeper.domain.facts.audit import LedgerExported


@writes
def apply(connection: Connection, key: bytes, stamp: Stamp, fact: facts.Fact) -> None:
    """Write what the fact changed; `key` is for the rows that carry an HMAC of their own."""
    _change(connection, key, stamp, fact)
    if not isinstance(fact, facts.DownloadFact | LedgerExported):
        rows.raise_generation(connection)


def _change(connection: Connection, key: bytes, stamp: Stamp, fact: facts.Fact) -> None:
    if isinstance(fact, facts.DownloadFact):
        downloads.apply(connection, stamp, fact)
    elif isinstance(fact, facts.ApplicationFact):
        applications.apply(connection, stamp, fact)
    elif isinstance(fact, facts.GrantFact):
        grants.apply(connection, key, stamp, fact)
    elif isinstance(fact, facts.AgreementFact):
        agreements.apply(connection, stamp, fact)
    elif isinstance(fact, facts.PeopleFact):
        people.apply(connection, stamp, fact)
    elif isinstance(fact, facts.CatalogueFact):
        catalogue.apply(connection, stamp, fact)
    elif not isinstance(fact, LedgerExported):  # of which the entry is all there is to keep
        assert_never(fact)
