"""The queue as staff ask for it: by state, assignee, model and age, a page at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gatekeeper.domain.applications import OPEN_STATES, ApplicationState, QueueFilter
from gatekeeper.domain.catalogue import ModelId
from gatekeeper.domain.people import Context
from gatekeeper.services.applications import reading
from gatekeeper.services.applications.reading import QueueRow
from gatekeeper.services.people import current, person_named
from gatekeeper.services.ports import House

Place = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases: `assignee` is an id, a username, an address, `me` or `none`; '' is any."""

    states: Collection[ApplicationState] = ()
    assignee: str = ""
    model: tuple[str, str] | None = None
    older_than: timedelta | None = None
    after: Place | None = None
    limit: int = 50


def search(house: House, ctx: Context, wanted: Wanted) -> tuple[Sequence[QueueRow], Place | None]:
    """Return cases, oldest first, and after which place the next page begins (None at the end).

    Without states: the open ones. Raises: Refused as `reading.queue`.
    """
    with house.db.reading() as read:
        me = current(read, ctx)
        named = wanted.assignee not in {"", "none"}
        assignee = person_named(read, me, wanted.assignee) if named else None
        model = read.catalogue.model(*wanted.model) if wanted.model is not None else None
    want = QueueFilter(
        states=tuple(wanted.states) or tuple(OPEN_STATES),
        assignee_id=assignee,
        unassigned=wanted.assignee == "none",
        model_id=_model_id(wanted, model.id if model is not None else None),
        submitted_before=ctx.now - wanted.older_than if wanted.older_than is not None else None,
        after=wanted.after,
        limit=wanted.limit + 1,
    )
    rows, _ = reading.queue(house, ctx, want)
    page = rows[: wanted.limit]
    last = page[-1].application if len(rows) > wanted.limit else None
    place = (last.submitted_at, last.id) if last is not None and last.submitted_at else None
    return page, place


def _model_id(wanted: Wanted, found: ModelId | None) -> ModelId | None:
    """Return the id to filter by; for a model that is not there, one that no case names."""
    return found or (ModelId("") if wanted.model is not None else None)
