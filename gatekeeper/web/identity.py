"""Who asks: a session cookie for pages, a bearer token for machines; and our own sessions.

The cookie is a random id and nothing else; its row is in the database under the id's SHA-256.
Flask-Login carries the session's person (never its remember cookie, no session protection of its
own). `context_for` makes the one Context of a request. Source: house.md 8.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from flask import Flask, Request, Response, g, request, session
from flask.sessions import SessionInterface, SessionMixin
from flask_login import LoginManager, current_user, login_user, logout_user
from werkzeug.datastructures import CallbackDict
from werkzeug.exceptions import HTTPException

from gatekeeper.domain.errors import BadCredentials, GatekeeperError
from gatekeeper.domain.people import ANONYMOUS, SYSTEM, Actor, ActorKind, Context, Person, PersonId
from gatekeeper.services import sessions, tokens
from gatekeeper.services.ports import House
from gatekeeper.web import bodies
from gatekeeper.web.wiring import house, new_context, wiring

_WITHOUT_SESSION = ("/static/", "/healthz", "/readyz", "/metrics", "/api/v1/")
_PERSON = "_user_id"  # the key under which Flask-Login keeps the person's id


class ServerSession(CallbackDict[str, Any], SessionMixin):
    """The session of one request: a small JSON object kept in our table, never in the cookie."""

    def __init__(self, initial: dict[str, Any] | None = None, session_id: str = "") -> None:
        def touched(changed: CallbackDict[str, Any]) -> None:
            changed.modified = True  # type: ignore[attr-defined]

        super().__init__(initial, touched)
        self.modified = False
        self.session_id = session_id
        self.retired_id = ""

    def rotate(self) -> None:
        """Give the session a new id at the end of the request; the old one opens nothing."""
        self.retired_id, self.session_id = self.session_id or self.retired_id, ""
        self.modified = True


class DatabaseSessions(SessionInterface):
    """Sessions in our own table; a row is written only when something was put into the session."""

    def get_cookie_name(self, _app: Flask) -> str:
        """Return `__Host-gk_session`, or `gk_session` on a loopback http address."""
        return "__Host-gk_session" if wiring().secure_cookie else "gk_session"

    def open_session(self, app: Flask, request: Request) -> ServerSession:
        """Read the session of the cookie; any other value begins an empty one."""
        session_id = request.cookies.get(self.get_cookie_name(app), "")
        if not session_id or request.path.startswith(_WITHOUT_SESSION):
            return ServerSession()
        g.setdefault("request_id", "")
        try:
            # To the end first: a session that is ended while a slow body comes in has ended.
            if not bodies.may_be_part():  # those are judged again at their end
                request.get_data(parse_form_data=True)
            row = sessions.find(house(), new_context(SYSTEM), session_id)
        except (GatekeeperError, HTTPException) as error:
            g.session_fault = error  # Flask would answer 500 for it here
            return ServerSession()
        if row is None:
            return ServerSession()
        payload = json.loads(row.payload)
        if payload.get(_PERSON) != row.person_id:
            payload.pop(_PERSON, None)
        return ServerSession(payload, session_id)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the row and set the cookie when something changed."""
        assert isinstance(session, ServerSession)  # noqa: S101  open_session made it
        if not session.modified:
            return
        ctx = new_context(SYSTEM)
        if session.retired_id:
            sessions.end(house(), ctx, session.retired_id)
        name = self.get_cookie_name(app)
        if not session:
            response.delete_cookie(name, path="/", secure=wiring().secure_cookie, httponly=True)
            return
        person, payload = session.get(_PERSON), json.dumps(dict(session))
        session_id = session.session_id
        if session_id:
            sessions.keep(house(), ctx, session_id, payload)
        else:
            session_id = _new_session_id(ctx)
            holder = PersonId(person) if person else None
            agent = request.headers.get("User-Agent", "")
            sessions.begin(house(), ctx, session_id, holder, payload, agent)
        response.set_cookie(
            name,
            session_id,
            path="/",
            httponly=True,
            secure=wiring().secure_cookie,
            samesite="Lax",
            max_age=house().policy.session_lifetime_seconds if person else None,
        )
        response.headers.add("Vary", "Cookie")


class SessionUser:
    """What Flask-Login needs of the signed-in person."""

    is_active = True
    is_authenticated = True
    is_anonymous = False

    def __init__(self, person_id: PersonId) -> None:
        self.person_id = person_id

    def get_id(self) -> str:
        """Return the person's id; the session row, not the cookie, holds it."""
        return self.person_id


def install(app: Flask) -> None:
    """Put sessions and Flask-Login into the application."""
    app.session_interface = DatabaseSessions()
    manager = LoginManager()
    manager.session_protection = None
    manager.user_loader(lambda person_id: SessionUser(PersonId(person_id)))
    manager.init_app(app)
    app.before_request(_raise_session_fault)


def _raise_session_fault() -> None:
    fault: Exception | None = g.get("session_fault")
    if fault is not None:
        raise fault


def sign_in(person: Person) -> None:
    """Begin the person's session under a new id."""
    _session().clear()
    login_user(SessionUser(person.id))
    session.pop("_fresh", None)
    _session().rotate()


def sign_out() -> None:
    """End the session."""
    logout_user()
    _session().clear()
    _session().rotate()


def session_digest() -> str:
    """Return what is stored of the present session's id."""
    return sessions.digest(_session().session_id)


def context_for() -> Context:
    """Return the Context of this request: the bearer's, the session's, or anonymous.

    Made once a request. Raises: BadCredentials for a bearer token that is not a live one, even
    where anonymous would do: a script should learn that its token is dead.
    """
    if "context" not in g:
        g.context = new_context(_bearer() or _session_actor())
    found: Context = g.context
    return found


def bearer_context() -> Context:
    """Return the Context of an API call: the bearer's or anonymous; a cookie counts for nothing.

    Raises: BadCredentials, as `context_for`.
    """
    if "bearer_context" not in g:
        request.get_data()  # to the end first: a token revoked while a slow body comes in is dead
        g.bearer_context = new_context(_bearer() or ANONYMOUS)
    found: Context = g.bearer_context
    return found


def session_context() -> Context:
    """Return the Context of a page: session or anonymous, whatever the Authorization header."""
    if "page_context" not in g:
        g.page_context = new_context(_session_actor())
    found: Context = g.page_context
    return found


def session_now() -> Context:
    """Return who the session's person is at this moment, not at the request's beginning."""
    row = sessions.find(house(), new_context(SYSTEM), _session().session_id)
    is_there = row is not None and row.person_id is not None
    actor = Actor(ActorKind.PERSON, row.person_id) if row and is_there else ANONYMOUS
    return new_context(actor)


def bearer_now() -> Context:
    """Return whose the token is at this moment; the body stays unread. Raises: BadCredentials."""
    g.bearer_now = new_context(_bearer() or ANONYMOUS)
    found: Context = g.bearer_now
    return found


def _bearer() -> Actor | None:
    header = request.headers.get("Authorization")
    return bearer(house(), new_context(ANONYMOUS), header) if header is not None else None


def bearer(house: House, ctx: Context, header: str) -> Actor:
    """Return whom an Authorization header speaks for; raises BadCredentials for any but a token."""
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer":
        raise BadCredentials("use Authorization: Bearer gk_...")
    token = tokens.bearer(house, ctx, text.strip())
    return Actor(ActorKind.PERSON, token.person_id, token.scope, token.id)


def _session_actor() -> Actor:
    if not current_user.is_authenticated:
        return ANONYMOUS
    return Actor(ActorKind.PERSON, PersonId(current_user.get_id()))


def _session() -> ServerSession:
    found = session._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    assert isinstance(found, ServerSession)  # noqa: S101  our interface made it
    return found


def _new_session_id(ctx: Context) -> str:
    return base64.urlsafe_b64encode(ctx.fresh(32)).rstrip(b"=").decode()
