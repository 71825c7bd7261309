"""What a client may ask in a query string, and the cursors that lead from page to page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from gatekeeper.domain.applications import ApplicationState
from gatekeeper.domain.facts import codec
from gatekeeper.web.api.wire.shapes import FullName, Line, Query

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGE = re.compile(r"([0-9]{1,4})([dh]?)")
_PLACE = re.compile(r"([0-9]{1,17})~([A-Za-z0-9_-]{1,80})")


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


def _written_out(text: Any) -> Any:
    """Refuse a bare number, which pydantic would take for seconds since 1970."""
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(text)) is None:
        raise ValueError("a moment, such as 2026-11-22T12:00:00Z")
    return text


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _known_kind(kind: str) -> str:
    if kind not in codec.kinds():
        raise ValueError("there is no such kind of entry")
    return kind


Limit = Annotated[int, Field(ge=1, le=100)]
Place = Annotated[
    tuple[datetime, str],
    BeforeValidator(_read_place),
    WithJsonSchema({"type": "string", "pattern": f"^{_PLACE.pattern}$"}),
]
Age = Annotated[
    timedelta,
    BeforeValidator(_read_age),
    WithJsonSchema({"type": "string", "pattern": f"^{_AGE.pattern}$", "examples": ["5d"]}),
]
Moment = Annotated[datetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
Kind = Annotated[
    Line,
    AfterValidator(_known_kind),
    WithJsonSchema({"type": "string", "enum": sorted(codec.kinds())}),
]


_AFTER = "Where the page before ended: the cursor that its `next` gave."
_LIMIT = "How many at most."


def _asks(words: str, usual: Any = None) -> Any:
    """Return a field with the words that the document has for it."""
    return Field(usual, description=words)


class NoQuery(Query):
    """Nothing is asked."""


class Releases(Query):
    """Releases, last changed first."""

    after: Place | None = _asks(_AFTER)
    limit: Limit = _asks(_LIMIT, 50)


class Models(Query):
    """Models by name."""

    author: Line | None = _asks("The namespace they are in.")
    search: Line | None = _asks("A part of the name.")
    gated: bool | None = _asks("`true` for those that ask something, `false` for the open ones.")
    after: FullName | None = _asks(_AFTER)
    limit: Limit = _asks(_LIMIT, 50)


class Applications(Query):
    """Applications; by default the queue for staff and one's own for everybody else."""

    mine: bool | None = _asks("`true` for one's own, `false` for the queue.")
    state: Annotated[tuple[ApplicationState, ...], Field(max_length=8)] = _asks(
        "How they stand; several are alternatives.", ()
    )
    assignee: Line = _asks(
        "Whose they are, in the queue: an id, a username, an address, `me`, or `none`.", ""
    )
    model: FullName | None = _asks("A model they ask for.")
    older_than: Age | None = _asks("Submitted so long ago, in the queue: days, `5d`, or `36h`.")
    after: Place | None = _asks(_AFTER)
    limit: Limit = _asks(_LIMIT, 50)


class Grants(Query):
    """Grants: one's own; with a person or a model, those the caller oversees too."""

    person: Line = _asks("Whose: an id, a username, an address, or `me`.", "")
    model: FullName | None = _asks("A model they open.")
    after: Place | None = _asks(_AFTER)
    limit: Limit = _asks(_LIMIT, 50)


class DeadMail(Query):
    """Mail that was given up, newest first."""

    before: Annotated[int, Field(ge=1, le=2**53)] | None = _asks(_AFTER)
    limit: Limit = _asks(_LIMIT, 50)


class Entries(Query):
    """Entries of the audit ledger, newest first."""

    person: Line = _asks(
        "Whom they are about: an id, a username, an address, or `me`.",
        "",
    )
    model: FullName | None = _asks("The model they are about.")
    kind: Annotated[tuple[Kind, ...], Field(max_length=50)] = _asks(
        "What happened; several are alternatives.", ()
    )
    since: Moment | None = _asks("Not before this moment; UTC if it names no offset.")
    until: Moment | None = _asks("Before this moment; UTC if it names no offset.")
    before: Annotated[int, Field(ge=1, le=2**53)] | None = _asks(
        "Where the page before ended: the cursor that its `next` gave."
    )
    limit: Limit = _asks(_LIMIT, 50)
