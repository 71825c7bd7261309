"""The audit ledger for compliance and administrators: search by person, model, kind and time.

Everybody else reads what concerns them under /account/record. Not here: verifying and exporting the
ledger (the command line), proofs (the API).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.errors import FieldError, Invalid, NotAllowed
from gatekeeper.domain.facts.codec import kinds
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.services import audit
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import entries
from gatekeeper.web.pages.frame import number, page, signed_in, viewer
from gatekeeper.web.pages.wrongs import Wrongs, wrongs
from gatekeeper.web.wiring import house

blueprint = Blueprint("audit", __name__)

ENTRIES = 30
_FIELDS = ("person", "model", "kind", "since", "until")
_LABELS = {"since": "From", "until": "To"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several people the words may mean."""

    name: str
    detail: str
    href: str


@blueprint.get("/audit")
@signed_in
def index() -> ResponseReturnValue:
    """Search the ledger, newest entry first."""
    me = viewer()
    if me is None or not me.is_auditor:
        raise NotAllowed(
            "G-role",
            "the ledger is for compliance and administrators; your account shows what concerns you",
        )
    typed = {name: request.args.get(name, "").strip() for name in _FIELDS}
    wrong, choices, found = Wrongs(), list[Choice](), None
    try:
        want = _filter(typed)
        subject, choices = _subject(typed)
        if not choices:
            found = audit.entries(
                house(), session_context(), want, person=subject, model=typed["model"]
            )
    except Invalid as error:
        wrong = wrongs(error, _LABELS)
    body = page(
        "audit/index.html",
        typed=typed,
        wrong=wrong,
        kinds=entries.kind_options(list(kinds())),
        choices=choices,
        rows=entries.rows(found, me.person) if found is not None else [],
        head=audit.head(house()),
        first=_address(typed) if request.args.get("before") else None,
        older=_address(typed, before=found.before) if found is not None and found.before else None,
        is_filtered=any(typed.values()),
    )
    return body, 422 if wrong.errors else 200


def _filter(typed: Mapping[str, str]) -> EntryFilter:
    since, until = _day(typed, "since"), _day(typed, "until")
    return EntryFilter(
        kinds=[typed["kind"]] if typed["kind"] else [],
        since=_midnight(since) if since is not None else None,
        until=_midnight(until + timedelta(days=1)) if until not in (None, date.max) else None,
        before=number("before"),
        limit=ENTRIES,
    )


def _subject(typed: Mapping[str, str]) -> tuple[str, list[Choice]]:
    """Return the id the person's words mean, or the people to choose from."""
    people = audit.find_people(house(), session_context(), typed["person"])
    if len(people) == 1:
        return people[0].id, []
    return typed["person"], [
        Choice(p.name, f"{p.username}, {p.email}", _address({**typed, "person": p.id}))
        for p in people
    ]


def _day(typed: Mapping[str, str], field: str) -> date | None:
    try:
        return date.fromisoformat(typed[field]) if typed[field] else None
    except ValueError:
        raise Invalid(FieldError(field, "write a day as YYYY-MM-DD")) from None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _address(typed: Mapping[str, str], before: int | None = None) -> str:
    query = {name: value for name, value in typed.items() if value}
    if before is not None:
        query["before"] = str(before)
    return f"/audit?{urlencode(query)}" if query else "/audit"
