"""Facts become rows here and nowhere else: one module per capability, each `match` complete.

`apply` is called by `Act.record` and by replay; it must depend on nothing but the fact, its stamp
and rows written from earlier facts, so that replaying the ledger gives equal tables (fence 7).
"""

from __future__ import annotations

import typing

from sqlalchemy import Connection

from gatekeeper.db.changes import (
    agreements,
    applications,
    catalogue,
    downloads,
    grants,
    people,
)
from gatekeeper.db.engine import writes
from gatekeeper.db.ledger import Stamp
from gatekeeper.domain import facts
from gatekeeper.domain.facts.audit import LedgerExported

_KINDS: dict[type, typing.Any] = {
    **dict.fromkeys(typing.get_args(facts.PeopleFact), people.apply),
    **dict.fromkeys(typing.get_args(facts.CatalogueFact), catalogue.apply),
    **dict.fromkeys(typing.get_args(facts.AgreementFact), agreements.apply),
    **dict.fromkeys(typing.get_args(facts.ApplicationFact), applications.apply),
    **dict.fromkeys(typing.get_args(facts.DownloadFact), downloads.apply),
}


@writes
def apply(connection: Connection, key: bytes, stamp: Stamp, fact: facts.Fact) -> None:
    """Write what the fact changed; `key` is for the rows that carry an HMAC of their own."""
    if isinstance(fact, LedgerExported):
        return  # the entry is all there is to keep
    if isinstance(fact, facts.GrantFact):
        grants.apply(connection, key, stamp, fact)
        return
    _KINDS[type(fact)](connection, stamp, fact)
