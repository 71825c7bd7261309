"""The JSON API for people: every call and every shape, read from the document that programs get.

Nothing about a call is written here, so that the pages cannot say what the API does not do. Not
here: the document itself (web/api/openapi), and the API in prose (docs/api.md).
"""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from gatekeeper.web.pages import reference_page
from gatekeeper.web.pages.frame import page
from gatekeeper.web.pages.markdown import markdown
from gatekeeper.web.wiring import house, wiring

blueprint = Blueprint("reference", __name__)


@blueprint.get("/docs/api")
def index() -> ResponseReturnValue:
    """Show every call, by what it is about."""
    document = wiring().api_document
    groups = reference_page.groups(document)
    return page(
        "reference/index.html",
        about=markdown(document["info"]["description"]),
        scopes=markdown(document["components"]["securitySchemes"]["token"]["description"]),
        tabs=[("begin", "Begin"), ("problems", "Problems")]
        + [(group.name, group.name.capitalize()) for group in groups],
        key=markdown(document["components"]["parameters"]["Idempotency-Key"]["description"]),
        groups=groups,
        problems=reference_page.problems(document),
        base=f"{house().policy.public_url}/api/v1",
    )


@blueprint.get("/docs/api/shapes")
def shapes() -> ResponseReturnValue:
    """Show the keys of everything that is sent and answered."""
    return page("reference/shapes.html", shapes=reference_page.shapes(wiring().api_document))
