"""Finds, a page at a time, the rows that may say how people's requests for one model stand.

A superset: whoever asks folds each person's rows (domain/requests) and drops what is past.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Select, literal, select, tuple_, union_all

from gatekeeper.db import tables as t
from gatekeeper.domain.applications import OPEN_STATES, ApplicationState
from gatekeeper.domain.grants import HELD, GrantState
from gatekeeper.domain.people import PersonId
from gatekeeper.domain.requests import RequestFilter, RequestRow, RequestStatus

_A, _G = t.applications.c, t.grants.c


class RequestReader:
    """Requests over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

    def rows(self, want: RequestFilter) -> list[RequestRow]:
        """Return rows of this status, oldest first, after an (at, id)."""
        found = _FIND[want.status](want).subquery()
        query = select(found.c.person_id, found.c.at, found.c.id)
        if want.username:
            query = query.join(t.persons, t.persons.c.id == found.c.person_id)
            name = t.persons.c.username_value
            query = query.where(name.contains(want.username.lower(), autoescape=True))
        if want.after is not None:
            at, last = want.after
            place = tuple_(literal(at, t.Moment()), last)
            query = query.where(tuple_(found.c.at, found.c.id) > place)
        rows = self._c.execute(query.order_by(found.c.at, found.c.id).limit(want.limit))
        return [RequestRow(PersonId(row.person_id), row.at, row.id) for row in rows]


def _asked(want: RequestFilter, states: set[str]) -> Select[Any]:
    of = t.application_models.c
    return (
        select(_A.lead_id.label("person_id"), _A.submitted_at.label("at"), _A.id.label("id"))
        .join(t.application_models, of.application_id == _A.id)
        .where(of.model_id == want.model_id, _A.state.in_(states))
    )


def _granted(want: RequestFilter, states: set[str]) -> Select[Any]:
    of = t.grant_models.c
    return (
        select(_G.person_id.label("person_id"), of.starts_at.label("at"), _G.id.label("id"))
        .join(t.grant_models, of.grant_id == _G.id)
        .where(of.model_id == want.model_id, _G.state.in_(states))
    )


def _pending(want: RequestFilter) -> Any:
    return _asked(want, set(map(str, OPEN_STATES)))


def _accepted(want: RequestFilter) -> Any:
    return _granted(want, set(map(str, HELD))).where(_G.ends_at > want.now)


def _rejected(want: RequestFilter) -> Any:
    refused = _asked(want, {str(ApplicationState.REJECTED)})
    return union_all(refused, _granted(want, {str(GrantState.REVOKED)}))


_FIND: Mapping[RequestStatus, Callable[[RequestFilter], Any]] = {
    RequestStatus.PENDING: _pending,
    RequestStatus.ACCEPTED: _accepted,
    RequestStatus.REJECTED: _rejected,
}
