"""Who calls, and what opens their account: access tokens and browser sessions.

Not here: making a token, for a token could then outlive its own revocation; passwords.
"""

from __future__ import annotations

from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.people import Context, Scope, TokenId
from gatekeeper.services import profile, sessions, tokens
from gatekeeper.web.api.calls import Noun
from gatekeeper.web.api.once import Done
from gatekeeper.web.api.present import account as present
from gatekeeper.web.api.wire import answers
from gatekeeper.web.api.wire.answers import Page
from gatekeeper.web.wiring import house

noun = Noun("me", "Who calls, and what opens their account: access tokens and browser sessions.")


@noun.get("/me")
def show_me(ctx: Context) -> answers.Me:
    """Return the caller's account, roles, and what their token may do."""
    return present.me(profile.show(house(), ctx))


@noun.get("/me/tokens")
def list_tokens(ctx: Context) -> Page[answers.TokenRow]:
    """Return the caller's access tokens, newest first, ended ones too; never their text."""
    return Page[answers.TokenRow](items=tuple(map(present.token_row, tokens.mine(house(), ctx))))


@noun.post("/me/tokens/<token_id>/revoke", scope=Scope.READ)
def revoke_token(ctx: Context, token_id: TokenId) -> Done[answers.TokenRow]:
    """End one of the caller's tokens for good, be it the one of this call.

    No request after the answer is let in by it; a new token is made on the account page alone.
    """
    tokens.revoke(house(), ctx, token_id)
    return Done(lambda: _token(ctx, token_id))


@noun.get("/me/sessions")
def list_sessions(ctx: Context) -> Page[answers.Session]:
    """Return the browsers in which the caller is signed in."""
    found = (
        answers.Session(
            id=row.digest,
            user_agent=row.user_agent,
            created_at=row.created_at,
            seen_at=row.seen_at,
            expires_at=row.expires_at,
        )
        for row in sessions.mine(house(), ctx)
    )
    return Page[answers.Session](items=tuple(found))


@noun.post("/me/sessions/<session_id>/end", scope=Scope.READ)
def end_session(ctx: Context, session_id: str) -> Done[Page[answers.Session]]:
    """Sign one browser out, and return those that are left."""
    sessions.end_mine(house(), ctx, session_id)
    return Done(lambda: list_sessions(ctx))


@noun.post("/me/sessions/end", scope=Scope.READ)
def end_sessions(ctx: Context) -> Done[Page[answers.Session]]:
    """Sign every browser out."""
    sessions.end_others(house(), ctx, kept_digest="")
    return Done(lambda: list_sessions(ctx))


def _token(ctx: Context, token_id: TokenId) -> answers.TokenRow:
    found = next((token for token in tokens.mine(house(), ctx) if token.id == token_id), None)
    if found is None:
        raise NotFound("no such token")
    return present.token_row(found)
