"""Grants: one's own and those one oversees; revoke, suspend, reinstate, give back."""

from __future__ import annotations

from gatekeeper.domain.grants import GrantCommand
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import Context, Scope
from gatekeeper.services import grants, holdings
from gatekeeper.web.api.calls import Noun
from gatekeeper.web.api.exchange import caller, text_of
from gatekeeper.web.api.once import Done
from gatekeeper.web.api.present import cases as present
from gatekeeper.web.api.wire import bodies, cases, queries
from gatekeeper.web.api.wire.answers import Page
from gatekeeper.web.api.wire.shapes import parts
from gatekeeper.web.wiring import house

noun = Noun("grants", "The right of one person to fetch given models for one purpose.")


@noun.get("/grants", fails=(404,))
def list_grants(ctx: Context, asked: queries.Grants) -> Page[cases.Grant]:
    """Return the caller's grants; with a person or a model, those they oversee too."""
    wanted = holdings.Wanted(
        person=asked.person,
        model=parts(asked.model) if asked.model is not None else None,
        after=asked.after,
        limit=asked.limit + 1,
    )
    found = holdings.search(house(), ctx, wanted)
    shown = found[: asked.limit]
    last = shown[-1].grant if len(found) > asked.limit else None
    return Page[cases.Grant](
        items=tuple(map(present.grant, shown)),
        next=queries.write_place(last.starts_at, last.id) if last is not None else None,
    )


def _again(grant: str) -> str:
    return text_of(present.grant(holdings.show(house(), caller(), GrantId(grant))))


@noun.post("/grants/<grant_id>/revoke", scope=Scope.REVIEW, repeat=_again)
def revoke(ctx: Context, grant_id: GrantId, sent: bodies.GrantChange) -> Done[cases.Grant]:
    """End a grant for good; no request after the answer gets a byte by it."""
    return _change(ctx, grant_id, GrantCommand.REVOKE, sent)


@noun.post("/grants/<grant_id>/suspend", scope=Scope.REVIEW, repeat=_again)
def suspend(ctx: Context, grant_id: GrantId, sent: bodies.GrantChange) -> Done[cases.Grant]:
    """Stop a grant until it is reinstated."""
    return _change(ctx, grant_id, GrantCommand.SUSPEND, sent)


@noun.post("/grants/<grant_id>/reinstate", scope=Scope.REVIEW, repeat=_again)
def reinstate(ctx: Context, grant_id: GrantId, sent: bodies.GrantChange) -> Done[cases.Grant]:
    """Let a suspended grant open its models again."""
    return _change(ctx, grant_id, GrantCommand.REINSTATE, sent)


@noun.post("/grants/<grant_id>/relinquish", scope=Scope.READ, repeat=_again)
def relinquish(ctx: Context, grant_id: GrantId, sent: bodies.GrantChange) -> Done[cases.Grant]:
    """Give one's own grant back."""
    return _change(ctx, grant_id, GrantCommand.RELINQUISH, sent)


def _change(
    ctx: Context, grant: GrantId, command: GrantCommand, sent: bodies.GrantChange
) -> Done[cases.Grant]:
    grants.change(house(), ctx, grant, command, sent.reason, sent.note)
    return Done(lambda: present.grant(holdings.show(house(), ctx, grant)), kept=grant)
