"""Tickets: bearer secrets for the doors to which a client does not send its access token.

A ticket stands for one thing, for a while, and ends with the access token that asked for it. What
its person may do is asked again wherever it is shown.
"""

from __future__ import annotations

from datetime import timedelta

from gatekeeper.domain.links import Claim, Purpose, check_times
from gatekeeper.domain.people import Actor, ActorKind, Context, PersonId, TokenId
from gatekeeper.services import tokens
from gatekeeper.services.ports import House


def write(house: House, ctx: Context, purpose: Purpose, what: str, lasts: timedelta) -> str:
    """Return a ticket of whoever acts, for the thing with the id `what`."""
    now, until = ctx.now, ctx.now + lasts
    person_id, token_id = ctx.actor.person_id or "", ctx.actor.token_id or ""
    claim = Claim(what, person_id, token_id, int(now.timestamp()), int(until.timestamp()))
    return house.links.sign(purpose, claim)


def read(house: House, ctx: Context, purpose: Purpose, ticket: str) -> tuple[str, Actor]:
    """Return what a ticket is for and whose it is, as they are now.

    Raises: BadLink, BadCredentials when the token that asked for it has ended.
    """
    claim = house.links.verify(purpose, ticket)
    check_times(claim, ctx.now)
    if not claim.check:
        return claim.jti, Actor(ActorKind.PERSON, PersonId(claim.subject))
    token = tokens.live(house, ctx, TokenId(claim.check))
    return claim.jti, Actor(ActorKind.PERSON, token.person_id, token.scope, token.id)
