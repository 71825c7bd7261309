"""Access tokens: make, list, revoke, and find the person behind one.

The text is returned once and stored nowhere; what is kept is its SHA-256. A token never has more
than its owner. Not here: scopes of verbs (services/people.need_scope), sessions.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from gatekeeper.db.readers import Readers
from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.errors import BadCredentials, NotAllowed, NotFound, invalid
from gatekeeper.domain.facts import people as f
from gatekeeper.domain.people import (
    AccessToken,
    Context,
    Person,
    PersonId,
    Scope,
    TokenId,
    is_token_shaped,
    write_token,
)
from gatekeeper.services.people import current, find
from gatekeeper.services.ports import House

NOTED_EVERY_SECONDS = 300  # when a token was used last is known so exactly


def create(
    house: House, ctx: Context, person_id: PersonId, name: str, scope: Scope, days: int
) -> tuple[AccessToken, str]:
    """Make an access token; the text is returned once and stored nowhere.

    Raises: Invalid for a name, scope or life out of bounds; NotAllowed for another's account;
    Refused(email_unverified): whoever has the address by and by would not know of the token.
    """
    label = " ".join(name.split())
    if not 1 <= len(label) <= 80:
        raise invalid("name", "give the token a name of 1 to 80 characters")
    if not 1 <= days <= house.policy.token_longest_days:
        raise invalid("days", f"choose 1 to {house.policy.token_longest_days} days")
    if not ctx.actor.is_operator and ctx.actor.person_id != person_id:
        raise NotAllowed("G-role", "you make tokens for yourself alone")
    with house.db.acting(ctx) as act:
        person = act.people.by_id(person_id, lock=True)
        if person is None:
            raise NotFound("no such person")
        if not ctx.actor.is_operator and not person.is_verified:
            raise Refused(Reason.EMAIL_UNVERIFIED)
        return record(act, ctx, person_id, label, scope, days)


def record(
    act: Act, ctx: Context, person_id: PersonId, name: str, scope: Scope, days: int
) -> tuple[AccessToken, str]:
    """Make an access token within an act that has seen to what `create` asks; returns the same."""
    text = write_token(ctx.fresh(32))
    token_id = TokenId(ctx.new_id("tok"))
    act.record(
        f.TokenCreated(
            token_id=token_id,
            person_id=person_id,
            name=ctx.sealed("name", name),
            scope=scope,
            digest=digest_of(text),
            hint=text[-4:],
            expires_at=ctx.now + timedelta(days=days),
        )
    )
    made = act.people.token(token_id)
    assert made is not None  # noqa: S101  it was recorded just now
    return made, text


def of(house: House, email: str) -> list[AccessToken]:
    """Return a person's tokens (operator); raises NotFound."""
    person = find(house, email)
    with house.db.reading() as read:
        return read.people.tokens_of(person.id)


def mine(house: House, ctx: Context) -> list[AccessToken]:
    """Return the actor's own tokens, newest first."""
    with house.db.reading() as read:
        return read.people.tokens_of(current(read, ctx).id)


def revoke(house: House, ctx: Context, token_id: TokenId) -> None:
    """End a token for good; raises NotFound for one that is not the actor's own."""
    with house.db.acting(ctx) as act:
        token = act.people.token(token_id)
        own = token is not None and token.person_id == ctx.actor.person_id
        if token is None or not (own or ctx.actor.is_operator):
            raise NotFound("no such token")
        if token.revoked_at is None:
            act.record(f.TokenRevoked(token.id, token.person_id))


def bearer(house: House, ctx: Context, text: str) -> AccessToken:
    """Return the live token with this text; raises BadCredentials for any other."""
    if not is_token_shaped(text):
        raise BadCredentials("this is not an access token of this site")
    digest = digest_of(text)
    token, owner = house.db.recall(
        lambda look: look.get(("token", digest), lambda read: _bearer(read, digest))
    )
    if token is None or owner is None or owner.suspended or not token.is_live(ctx.now):
        raise BadCredentials("this access token has expired or was revoked")
    use = (token.id, int(ctx.now.timestamp()) // NOTED_EVERY_SECONDS)
    if use not in house.db.durable:
        with house.db.acting(ctx) as act:
            act.ephemeral.note_token_use(token.id, ctx.now)
        house.db.durable.add(use)
    return token


def live(house: House, ctx: Context, token_id: TokenId) -> AccessToken:
    """Return a token that somebody began something with; raises BadCredentials once it ended."""
    with house.db.reading() as read:
        token = read.people.token(token_id)
        owner = read.people.by_id(token.person_id) if token is not None else None
    if token is None or owner is None or owner.suspended or not token.is_live(ctx.now):
        raise BadCredentials("this access token has expired or was revoked")
    return token


def _bearer(read: Readers, digest: str) -> tuple[AccessToken | None, Person | None]:
    token = read.people.token_by_digest(digest)
    return token, read.people.by_id(token.person_id) if token is not None else None


def digest_of(text: str) -> str:
    """Return SHA-256 of a token's text in hex: what is stored of it."""
    return hashlib.sha256(text.encode()).hexdigest()
