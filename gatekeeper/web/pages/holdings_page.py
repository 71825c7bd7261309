"""What a person holds: each grant with its state, its end, why it was stopped, and what is due.

Whether a model's files can be fetched now is asked of the rule, never read off a grant. Not here:
fetching (access_page).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gatekeeper.domain.access import Reason
from gatekeeper.domain.catalogue import ModelId
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
    found = holdings.search(house, ctx, holdings.Wanted(limit=MOST))
    models = {model.id: model for holding in found for model in holding.models}
    seen = catalogue.seen(house, ctx, models.values())
    lines = [_line(holding, seen) for holding in found]
    live = [line for line in lines if line.grant.state(ctx.now) in _LIVE]
    return {
        "live": live,
        "ended": [line for line in lines if line not in live],
        "notes": _notes(live),
    }


def _line(holding: Holding, seen: Mapping[ModelId, Judged]) -> Line:
    """Show a grant with those of its models that its holder may still see, as they stand today."""
    grant = holding.grant
    models = [seen[model.id] for model in holding.models if model.id in seen]
    may = (GrantCommand.RELINQUISH, holding.state) in GRANT_TABLE
    return Line(
        grant=grant,
        purpose=holding.purpose,
        pill=reasons.GRANT_PILLS[holding.state],
        last_day=standing.last_day(grant),
        models=models,
        why=ended_words(grant),
        action=_action(holding, models),
        relinquish_href=f"/access/grants/{grant.id}/relinquish" if may else "",
    )


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
