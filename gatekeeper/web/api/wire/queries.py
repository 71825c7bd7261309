"""What a client may ask in a query string, and the cursors that lead from page to page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from gatekeeper.domain.applications import ApplicationState
from gatekeeper.domain.facts import codec
from gatekeeper.web.api.wire.shapes import FullName, Line, Query

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGE = re.compile(r"(\d{1,4})([dh]?)")
_PLACE = re.compile(r"(\d{1,17})~([\w-]{1,80})", re.ASCII)


def write_place(at: datetime, row_id: str) -> str:
    """Write a cursor that continues after a row, by its moment and id."""
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}~{row_id}"


def _read_place(text: Any) -> tuple[datetime, str]:
    match = _PLACE.fullmatch(str(text))
    if match is None:
        raise ValueError("this is not a cursor that `next` gave")
    return _EPOCH + timedelta(microseconds=int(match[1])), match[2]


def _read_age(text: Any) -> timedelta:
    match = _AGE.fullmatch(str(text))
    if match is None:
        raise ValueError("a number of days, or 5d, or 36h")
    return timedelta(hours=int(match[1])) if match[2] == "h" else timedelta(days=int(match[1]))


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _known_kind(kind: str) -> str:
    if kind not in codec.kinds():
        raise ValueError("there is no such kind of entry")
    return kind


Limit = Annotated[int, Field(ge=1, le=100)]
Place = Annotated[tuple[datetime, str], BeforeValidator(_read_place)]
Age = Annotated[timedelta, BeforeValidator(_read_age)]
Moment = Annotated[datetime, AfterValidator(_in_utc)]
Kind = Annotated[Line, AfterValidator(_known_kind)]


class NoQuery(Query):
    """Nothing is asked."""


class Releases(Query):
    """Releases, last changed first."""

    after: Place | None = None
    limit: Limit = 50


class Models(Query):
    """Models by name."""

    author: Line | None = None
    search: Line | None = None
    gated: bool | None = None
    after: FullName | None = None
    limit: Limit = 50


class Applications(Query):
    """Applications; by default the queue for staff and one's own for everybody else.

    `mine` chooses; `assignee` (an id, username or address, `me`, `none`) and `older_than` are of
    the queue.
    """

    mine: bool | None = None
    state: Annotated[tuple[ApplicationState, ...], Field(max_length=8)] = ()
    assignee: Line = ""
    model: FullName | None = None
    older_than: Age | None = None
    after: Place | None = None
    limit: Limit = 50


class Grants(Query):
    """Grants: one's own; with a person or a model, those the caller oversees too."""

    person: Line = ""
    model: FullName | None = None
    after: Place | None = None
    limit: Limit = 50


class Entries(Query):
    """Entries of the audit ledger, newest first."""

    person: Line = ""
    model: FullName | None = None
    kind: Annotated[tuple[Kind, ...], Field(max_length=50)] = ()
    since: Moment | None = None
    until: Moment | None = None
    before: Annotated[int, Field(ge=1, le=2**53)] | None = None
    limit: Limit = 50
