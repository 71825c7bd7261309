"""What a client may send in a body."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from gatekeeper.domain.applications import Outcome, RejectReason
from gatekeeper.domain.grants import EndReason
from gatekeeper.services.applications.decisions import VerdictKind
from gatekeeper.web.api.wire.shapes import Body, FullName, Line, Prose

Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Purpose = Annotated[Prose, StringConstraints(max_length=4000)]
Summary = Annotated[Prose, StringConstraints(max_length=1000)]
Path = Annotated[Line, StringConstraints(min_length=1, max_length=512)]
Name = Annotated[Line, StringConstraints(max_length=80)]
# A ticked checkbox may be sent as `true`; it is kept as the form's "yes".
Answers = Annotated[dict[Name, Prose | bool], Field(max_length=100)]


def _check_outcome(text: str) -> str:
    word, colon, day = text.partition(":")
    if word not in set(Outcome) or bool(colon) != (word == Outcome.AFTER):
        raise ValueError("one of fixable, after:<YYYY-MM-DD>, appealable, final")
    if colon:
        date.fromisoformat(day)
    return text


class NewAcceptance(Body):
    """The terms a person accepts: digest of the text shown, clauses ticked, name typed."""

    sha256: Annotated[Line, StringConstraints(max_length=128)]
    clauses: Annotated[tuple[Line, ...], Field(max_length=200)]
    typed_name: Line
    model: FullName | None = None


class NewApplication(Body):
    """A draft for models of one owner; it may be incomplete until it is submitted."""

    models: Annotated[tuple[FullName, ...], Field(min_length=1, max_length=10)]
    purpose: Purpose = ""
    answers: Answers = Field(default_factory=dict)
    public_summary: Summary = ""


class ChangedApplication(Body):
    """What to change in a draft, or in what was sent after a question; the rest stays."""

    version: Version
    purpose: Purpose | None = None
    answers: Answers | None = None
    public_summary: Summary | None = None


class Seen(Body):
    """The version of the application that was looked at."""

    version: Version


class Submission(Seen):
    """The version that was looked at, and a message to the reviewers that goes with it."""

    message: Prose = ""


class NewMessage(Body):
    """A message of the thread; `internal` ones are for staff alone."""

    text: Annotated[Prose, StringConstraints(min_length=1)]
    internal: bool = False


class NewDecision(Body):
    """A decision on an application; `note` is what the applicant reads (staff, for `return`)."""

    verdict: VerdictKind
    version: Version
    reason: RejectReason | None = None
    note: Prose = ""
    ends_on: date | None = None
    outcome: Annotated[Line, AfterValidator(_check_outcome)] | None = None
    override_note: Prose = ""
    fields: Annotated[tuple[Name, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _belongs_together(self) -> NewDecision:
        """Refuse what the verdict would ignore: nobody should believe it was recorded."""
        is_reject = self.verdict is VerdictKind.REJECT
        if not is_reject and (self.reason is not None or self.outcome is not None):
            raise ValueError("reason and outcome go with the verdict reject alone")
        if self.ends_on is not None and self.verdict is not VerdictKind.APPROVE:
            raise ValueError("ends_on goes with the verdict approve alone")
        if self.fields and self.verdict is not VerdictKind.ASK:
            raise ValueError("fields go with the verdict ask alone")
        return self

    @property
    def way_back(self) -> tuple[Outcome, date | None]:
        """Return the outcome and its day; a refusal that names none can be mended."""
        word, _, day = (self.outcome or Outcome.FIXABLE).partition(":")
        return Outcome(word), date.fromisoformat(day) if day else None


class GrantChange(Body):
    """Why a grant is suspended, reinstated, revoked or given back."""

    reason: EndReason | None = None
    note: Annotated[Prose, StringConstraints(max_length=4000)] = ""


class NewLink(Body):
    """The file a signed link is wanted for; `revision` is a branch, a tag or a commit id."""

    model: FullName
    revision: Annotated[Line, StringConstraints(min_length=1, max_length=200)] = "main"
    path: Path


def written(answers: dict[str, str | bool] | None) -> dict[str, str] | None:
    """Return answers as forms keep them: a ticked box is "yes", an empty one is ""."""
    if answers is None:
        return None
    return {
        name: answer if isinstance(answer, str) else "yes" if answer else ""
        for name, answer in answers.items()
    }
