"""What a refused or failed call is answered (RFC 9457, application/problem+json)."""

from __future__ import annotations

from enum import StrEnum

from pydantic import ConfigDict

from gatekeeper.domain.access import Reason
from gatekeeper.web.api.wire.shapes import Answer


class Fault(StrEnum):
    """What is wrong with a call, where it is not that access is refused."""

    TOKEN_INVALID = "token_invalid"  # noqa: S105  the name of a reason
    INVALID = "invalid"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"


class NextStep(Answer):
    """What to do about it, and the page of this site to do it on (a path), where there is one."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    text: str
    page: str | None = None


class FieldProblem(Answer):
    """One thing wrong with one field of the body or the query."""

    field: str
    detail: str


class Problem(Answer):
    """A problem; `code` is one of the reasons of interface.md, `title` the status in words.

    `errors` come with `invalid`, `state` and `version` with `conflict`, `sha256` (of the text in
    force) with `terms_outdated`.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    type: str = "about:blank"
    title: str
    status: int
    code: Reason | Fault
    detail: str
    next_step: NextStep
    errors: tuple[FieldProblem, ...] | None = None
    state: str | None = None
    version: int | None = None
    sha256: str | None = None
