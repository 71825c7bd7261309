"""Every call of the JSON API v1: one module a noun, each call a thin caller of one service verb.

Every button of a page has its twin here, and both call the same verb. Not here: the OpenAPI
document, and proofs and checkpoints of the ledger.
"""

from __future__ import annotations

import unicodedata

from flask import Blueprint, Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from werkzeug.exceptions import NotFound

from gatekeeper.web.api import (
    routes_agreements,
    routes_applications,
    routes_audit,
    routes_catalogue,
    routes_grants,
    routes_links,
    routes_me,
)

NOUNS = (
    routes_me.noun,
    routes_catalogue.noun,
    routes_agreements.noun,
    routes_applications.noun,
    routes_grants.noun,
    routes_links.noun,
    routes_audit.noun,
)
blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
for noun in NOUNS:
    blueprint.register_blueprint(noun.blueprint)


@blueprint.before_request
def refuse_unspeakable_names() -> None:
    """Answer 404 to a name with control characters: none of ours holds one, nor a database text."""
    for value in (request.view_args or {}).values():
        if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in str(value)):
            raise NotFound


def install(app: Flask, limit: str) -> None:
    """Put the API into the application; `limit` counts every call of one address together."""
    app.register_blueprint(blueprint)
    limiter = Limiter(get_remote_address, app=app)
    app.extensions["gatekeeper-api-limiter"] = limiter  # its wrappers hold it weakly

    @limiter.shared_limit(limit, scope="api")
    def count() -> None:
        """Count one call; raises RateLimitExceeded."""

    @app.before_request
    def count_calls() -> None:
        if request.path.startswith("/api/v1/"):
            count()
