"""Reads agreements and acceptances."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, tuple_

from gatekeeper.db import tables as t
from gatekeeper.db.statements import Prepared
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

# Every version of several agreements, with the newest that a person accepted.
_TERMS = Prepared(
    select(
        t.agreements.c.agreement_id,
        t.agreements.c.version,
        t.agreements.c.change,
        select(func.max(t.acceptances.c.version))
        .where(
            t.acceptances.c.person_id == bindparam("person_id"),
            t.acceptances.c.agreement_id == t.agreements.c.agreement_id,
        )
        .scalar_subquery()
        .label("accepted"),
    ).where(t.agreements.c.agreement_id.in_(bindparam("agreement_ids", expanding=True)))
)


class AgreementReader:
    """Agreements over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

    def versions(self, agreement_id: AgreementId) -> list[Agreement]:
        """Return every published version, oldest first."""
        return self.versions_of([agreement_id]).get(agreement_id, [])

    def versions_of(
        self, agreement_ids: Collection[AgreementId]
    ) -> dict[AgreementId, list[Agreement]]:
        """Return every published version of several agreements, oldest first, in one query."""
        return self._texts(t.agreements.c.agreement_id.in_(agreement_ids))

    def current(self, agreement_id: AgreementId) -> Agreement | None:
        """Return the version in force."""
        return self.current_of([agreement_id]).get(agreement_id)

    def current_of(self, agreement_ids: Collection[AgreementId]) -> dict[AgreementId, Agreement]:
        """Return the versions in force, in the order asked for, in one query however many."""
        a = t.agreements.c
        newest = (
            select(a.agreement_id, func.max(a.version))
            .where(a.agreement_id.in_(agreement_ids))
            .group_by(a.agreement_id)
        )
        found = self._texts(tuple_(a.agreement_id, a.version).in_(newest))
        return {i: found[i][0] for i in agreement_ids if i in found}

    def terms_of(
        self, person_id: PersonId, agreement_ids: Collection[AgreementId]
    ) -> dict[AgreementId, TermsState]:
        """Return how a person stands towards each of the agreements, in one query."""
        if not agreement_ids:
            return {}
        accepted: dict[str, int | None] = {}
        changes: dict[str, dict[int, Change]] = {}
        for row in _TERMS.all(self._c, person_id=person_id, agreement_ids=list(agreement_ids)):
            changes.setdefault(row.agreement_id, {})[row.version] = Change(row.change)
            accepted[row.agreement_id] = row.accepted
        return {i: terms_state(changes.get(i, {}), accepted.get(i)) for i in agreement_ids}

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

    def _texts(self, where: Any) -> dict[AgreementId, list[Agreement]]:
        found: dict[AgreementId, list[Agreement]] = {}
        for row in self._c.execute(
            select(t.agreements, t.contents.c.body)
            .join(t.contents, t.contents.c.sha256 == t.agreements.c.source_sha256)
            .where(where)
            .order_by(t.agreements.c.version)
        ):
            found.setdefault(AgreementId(row.agreement_id), []).append(_agreement(row))
        return found


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
