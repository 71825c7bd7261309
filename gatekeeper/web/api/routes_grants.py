"""Grants: one's own and those one oversees; revoke, suspend, reinstate, give back."""

from __future__ import annotations

from flask import Blueprint, Response

from gatekeeper.domain.grants import GrantCommand
from gatekeeper.domain.links import GrantId
from gatekeeper.services import grants, holdings
from gatekeeper.web.api.exchange import body, caller, query, say
from gatekeeper.web.api.once import Done, once
from gatekeeper.web.api.present import cases as present
from gatekeeper.web.api.wire import bodies, cases, queries
from gatekeeper.web.api.wire.answers import Page
from gatekeeper.web.api.wire.shapes import parts
from gatekeeper.web.wiring import house

blueprint = Blueprint("grants", __name__)


@blueprint.get("/grants")
def list_grants() -> Response:
    """Return the caller's grants; with a person or a model, those they oversee too."""
    asked = query(queries.Grants)
    wanted = holdings.Wanted(
        person=asked.person,
        model=parts(asked.model) if asked.model is not None else None,
        after=asked.after,
        limit=asked.limit + 1,
    )
    found = holdings.search(house(), caller(), wanted)
    shown = found[: asked.limit]
    last = shown[-1].grant if len(found) > asked.limit else None
    page = Page[cases.Grant](
        items=tuple(map(present.grant, shown)),
        next=queries.write_place(last.starts_at, last.id) if last is not None else None,
    )
    return say(page)


@blueprint.post("/grants/<grant_id>/revoke")
@once()
def revoke(grant_id: str) -> Done:
    """End a grant for good; no request after the answer gets a byte by it."""
    return _change(grant_id, GrantCommand.REVOKE)


@blueprint.post("/grants/<grant_id>/suspend")
@once()
def suspend(grant_id: str) -> Done:
    """Stop a grant until it is reinstated."""
    return _change(grant_id, GrantCommand.SUSPEND)


@blueprint.post("/grants/<grant_id>/reinstate")
@once()
def reinstate(grant_id: str) -> Done:
    """Let a suspended grant open its models again."""
    return _change(grant_id, GrantCommand.REINSTATE)


@blueprint.post("/grants/<grant_id>/relinquish")
@once()
def relinquish(grant_id: str) -> Done:
    """Give one's own grant back."""
    return _change(grant_id, GrantCommand.RELINQUISH)


def _change(grant_id: str, command: GrantCommand) -> Done:
    grant, ctx, sent = GrantId(grant_id), caller(), body(bodies.GrantChange)
    grants.change(house(), ctx, grant, command, sent.reason, sent.note)
    return Done(lambda: present.grant(holdings.show(house(), ctx, grant)))
