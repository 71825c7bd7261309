"""Rows of links, and of what is recorded once an hour."""

from __future__ import annotations

from typing import assert_never

from sqlalchemy import Connection

from gatekeeper.db import tables as t
from gatekeeper.db.changes.rows import add, keep
from gatekeeper.db.ledger import Stamp
from gatekeeper.domain.facts import DownloadFact
from gatekeeper.domain.facts import downloads as f


def apply(connection: Connection, stamp: Stamp, fact: DownloadFact) -> None:
    """Write what one fact about downloads changed."""
    event = {"event_id": stamp.event_id}
    match fact:
        case f.LinkIssued():
            add(
                connection, t.links, id=fact.link_id, person_id=fact.person_id,
                grant_id=fact.grant_id, model_id=fact.model_id, revision_id=fact.revision_id,
                path_sha256=keep(connection, fact.path), sha256=fact.sha256,
                expires_at=fact.expires_at, **event,
            )  # fmt: skip
        case f.FileServed():
            add(
                connection, t.servings, person_id=fact.person_id, grant_id=fact.grant_id or "",
                model_id=fact.model_id, sha256=fact.sha256, hour=fact.hour, **event,
            )  # fmt: skip
        case f.AccessRefused():
            add(
                connection, t.refusals, person_id=fact.person_id, model_id=fact.model_id,
                reason=str(fact.reason), hour=fact.hour, **event,
            )  # fmt: skip
        case f.ServingTotalled():
            pass  # the entry is all there is to keep
        case _:
            assert_never(fact)
