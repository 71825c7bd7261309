"""Reads agreements and acceptances."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, func, select

from gatekeeper.db import tables as t
from gatekeeper.domain.agreements import (
    Acceptance,
    Agreement,
    Change,
    TermsClause,
    TermsState,
    terms_state,
)
from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.people import PersonId


class AgreementReader:
    """Agreements over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

    def versions(self, agreement_id: AgreementId) -> list[Agreement]:
        """Return every published version, oldest first."""
        rows = self._c.execute(
            select(t.agreements, t.contents.c.body)
            .join(t.contents, t.contents.c.sha256 == t.agreements.c.source_sha256)
            .where(t.agreements.c.agreement_id == agreement_id)
            .order_by(t.agreements.c.version)
        )
        return [_agreement(row) for row in rows]

    def current(self, agreement_id: AgreementId) -> Agreement | None:
        """Return the version in force."""
        return next(reversed(self.versions(agreement_id)), None)

    def everything(self) -> list[Agreement]:
        """Return the version in force of each agreement."""
        ids = self._c.execute(
            select(t.agreements.c.agreement_id).distinct().order_by(t.agreements.c.agreement_id)
        ).scalars()
        return [a for i in list(ids) if (a := self.current(AgreementId(i))) is not None]

    def terms_of(
        self, person_id: PersonId, agreements: Collection[AgreementId]
    ) -> dict[AgreementId, TermsState]:
        """Return how a person stands towards each of the agreements."""
        if not agreements:
            return {}
        a = t.acceptances.c
        rows = self._c.execute(
            select(a.agreement_id, func.max(a.version))
            .where(a.person_id == person_id, a.agreement_id.in_(agreements))
            .group_by(a.agreement_id)
        )
        accepted = dict(rows.all())
        return {i: terms_state(self.versions(i), accepted.get(i)) for i in agreements}

    def acceptances_of(self, person_id: PersonId) -> list[Acceptance]:
        """Return what a person accepted, newest first."""
        rows = self._c.execute(
            select(t.acceptances)
            .where(t.acceptances.c.person_id == person_id)
            .order_by(t.acceptances.c.accepted_at.desc())
        )
        return [_acceptance(row) for row in rows]

    def acceptance(
        self, person_id: PersonId, agreement_id: AgreementId, version: int
    ) -> Acceptance | None:
        """Return a person's acceptance of one version."""
        a = t.acceptances.c
        row = self._c.execute(
            select(t.acceptances)
            .where(a.person_id == person_id, a.agreement_id == agreement_id, a.version == version)
            .order_by(a.accepted_at)
            .limit(1)
        ).one_or_none()
        return _acceptance(row) if row is not None else None


def _agreement(row: Row[Any]) -> Agreement:
    source = json.loads(row.body)
    return Agreement(
        id=AgreementId(row.agreement_id),
        version=row.version,
        title=source["title"],
        intro=source["intro"],
        clauses=tuple(TermsClause(**clause) for clause in source["clauses"]),
        change=Change(row.change),
        sha256=row.text_sha256,
        published_at=row.published_at,
    )


def _acceptance(row: Row[Any]) -> Acceptance:
    return Acceptance(
        id=row.id,
        person_id=PersonId(row.person_id),
        agreement_id=AgreementId(row.agreement_id),
        version=row.version,
        sha256=row.text_sha256,
        clauses=tuple(json.loads(row.clauses)),
        typed_name=row.typed_name_value or "",
        accepted_at=row.accepted_at,
    )
