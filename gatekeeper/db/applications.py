"""Reads applications, their threads and the queue."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import date, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, literal, select, tuple_

from gatekeeper.db import tables as t
from gatekeeper.db.statements import Prepared
from gatekeeper.domain.applications import (
    OPEN_STATES,
    Application,
    ApplicationId,
    ApplicationState,
    Message,
    Outcome,
    QueueFilter,
    RejectReason,
)
from gatekeeper.domain.catalogue import ModelId
from gatekeeper.domain.people import PersonId

_A = t.applications.c


_OF, _ASKED = t.application_models.alias("of"), t.application_models.alias("asked")
# A row for each model of a person's applications for one of those asked for. By the person first: a
# model may have a million applicants, a person has few cases.
_CONCERNING = Prepared(
    select(t.applications, _OF.c.model_id)
    .join(_OF, _OF.c.application_id == _A.id)
    .where(
        _A.lead_id == bindparam("lead_id"),
        exists().where(
            _ASKED.c.application_id == _A.id,
            _ASKED.c.model_id.in_(bindparam("model_ids", expanding=True)),
        ),
    )
    .order_by(_A.submitted_at.desc(), _A.id, _OF.c.model_id)
)


class ApplicationReader:
    """Applications over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

    def by_id(self, application_id: ApplicationId, *, lock: bool = False) -> Application | None:
        """Return an application; `lock` holds the row until the act ends (Postgres)."""
        query = select(t.applications).where(_A.id == application_id)
        return next(iter(self._all(query.with_for_update() if lock else query)), None)

    def of_lead(self, lead_id: PersonId) -> list[Application]:
        """Return a person's applications, newest first."""
        return self._all(
            select(t.applications)
            .where(_A.lead_id == lead_id)
            .order_by(_A.submitted_at.desc(), _A.id)
        )

    def newest_for(
        self, lead_id: PersonId, model_ids: Collection[ModelId]
    ) -> dict[ModelId, Application]:
        """Return the newest application by this person that names each model, if there is one."""
        rows = _CONCERNING.all(self._c, lead_id=lead_id, model_ids=list(model_ids))
        found: dict[ModelId, Application] = {}
        for _, grouped in groupby(rows, key=lambda row: row.id):
            named = list(grouped)
            models = tuple(ModelId(row.model_id) for row in named)
            application = _application(named[0], models)
            for model_id in models:
                found.setdefault(model_id, application)
        return found

    def of_people(self, model_id: ModelId, leads: Collection[PersonId]) -> list[Application]:
        """Return the applications of these people that name the model, in two queries."""
        of = t.application_models.c
        query = select(t.applications).join(t.application_models, of.application_id == _A.id)
        return self._all(query.where(of.model_id == model_id, _A.lead_id.in_(leads)))

    def queue(self, want: QueueFilter) -> list[Application]:
        """Return cases, oldest submission first, after a (submitted_at, id)."""
        query = self._filtered(select(t.applications), want)
        if want.after is not None:
            at, last = want.after
            place = tuple_(literal(at, t.Moment()), last)
            query = query.where(tuple_(_A.submitted_at, _A.id) > place)
        return self._all(query.order_by(_A.submitted_at, _A.id).limit(want.limit))

    def count(self, want: QueueFilter) -> int:
        """Return how many cases the filter lets through."""
        return int(
            self._c.execute(
                self._filtered(select(func.count()).select_from(t.applications), want)
            ).scalar_one()
        )

    def open_counts(self, model_ids: Collection[ModelId]) -> dict[ModelId, int]:
        """Return how many open cases name each model; none for a model without one."""
        named = t.application_models.c
        rows = self._c.execute(
            select(named.model_id, func.count())
            .join(t.applications, _A.id == named.application_id)
            .where(named.model_id.in_(model_ids), _A.state.in_([str(s) for s in OPEN_STATES]))
            .group_by(named.model_id)
        )
        return {ModelId(model_id): count for model_id, count in rows}

    def purposes(self, application_ids: Collection[ApplicationId]) -> dict[ApplicationId, str]:
        """Return what each application was for, in one query however many."""
        rows = self._c.execute(select(_A.id, _A.purpose_value).where(_A.id.in_(application_ids)))
        return {ApplicationId(i): purpose or "" for i, purpose in rows}

    def messages(self, application_id: ApplicationId, *, internal: bool) -> list[Message]:
        """Return the thread, oldest first; internal notes only when asked for."""
        m = t.messages.c
        query = select(t.messages).where(m.application_id == application_id)
        if not internal:
            query = query.where(m.internal.is_(False))
        return [
            Message(
                r.id,
                PersonId(r.author_id) if r.author_id else None,
                r.text_value or "",
                r.internal,
                r.at,
            )
            for r in self._c.execute(query.order_by(m.at, m.id))
        ]

    def backlog(self) -> tuple[int, datetime | None]:
        """Return how many applications are open, and when the oldest of them was submitted."""
        row = self._c.execute(
            select(func.count(), func.min(_A.submitted_at)).where(
                _A.state.in_([str(s) for s in OPEN_STATES])
            )
        ).one()
        return row[0], row[1]

    def _filtered(self, query: Select[Any], want: QueueFilter) -> Select[Any]:
        query = query.where(_A.state.in_([str(s) for s in want.states]))
        if want.namespaces is not None or want.model_id is not None:
            # Asked of each case in its turn: few are open, however many were ever decided.
            named = t.application_models.c
            inside = (
                exists()
                .where(named.application_id == _A.id, t.models.c.id == named.model_id)
                .correlate(t.applications)
            )
            if want.namespaces is not None:
                inside = inside.where(t.models.c.namespace.in_(list(want.namespaces)))
            if want.model_id is not None:
                inside = inside.where(t.models.c.id == want.model_id)
            query = query.where(inside)
        if want.assignee_id is not None:
            query = query.where(_A.assignee_id == want.assignee_id)
        if want.unassigned:
            query = query.where(_A.assignee_id.is_(None))
        if want.submitted_before is not None:
            query = query.where(_A.submitted_at < want.submitted_before)
        return query

    def _all(self, query: Select[Any]) -> list[Application]:
        rows = self._c.execute(query).all()
        models: dict[str, list[ModelId]] = {}
        if rows:
            for application_id, model_id in self._c.execute(
                select(t.application_models).where(
                    t.application_models.c.application_id.in_([r.id for r in rows])
                )
            ):
                models.setdefault(application_id, []).append(ModelId(model_id))
        return [_application(row, tuple(sorted(models.get(row.id, [])))) for row in rows]


def _application(row: Any, models: tuple[ModelId, ...]) -> Application:
    return Application(
        id=ApplicationId(row.id),
        lead_id=PersonId(row.lead_id),
        models=models,
        state=ApplicationState(row.state),
        version=row.version,
        assignee_id=PersonId(row.assignee_id) if row.assignee_id else None,
        form_sha256=row.form_sha256,
        purpose=row.purpose_value or "",
        answers=json.loads(row.answers_value or "{}"),
        public_summary=row.public_summary_value or "",
        first_approver_id=PersonId(row.first_approver_id) if row.first_approver_id else None,
        proposed_ends_on=_day(row.proposed_ends_on),
        reject_reason=RejectReason(row.reject_reason) if row.reject_reason else None,
        outcome=Outcome(row.outcome) if row.outcome else None,
        after_on=_day(row.after_on),
        submitted_at=row.submitted_at,
        changed_at=row.changed_at,
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
