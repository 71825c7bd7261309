"""The audit ledger: everything for compliance and admin, for everybody else what is about them."""

from __future__ import annotations

from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.domain.people import Context
from gatekeeper.services import audit
from gatekeeper.web.api.calls import Noun
from gatekeeper.web.api.present import cases as present
from gatekeeper.web.api.wire import cases, queries
from gatekeeper.web.api.wire.answers import Page
from gatekeeper.web.wiring import house

noun = Noun("audit", "The ledger: what happened, in the order it became true.")


@noun.get("/audit/entries")
def list_entries(ctx: Context, asked: queries.Entries) -> Page[cases.Entry]:
    """Return entries, newest first, a page at a time.

    Compliance and administrators see all of them through a token for review; everybody else sees
    those about themselves.
    """
    want = EntryFilter(
        kinds=asked.kind,
        since=asked.since,
        until=asked.until,
        before=asked.before,
        limit=asked.limit,
    )
    found = audit.entries(house(), ctx, want, person=asked.person, model=asked.model or "")
    return Page[cases.Entry](
        items=tuple(present.entry(e, found.people) for e in found.entries),
        next=str(found.before) if found.before is not None else None,
    )
