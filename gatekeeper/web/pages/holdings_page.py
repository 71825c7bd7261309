"""What a person holds: each grant with its state, its end, why it was stopped, and what is due.

Whether a model's files can be fetched now is asked of the rule, never read off a grant. Not here:
fetching (access_page).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gatekeeper.domain.access import Reason
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.grants import TABLE as GRANT_TABLE
from gatekeeper.domain.grants import Grant, GrantCommand, GrantState
from gatekeeper.domain.people import Context
from gatekeeper.services import catalogue, holdings
from gatekeeper.services.access import Judged
from gatekeeper.services.holdings import Holding
from gatekeeper.services.ports import House
from gatekeeper.web.pages import reasons, standing
from gatekeeper.web.pages.access_page import ended_words
from gatekeeper.web.pages.parts import Action, Note, Pill

MOST = 200
_LIVE = frozenset({GrantState.ACTIVE, GrantState.PENDING_TERMS, GrantState.SUSPENDED})


@dataclass(frozen=True, slots=True)
class Line:
    """One grant."""

    grant: Grant
    purpose: str
    pill: Pill
    last_day: date
    models: Sequence[Judged]
    why: str
    action: Action | None
    relinquish_href: str


def values(house: House, ctx: Context) -> dict[str, Any]:
    """Return what access/index.html shows of the actor's grants."""
    lines = [
        _line(house, ctx, holding)
        for holding in holdings.search(house, ctx, holdings.Wanted(limit=MOST))
    ]
    live = [line for line in lines if line.grant.state(ctx.now) in _LIVE]
    return {
        "live": live,
        "ended": [line for line in lines if line not in live],
        "notes": _notes(live),
    }


def _line(house: House, ctx: Context, holding: Holding) -> Line:
    grant, models = holding.grant, _judged(house, ctx, holding)
    may = (GrantCommand.RELINQUISH, holding.state) in GRANT_TABLE
    return Line(
        grant=grant,
        purpose=holding.purpose,
        pill=reasons.GRANT_PILLS[holding.state],
        last_day=standing.last_day(grant),
        models=models,
        why=ended_words(house, ctx, grant),
        action=_action(holding, models),
        relinquish_href=f"/access/grants/{grant.id}/relinquish" if may else "",
    )


def _judged(house: House, ctx: Context, holding: Holding) -> list[Judged]:
    """Return the models of a grant that its holder may still see, with today's verdicts."""
    found = []
    for model in holding.models:
        try:
            found.append(catalogue.find(house, ctx, model.namespace, model.name))
        except NotFound:
            continue
    return found


def _action(holding: Holding, models: Sequence[Judged]) -> Action | None:
    """Return what a grant waits for: its terms, or a new application once it is over."""
    wanting = [j for j in models if not j.verdict.allowed]
    if not wanting or holding.state in {GrantState.SUSPENDED, GrantState.REVOKED}:
        return None
    step = standing.next_step(wanting[0])
    return step if step is not None and step.href != "/access" else None


def _notes(live: Sequence[Line]) -> list[Note]:
    """Return what is due: terms that changed under a live grant."""
    due = {
        judged.model.full_name: judged
        for line in live
        for judged in line.models
        if judged.verdict.reason is Reason.TERMS_OUTDATED
    }
    return [
        Note(
            "warn",
            f"The terms of {judged.model.title} have changed.",
            "It opens again when you accept the new version.",
            standing.next_step(judged),
        )
        for judged in due.values()
    ]
