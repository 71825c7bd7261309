"""The queue of the review desk: its segments, filters and pages, all of them in the address.

Not here: the words of one row (desk).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from flask import request

from gatekeeper.domain.people import Person
from gatekeeper.services.applications import reading, searching
from gatekeeper.services.applications.searching import Place
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import desk
from gatekeeper.web.pages.parts import Link
from gatekeeper.web.wiring import house

CASES = 50
_FILTERS = ("view", "model", "assignee", "older_than")


def shown(me: Person) -> Mapping[str, object]:
    """Return the left side: segments with their counts, the cases of one, and where more are."""
    ctx = session_context()
    view = _asked()["view"]
    wanted = _wanted(view)
    rows, place = searching.search(house(), ctx, wanted)
    counts = reading.counts(house(), ctx, [desk.filter_of(one, me) for one in desk.VIEWS])
    return {
        "cases": [desk.item(row, ctx.now) for row in rows],
        "views": [
            Link(f"/review?view={one}", f"{words} {count}", one == view)
            for (one, (words, _)), count in zip(desk.VIEWS.items(), counts, strict=True)
        ],
        "asked": _asked(),
        "is_filtered": any(_asked()[name] for name in _FILTERS[1:]),
        "query": query(),
        "older": f"/review{query(after=_cursor(place))}" if place is not None else None,
    }


def _asked() -> dict[str, str]:
    """Return the queue's filters as the address has them."""
    asked = {name: request.args.get(name, "").strip() for name in _FILTERS}
    return {**asked, "view": asked["view"] if asked["view"] in desk.VIEWS else "all"}


def _wanted(view: str) -> searching.Wanted:
    asked = _asked()
    namespace, _, name = asked["model"].partition("/")
    days = asked["older_than"]
    return searching.Wanted(
        states=desk.VIEWS[view][1],
        assignee="me" if view == "mine" else asked["assignee"],
        model=(namespace, name) if asked["model"] else None,
        older_than=timedelta(days=int(days))
        if days.isascii() and days.isdigit() and len(days) < 5
        else None,
        after=_place(request.args.get("after", "")),
        limit=CASES,
    )


def query(**more: str) -> str:
    """Return what keeps the queue as it is in another address of the desk, '' for the plain one."""
    kept = {name: value for name, value in {**_asked(), **more}.items() if value}
    return f"?{urlencode(kept)}" if kept != {"view": "all"} else ""


def _cursor(place: Place) -> str:
    return f"{place[0].isoformat()}~{place[1]}"


def _place(cursor: str) -> Place | None:
    at, _, case_id = cursor.partition("~")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None  # no place in the queue: begin at its head
    return (moment, case_id) if moment.tzinfo is not None else None
