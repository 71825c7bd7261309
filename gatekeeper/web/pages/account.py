"""A person's own account: profile, password, sessions, access tokens, accepted terms, own record.

The routes of the doors (register, sign-in, reset) are put on their addresses here. Not here: what
the person may fetch (access) and has applied for (apply).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.errors import Invalid, invalid
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.domain.people import Role, Scope, SiteRole, TokenId
from gatekeeper.services import agreements, audit, people, profile, registration, sessions, tokens
from gatekeeper.web import identity
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import doors, entries
from gatekeeper.web.pages.frame import Viewer, notify, number, page, see, signed_in, viewer
from gatekeeper.web.pages.wrongs import Wrongs, wrongs
from gatekeeper.web.wiring import house

blueprint = Blueprint("account", __name__)

for rule, view, methods in (
    ("/register", doors.register, ["GET", "POST"]),
    ("/register/<token>", doors.register_first_admin, ["GET", "POST"]),
    ("/verify/<token>", doors.verify, ["GET", "POST"]),
    ("/sign-in", doors.sign_in, ["GET", "POST"]),
    ("/sign-out", doors.sign_out, ["POST"]),
    ("/reset", doors.ask_reset, ["GET", "POST"]),
    ("/reset/<token>", doors.reset, ["GET", "POST"]),
):
    blueprint.add_url_rule(rule, view.__name__, view, methods=methods)

ENTRIES = 30
TOKEN_DAYS = 90
_LABELS = {
    "old_password": "Present password",
    "password": "New password",
    "name": "Name",
    "days": "Days",
    "scope": "May",
}
SCOPES = {
    Scope.READ: ("Read and download", "What you may do yourself: read, apply, accept, download."),
    Scope.WRITE: ("Publish", "Reading, and publishing where you have the role."),
    Scope.REVIEW: ("Review", "Reading, and staff acts where you have the role."),
    Scope.ADMIN: ("Administer", "Everything your account may do."),
}


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token as it is being asked for."""

    name: str = ""
    scope: str = Scope.READ
    days: str = str(TOKEN_DAYS)


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its owner tells it from the others."""

    digest: str
    browser: str
    created_at: datetime
    seen_at: datetime
    is_this: bool


@blueprint.get("/account")
@signed_in
def show() -> ResponseReturnValue:
    """Show the account."""
    return _show()


@blueprint.post("/account/verify")
@signed_in
def verify_again() -> ResponseReturnValue:
    """Send the verifying mail once more."""
    registration.ask_again(house(), session_context())
    text = "In this demo it is at /dev/mail." if house().policy.is_demo else "Look at your mail."
    notify("ok", "A new mail is on its way.", text)
    return see("/account")


@blueprint.post("/account/password")
@signed_in
def change_password() -> ResponseReturnValue:
    """Change the password; every other session ends and this one gets a new id."""
    old, new = request.form.get("old_password", ""), request.form.get("password", "")
    here = identity.session_digest()
    try:
        people.change_password(house(), session_context(), old, new, keep_session=here)
    except Invalid as error:
        return _show(password_wrong=wrongs(error, _LABELS)), 422
    identity.sign_in(_me().person)
    notify("ok", "Your password is changed.", "Every other session has ended.")
    return see("/account")


@blueprint.post("/account/sessions/end")
@signed_in
def end_session() -> ResponseReturnValue:
    """End one session; ending this one signs out."""
    digest = request.form.get("session", "")
    sessions.end_mine(house(), session_context(), digest)
    if digest == identity.session_digest():
        return doors.sign_out()
    notify("ok", "That session has ended.")
    return see("/account#sessions")


@blueprint.post("/account/sessions/end-others")
@signed_in
def end_other_sessions() -> ResponseReturnValue:
    """End every session but this one."""
    sessions.end_others(house(), session_context(), identity.session_digest())
    notify("ok", "Every other session has ended.")
    return see("/account#sessions")


@blueprint.post("/account/tokens")
@signed_in
def create_token() -> ResponseReturnValue:
    """Make an access token and show its text, this once."""
    form = request.form
    typed = NewToken(form.get("name", ""), form.get("scope", ""), form.get("days", ""))
    scope = next((s for s in Scope if s == typed.scope), None)
    try:
        if scope is None:
            raise invalid("scope", "choose what the token may do")
        is_number = typed.days.isascii() and typed.days.isdigit() and len(typed.days) < 10
        days = int(typed.days) if is_number else 0
        token, text = tokens.create(
            house(), session_context(), _me().person.id, typed.name, scope, days
        )
    except Invalid as error:
        return _show(typed=typed, token_wrong=wrongs(error, _LABELS)), 422
    return page(
        "account/token.html",
        token=token,
        text=text,
        may=SCOPES[scope][0],
        url=house().policy.public_url,
    )


@blueprint.post("/account/tokens/revoke")
@signed_in
def revoke_token() -> ResponseReturnValue:
    """End a token for good."""
    tokens.revoke(house(), session_context(), TokenId(request.form.get("token", "")))
    notify(
        "ok",
        "The token is revoked.",
        "Links made with it end within the hour.",
    )
    return see("/account#tokens")


@blueprint.get("/account/record")
@signed_in
def record() -> ResponseReturnValue:
    """Show what the ledger says about this person, newest first."""
    before = number("before")
    found = audit.about_me(house(), session_context(), EntryFilter(before=before, limit=ENTRIES))
    return page(
        "account/record.html",
        rows=entries.rows(found, _me().person),
        first=None if before is None else "/account/record",
        older=None if found.before is None else f"/account/record?before={found.before}",
    )


def _show(
    *,
    typed: NewToken | None = None,
    password_wrong: Wrongs | None = None,
    token_wrong: Wrongs | None = None,
) -> str:
    ctx = session_context()
    mine = profile.show(house(), ctx)
    held = tokens.mine(house(), ctx)
    return page(
        "account/index.html",
        person=mine.person,
        roles=[
            *(role.capitalize() for role in sorted(mine.person.site_roles)),
            *(f"{mine.titles.get(n, n)}: {', '.join(sorted(r))}" for n, r in mine.roles.items()),
        ],
        sessions=_sessions(),
        tokens=[token for token in held if token.is_live(ctx.now)],
        ended_tokens=[token for token in held if not token.is_live(ctx.now)],
        scope_words={scope: words for scope, (words, _) in SCOPES.items()},
        scopes=[(scope, *SCOPES[scope]) for scope in useful_scopes(mine)],
        typed=typed or NewToken(),
        longest_days=house().policy.token_longest_days,
        password_wrong=password_wrong or Wrongs(),
        token_wrong=token_wrong or Wrongs(),
        accepted=agreements.mine(house(), ctx),
        is_demo=house().policy.is_demo,
    )


def _me() -> Viewer:
    me = viewer()
    assert me is not None  # noqa: S101  every view here is behind `signed_in`
    return me


def useful_scopes(mine: profile.Profile) -> list[Scope]:
    """Return the scopes that open something to this person; the service checks nothing less."""
    roles = {role for held in mine.roles.values() for role in held}
    site = mine.person.site_roles
    useful = {
        Scope.READ: True,
        Scope.WRITE: bool(roles & {Role.OWNER, Role.PUBLISHER}),
        Scope.REVIEW: bool(roles - {Role.OWNER, Role.PUBLISHER} or site),
        Scope.ADMIN: SiteRole.ADMIN in site,
    }
    return [scope for scope, is_useful in useful.items() if is_useful]


def _sessions() -> list[Session]:
    here = identity.session_digest()
    return [
        Session(
            digest=row.digest,
            browser=_browser(row.user_agent),
            created_at=row.created_at,
            seen_at=row.seen_at,
            is_this=row.digest == here,
        )
        for row in sessions.mine(house(), session_context())
    ]


# A browser names its ancestors too, so the one that came last is looked for first.
_BROWSERS = ("Firefox", "Edg", "OPR", "Chrome", "Safari", "curl", "python")
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
_NAMES = {"Edg": "Edge", "OPR": "Opera", "Mac OS": "macOS", "python": "Python"}


def _browser(user_agent: str) -> str:
    """Return `Firefox on Linux`, as far as the User-Agent tells."""
    parts = [
        next((name for name in names if name in user_agent), "") for names in (_BROWSERS, _SYSTEMS)
    ]
    known = [_NAMES.get(part, part) for part in parts if part]
    return " on ".join(known) or "Unknown browser"
