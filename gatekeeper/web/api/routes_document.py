"""The API's own description."""

from __future__ import annotations

from gatekeeper.domain.people import Context
from gatekeeper.web.api.calls import Noun
from gatekeeper.web.api.wire.answers import Document
from gatekeeper.web.wiring import wiring

noun = Noun("document", "This description, for programs; people read it at `/docs/api`.")


@noun.get("/openapi.json", scope=None)
def show_document(_ctx: Context) -> Document:
    """Return the OpenAPI document of every call."""
    return Document.model_validate(wiring().api_document)
