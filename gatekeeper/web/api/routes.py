"""Every call of the JSON API v1: one module a noun, each call a thin caller of one service verb.

Every button of a page has its twin here, and both call the same verb; which pages have none, and
why, stands in docs/api.md. Not here: proofs and checkpoints of the ledger.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from flask_limiter import Limiter, RateLimitExceeded
from werkzeug.exceptions import NotFound

from gatekeeper.web import limits
from gatekeeper.web.api import (
    openapi,
    routes_agreements,
    routes_applications,
    routes_audit,
    routes_catalogue,
    routes_document,
    routes_grants,
    routes_links,
    routes_mail,
    routes_me,
    routes_uploads,
)

NOUNS = (
    routes_me.noun,
    routes_catalogue.noun,
    routes_agreements.noun,
    routes_applications.noun,
    routes_grants.noun,
    routes_links.noun,
    routes_uploads.noun,
    routes_audit.noun,
    routes_mail.noun,
    routes_document.noun,
)
PREFIX = "/api/v1"
blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
for noun in NOUNS:
    blueprint.register_blueprint(noun.blueprint)


@cache
def document() -> Mapping[str, Any]:
    """Return the OpenAPI document of every call; written once a process, and not to be changed."""
    return openapi.write(PREFIX, NOUNS)


@blueprint.before_request
def refuse_unspeakable_names() -> None:
    """Answer 404 to a name with control characters: none of ours holds one, nor a database text."""
    for value in (request.view_args or {}).values():
        if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in str(value)):
            raise NotFound


def install(app: Flask, limit: str) -> None:
    """Put the API into the application; `limit` counts every call of one address together.

    Every answer says how many are left; Flask-Limiter would put Retry-After on each of them, too.
    """
    app.register_blueprint(blueprint)
    limiter = limits.limiter(app)
    app.extensions["gatekeeper-api-limiter"] = limiter  # its wrappers hold it weakly

    @limiter.shared_limit(limit, scope="api")
    def count() -> None:
        """Count one call; raises RateLimitExceeded."""

    @app.before_request
    def count_calls() -> None:
        if request.path.startswith(f"{PREFIX}/"):
            try:
                count()
            except RateLimitExceeded:
                g.api_limit = _told(limiter) | {"Retry-After": str(limits.seconds_left())}
                raise
            g.api_limit = _told(limiter)

    @app.after_request
    def tell_limit(response: Response) -> Response:
        response.headers.update(g.get("api_limit", {}))
        return response


def _told(limiter: Limiter) -> dict[str, str]:
    now = limiter.current_limit
    if now is None:
        return {}
    return {
        "X-RateLimit-Limit": str(now.limit.amount),
        "X-RateLimit-Remaining": str(max(0, now.remaining)),
        "X-RateLimit-Reset": str(now.reset_at),
    }
