"""Reads grants and links, and judges each grant row by its own HMAC."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, literal, or_, select, tuple_

from gatekeeper.db import tables as t
from gatekeeper.db.statements import Prepared
from gatekeeper.domain.applications import ApplicationId
from gatekeeper.domain.catalogue import AgreementId, ModelId, RevisionId
from gatekeeper.domain.grants import EndReason, Grant, GrantFilter, GrantState
from gatekeeper.domain.links import GrantId, Link, LinkId
from gatekeeper.domain.people import EventId, PersonId

_OF, _ASKED = t.grant_models.alias("of"), t.grant_models.alias("asked")
# A row for each model of a grant that covers one of those asked for. By the person first: a model
# may have a million holders, a person has few grants.
_COVERING = (
    select(t.grants, _OF.c.model_id)
    .join(_OF, _OF.c.grant_id == t.grants.c.id)
    .where(
        t.grants.c.person_id == bindparam("person_id"),
        exists().where(
            _ASKED.c.grant_id == t.grants.c.id,
            _ASKED.c.model_id.in_(bindparam("model_ids", expanding=True)),
        ),
    )
    .order_by(t.grants.c.starts_at, t.grants.c.id, _OF.c.model_id)
)
_FOR_MODELS = Prepared(_COVERING)
_SHARED = Prepared(_COVERING.with_for_update(read=True, of=t.grants))
_LINK = Prepared(
    select(t.links, t.contents.c.body, t.entries.c.at.label("issued_at"))
    .join(t.contents, t.contents.c.sha256 == t.links.c.path_sha256)
    .join(t.entries, t.entries.c.event_id == t.links.c.event_id)
    .where(t.links.c.id == bindparam("id"))
)
_SERVED, _REFUSED = (
    Prepared(
        select(table.c.hour).where(*(c == bindparam(c.name) for c in table.primary_key.columns))
    )
    for table in (t.servings, t.refusals)
)


def grant_mac(key: bytes, row: Any, models: Sequence[str]) -> bytes:
    """Return HMAC-SHA-256 over every column of a grant that decides, and its models."""
    decides = [
        row.id, row.person_id, row.state, row.starts_at.isoformat(), row.ends_at.isoformat(),
        row.application_id, row.agreement_id, row.event_id, list(models),
    ]  # fmt: skip
    message = b"gk-grant/v1\x00" + json.dumps(decides, separators=(",", ":")).encode()
    return hmac.new(key, message, hashlib.sha256).digest()


class GrantReader:
    """Grants over one connection."""

    def __init__(self, connection: Connection, key: bytes) -> None:
        self._c = connection
        self._key = key

    def by_id(self, grant_id: GrantId, *, lock: bool = False) -> Grant | None:
        """Return a grant; `lock` holds the row until the act ends (Postgres)."""
        query = select(t.grants).where(t.grants.c.id == grant_id)
        return next(iter(self._grants(query.with_for_update() if lock else query)), None)

    def of_person(self, person_id: PersonId) -> list[Grant]:
        """Return every grant of a person, newest first."""
        query = select(t.grants).where(t.grants.c.person_id == person_id)
        return self._grants(query.order_by(t.grants.c.starts_at.desc(), t.grants.c.id))

    def for_models(
        self, person_id: PersonId, model_ids: Collection[ModelId], *, share: bool = False
    ) -> list[Grant]:
        """Return a person's grants that cover one of the models, oldest first.

        `share` keeps others from changing them until the act ends (Postgres).
        """
        rows = (_SHARED if share else _FOR_MODELS).all(
            self._c, person_id=person_id, model_ids=list(model_ids)
        )
        return [
            self._grant(covered[0], [row.model_id for row in covered])
            for _, found in groupby(rows, key=lambda row: row.id)
            if (covered := list(found))
        ]

    def of_people(self, model_id: ModelId, holders: Collection[PersonId]) -> list[Grant]:
        """Return the grants of these people that cover the model, in two queries."""
        of = t.grant_models.c
        query = select(t.grants).join(t.grant_models, of.grant_id == t.grants.c.id)
        held = t.grants.c.person_id.in_(holders)
        return self._grants(query.where(of.model_id == model_id, held))

    def of_application(self, application_id: ApplicationId) -> list[Grant]:
        """Return what came of an application."""
        return self._grants(select(t.grants).where(t.grants.c.application_id == application_id))

    def of_model(self, model_id: ModelId, limit: int = 500) -> list[Grant]:
        """Return the grants that cover a model, newest first."""
        return self._grants(
            select(t.grants)
            .join(t.grant_models, t.grant_models.c.grant_id == t.grants.c.id)
            .where(t.grant_models.c.model_id == model_id)
            .order_by(t.grant_models.c.starts_at.desc())
            .limit(limit)
        )

    def holders(self, model_ids: Collection[ModelId], now: datetime) -> dict[ModelId, int]:
        """Return how many people hold each model at `now`: a figure to show, never to decide by."""
        g, of = t.grants.c, t.grant_models.c
        rows = self._c.execute(
            select(of.model_id, func.count(g.person_id.distinct()))
            .select_from(t.grant_models)
            .join(t.grants, g.id == of.grant_id)
            .where(of.model_id.in_(list(model_ids)), g.state == str(GrantState.ACTIVE))
            .where(g.starts_at <= now, g.ends_at > now)
            .group_by(of.model_id)
        )
        return {ModelId(model_id): count for model_id, count in rows}

    def newest(self, limit: int = 500) -> list[Grant]:
        """Return the newest grants of the site."""
        return self._grants(select(t.grants).order_by(t.grants.c.starts_at.desc()).limit(limit))

    def search(self, want: GrantFilter) -> list[Grant]:
        """Return grants, newest first, after a (starts_at, id).

        Known gap: whoever handles other namespaces only and asks for a model of none of them has
        all grants of that model gone through, for one may cover a model of theirs as well.
        """
        g, of = t.grants.c, t.grant_models.c
        query, place = select(t.grants), (g.starts_at, g.id)
        person_id = want.person_id
        if want.namespaces is not None:
            own = g.person_id == want.own_of
            inside = _covers(t.models.c.namespace.in_(list(want.namespaces)))
            query = query.where(or_(own, inside) if want.namespaces else own)
            person_id = person_id or (None if want.namespaces else want.own_of)
        if person_id is not None:
            query = query.where(g.person_id == person_id)
            if want.model_id is not None:
                query = query.where(_covers(t.models.c.id == want.model_id))
        elif want.model_id is not None:  # everybody's: in the order of that model's grants
            query = query.join(t.grant_models, of.grant_id == g.id)
            query = query.where(of.model_id == want.model_id)
            place = (of.starts_at, of.grant_id)
        if want.after is not None:
            at, last = want.after
            query = query.where(tuple_(*place) < tuple_(literal(at, t.Moment()), last))
        return self._grants(query.order_by(*(p.desc() for p in place)).limit(want.limit))

    def link(self, link_id: LinkId) -> Link | None:
        """Return an issued link."""
        row = _LINK.first(self._c, id=link_id)
        if row is None:
            return None
        return Link(
            id=LinkId(row.id),
            person_id=PersonId(row.person_id),
            grant_id=GrantId(row.grant_id) if row.grant_id else None,
            model_id=ModelId(row.model_id),
            revision_id=RevisionId(row.revision_id),
            path=row.body,
            sha256=row.sha256,
            issued_at=row.issued_at,
            expires_at=row.expires_at,
        )

    def was_served(
        self, person_id: PersonId, grant_id: str, model_id: ModelId, sha256: str, hour: datetime
    ) -> bool:
        """Say whether the hour of this file under this grant ('': none) is already recorded."""
        found = _SERVED.first(
            self._c, person_id=person_id, grant_id=grant_id, model_id=model_id, sha256=sha256,
            hour=hour,
        )  # fmt: skip
        return found is not None

    def was_refused(
        self, person_id: PersonId, model_id: ModelId, reason: str, hour: datetime
    ) -> bool:
        """Say whether this refusal is already recorded for the hour."""
        found = _REFUSED.first(
            self._c, person_id=person_id, model_id=model_id, reason=reason, hour=hour
        )
        return found is not None

    def _grants(self, query: Select[Any]) -> list[Grant]:
        rows = self._c.execute(query).all()
        models: dict[str, list[str]] = {}
        if rows:
            for grant_id, model_id in self._c.execute(
                select(t.grant_models.c.grant_id, t.grant_models.c.model_id).where(
                    t.grant_models.c.grant_id.in_([r.id for r in rows])
                )
            ):
                models.setdefault(grant_id, []).append(model_id)
        return [self._grant(row, sorted(models.get(row.id, []))) for row in rows]

    def _grant(self, row: Any, models: list[str]) -> Grant:
        sound = hmac.compare_digest(grant_mac(self._key, row, models), bytes(row.mac))
        return Grant(
            id=GrantId(row.id),
            person_id=PersonId(row.person_id),
            models=tuple(ModelId(m) for m in models),
            stored_state=GrantState(row.state),
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            application_id=ApplicationId(row.application_id) if row.application_id else None,
            agreement_id=AgreementId(row.agreement_id) if row.agreement_id else None,
            reason=EndReason(row.reason) if row.reason else None,
            event_id=EventId(row.event_id),
            sound=sound,
            changed_at=row.changed_at,
            note=row.note_value or "",
        )


def _covers(condition: Any) -> Any:
    """Say of each grant in its turn whether one of its models is such a one."""
    of = t.grant_models.alias("covers")
    return (
        exists()
        .where(of.c.grant_id == t.grants.c.id, t.models.c.id == of.c.model_id, condition)
        .correlate(t.grants)
    )
