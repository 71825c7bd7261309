"""What a refused or failed call is answered (RFC 9457, application/problem+json)."""

from __future__ import annotations

from gatekeeper.web.api.wire.shapes import Answer


class NextStep(Answer):
    """What to do about it, and the page of this site to do it on (a path), where there is one."""

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

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    next_step: NextStep
    errors: tuple[FieldProblem, ...] | None = None
    state: str | None = None
    version: int | None = None
    sha256: str | None = None
