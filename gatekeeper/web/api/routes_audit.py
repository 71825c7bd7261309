"""The audit ledger: everything for compliance and admin, for everybody else what is about them."""

from __future__ import annotations

from flask import Blueprint, Response

from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.services import audit
from gatekeeper.web.api.exchange import caller, query, say
from gatekeeper.web.api.present import cases as present
from gatekeeper.web.api.wire import cases, queries
from gatekeeper.web.api.wire.answers import Page
from gatekeeper.web.wiring import house

blueprint = Blueprint("audit", __name__, url_prefix="/audit")


@blueprint.get("/entries")
def list_entries() -> Response:
    """Return entries, newest first, a page at a time."""
    asked = query(queries.Entries)
    want = EntryFilter(
        kinds=asked.kind,
        since=asked.since,
        until=asked.until,
        before=asked.before,
        limit=asked.limit,
    )
    found = audit.entries(house(), caller(), want, person=asked.person, model=asked.model or "")
    page = Page[cases.Entry](
        items=tuple(present.entry(e, found.people) for e in found.entries),
        next=str(found.before) if found.before is not None else None,
    )
    return say(page)
