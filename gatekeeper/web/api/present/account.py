"""The caller's account and access tokens as the API shows them."""

from __future__ import annotations

from gatekeeper.domain.people import AccessToken, Scope
from gatekeeper.services.people import may_act
from gatekeeper.services.profile import Profile
from gatekeeper.web.api.wire import answers as a


def me(profile: Profile) -> a.Me:
    """Show who calls."""
    person, token = profile.person, profile.token
    scope = token.scope if token is not None else None
    return a.Me(
        person=a.Account(
            id=person.id,
            username=person.username,
            name=person.name,
            email=person.email,
            affiliation=person.affiliation,
            verified=person.is_verified,
        ),
        roles=a.Roles(
            site=tuple(sorted(person.site_roles)),
            namespaces={name: tuple(sorted(roles)) for name, roles in profile.roles.items()},
        ),
        scopes=tuple(s for s in Scope if may_act(scope, s)),
        token=_token(token) if token is not None else None,
    )


def token_row(found: AccessToken) -> a.TokenRow:
    """Show one of the caller's tokens in a list."""
    return a.TokenRow(
        **dict(_token(found)),
        created_at=found.created_at,
        last_used_at=found.last_used_at,
        revoked_at=found.revoked_at,
    )


def _token(found: AccessToken) -> a.Token:
    return a.Token(
        id=found.id,
        name=found.name,
        scope=found.scope,
        hint=found.hint,
        expires_at=found.expires_at,
    )
