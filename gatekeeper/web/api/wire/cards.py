"""What the import of a card takes, and what it answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from gatekeeper.web.api.wire.answers import Form, TermsClause
from gatekeeper.web.api.wire.shapes import Answer, Body, Line


class NewImport(Body):
    """Which card is read, and whether only to say what would change."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"revision": "main", "dry_run": True}]}
    )

    revision: Annotated[Line, StringConstraints(min_length=1, max_length=200)] = Field(
        "main", description="A branch, a tag or a commit id."
    )
    dry_run: bool = Field(False, description="Change nothing.")


class ImportedTerms(Answer):
    """The agreement that the card's prompt came to; `is_new` when this is another text of it."""

    id: str
    version: int
    title: str
    intro: str
    clauses: tuple[TermsClause, ...]
    is_new: bool


class Import(Answer):
    """What changed, or would; `agreement` and `form` are null where the card leaves them alone.

    `notes` say what was not taken over, and why.
    """

    model: str
    revision: str
    dry_run: bool
    changed: bool
    tier_before: str
    tier: str
    agreement: ImportedTerms | None
    form: Form | None
    notes: tuple[str, ...]
