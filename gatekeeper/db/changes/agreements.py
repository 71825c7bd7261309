"""Rows of agreements and acceptances."""

from __future__ import annotations

import json
from typing import assert_never

from sqlalchemy import Connection

from gatekeeper.db import tables as t
from gatekeeper.db.changes.rows import add, keep, sealed
from gatekeeper.db.ledger import Stamp
from gatekeeper.domain.facts import AgreementFact
from gatekeeper.domain.facts import agreements as f


def apply(connection: Connection, stamp: Stamp, fact: AgreementFact) -> None:
    """Write what one fact about agreements changed."""
    now, event_id = stamp.context.now, stamp.event_id
    match fact:
        case f.AgreementPublished():
            add(
                connection, t.agreements, agreement_id=fact.agreement_id, version=fact.version,
                change=str(fact.change), source_sha256=keep(connection, fact.source),
                text_sha256=fact.text_sha256, published_at=now, event_id=event_id,
            )  # fmt: skip
        case f.AgreementAccepted():
            add(
                connection, t.acceptances, id=fact.acceptance_id, person_id=fact.person_id,
                agreement_id=fact.agreement_id, version=fact.version,
                text_sha256=fact.text_sha256, clauses=json.dumps(list(fact.clauses)),
                **sealed("typed_name", fact.typed_name), model_id=fact.model_id,
                accepted_at=now, event_id=event_id,
            )  # fmt: skip
        case _:
            assert_never(fact)
