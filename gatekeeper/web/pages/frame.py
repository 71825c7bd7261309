"""What every page shares: the values of base.html, notices after a redirect, and sign-in first.

Page modules take `page`, `notify`, `signed_in` and `viewer` from here. Not here: which blueprints
there are and their rate limits (routes), how errors look (errors).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec

from flask import Flask, abort, g, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from jinja2 import StrictUndefined
from markupsafe import Markup

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.people import Person, SiteRole
from gatekeeper.services.applications import reading
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import filters
from gatekeeper.web.wiring import house

_P = ParamSpec("_P")
_NOTICE = "notice"
_AUDITORS = frozenset({SiteRole.COMPLIANCE, SiteRole.ADMIN})
# One "/", then no second one, no backslash and no control character: a path of this site.
_OWN_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,2000}")
_NAV = {"catalogue": "releases", "own": "releases", "uploads": "releases", "apply": "applications"}


@dataclass(frozen=True, slots=True)
class Site:
    """The site as base.html names it."""

    title: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """The signed-in person as every page shows them."""

    person: Person
    is_staff: bool
    is_auditor: bool
    is_admin: bool
    queue_open: int

    @property
    def name(self) -> str:
        """Return the full name."""
        return self.person.name

    @property
    def username(self) -> str:
        """Return the username."""
        return self.person.username

    @property
    def initials(self) -> str:
        """Return the letters of the avatar."""
        return filters.initials(self.person.name)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message above a page after a redirect; `kind` is ok, info, warn or bad."""

    kind: str
    title: str
    text: str


def install(app: Flask, blueprints: frozenset[str]) -> None:
    """Give templates their values and filters; check what reaches these blueprints: CSRF, NULs."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters.update(filters.FILTERS, ago=_ago)
    app.context_processor(_values)
    csrf = CSRFProtect(app)

    @app.before_request
    def check_request() -> None:
        if request.blueprint in blueprints:
            if _has_nul():
                abort(400)
            csrf.protect()


def _has_nul() -> bool:
    """Say whether a NUL was sent: no text holds one, and Postgres refuses to store it."""
    texts = (request.path, *request.values.values())
    return any("\x00" in text for text in texts)


def number(name: str) -> int | None:
    """Return a number of the address that a database can hold; None for anything else."""
    found = request.args.get(name, type=int)
    return found if found is not None and 0 <= found < 1 << 63 else None


def page(template: str, **values: Any) -> str:
    """Render a page; a notice left by the request before stands above it."""
    if _NOTICE not in values and _NOTICE in session:
        values[_NOTICE] = Notice(*session.pop(_NOTICE))
    return render_template(template, **values)


def notify(kind: str, title: str, text: str = "") -> None:
    """Leave a message for the next page this browser gets."""
    session[_NOTICE] = (kind, title, text)


def see(path: str) -> ResponseReturnValue:
    """Send the browser to a page of this site after a POST (303)."""
    return redirect(own_path(path), 303)


def own_path(path: str | None, otherwise: str = "/") -> str:
    """Return the path if it is one of this site, `otherwise` for anything else."""
    return path if path is not None and _OWN_PATH.fullmatch(path) else otherwise


def signed_in(
    view: Callable[_P, ResponseReturnValue],
) -> Callable[_P, ResponseReturnValue]:
    """Refuse anonymous visitors; a GET sends them to sign in and back (errors)."""

    @wraps(view)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> ResponseReturnValue:
        if viewer() is None:
            raise Refused(Reason.NO_ACCOUNT)
        return view(*args, **kwargs)

    return guarded


def viewer() -> Viewer | None:
    """Return who is signed in, read once a request; None for anybody else."""
    if "viewer" not in g:
        desk = reading.desk(house(), session_context())
        g.viewer = desk and Viewer(
            person=desk.person,
            is_staff=desk.queue_open is not None,
            is_auditor=bool(desk.person.site_roles & _AUDITORS),
            is_admin=SiteRole.ADMIN in desk.person.site_roles,
            queue_open=desk.queue_open or 0,
        )
    found: Viewer | None = g.viewer
    return found


def _values() -> dict[str, Any]:
    name = request.blueprint or ""
    return {
        "site": Site(house().policy.site_title),
        "viewer": viewer(),
        "nav": _NAV.get(name, name),
        "now": session_context().now,
    }


def _ago(at: datetime) -> Markup:
    return filters.ago(at, session_context().now)
