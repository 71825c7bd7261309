"""What a client may send in a body."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from gatekeeper.domain.applications import Outcome, RejectReason
from gatekeeper.domain.forms import (
    MAX_ANSWER_CHARS,
    MAX_FIELDS,
    MAX_HELP_CHARS,
    MAX_INTRO_CHARS,
    MAX_LABEL_CHARS,
    MAX_OPTION_CHARS,
    MAX_OPTIONS,
    MAX_TITLE_CHARS,
    USUAL_ANSWER_CHARS,
    FieldType,
    Form,
)
from gatekeeper.domain.forms import Field as FormField
from gatekeeper.domain.grants import EndReason
from gatekeeper.services.applications.decisions import VerdictKind
from gatekeeper.web.api.wire.shapes import Body, FullName, Line, Path, Prose

Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]
Purpose = Annotated[Prose, StringConstraints(max_length=4000)]
Summary = Annotated[Prose, StringConstraints(max_length=1000)]
Name = Annotated[Line, StringConstraints(max_length=80)]
# A ticked checkbox may be sent as `true`; it is kept as the form's "yes".
Answers = Annotated[dict[Name, Prose | bool], Field(max_length=100)]

_SEEN = "The application's version that you looked at."
_WAY_BACK = re.compile("fixable|appealable|final|after:[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _like(example: dict[str, Any]) -> ConfigDict:
    """Give a body the example that the document shows."""
    return ConfigDict(json_schema_extra={"examples": [example]})


def _says(words: str, usual: Any = ...) -> Any:
    """Return a field with the words that the document has for it."""
    return Field(usual, description=words)


def _check_outcome(text: str) -> str:
    if not _WAY_BACK.fullmatch(text):
        raise ValueError("one of fixable, after:<YYYY-MM-DD>, appealable, final")
    if text.startswith(Outcome.AFTER):
        date.fromisoformat(text.partition(":")[2])
    return text


WayBack = Annotated[
    Line,
    AfterValidator(_check_outcome),
    WithJsonSchema(
        {"type": "string", "pattern": f"^({_WAY_BACK.pattern})$", "examples": ["after:2027-01-31"]}
    ),
]


class NoBody(Body):
    """Nothing, or no key at all: the address says everything."""

    model_config = _like({})


class NewAcceptance(Body):
    """The terms a person accepts: digest of the text shown, clauses ticked, name typed."""

    model_config = _like(
        {
            "sha256": "the sha256 of the version in force",
            "clauses": ["1", "2", "3"],
            "typed_name": "Ada Example",
        }
    )

    sha256: Annotated[Line, StringConstraints(max_length=128)] = _says("The version's `sha256`.")
    clauses: Annotated[tuple[Line, ...], Field(max_length=200)] = _says("The id of every clause.")
    typed_name: Line = _says("Your full name, as in your account.")
    model: FullName | None = _says("Grant this model alone, of those it completes.", None)


class NewApplication(Body):
    """A draft for models of one owner; it may be incomplete until it is submitted."""

    model_config = _like(
        {
            "models": ["northfield/lyra-1558m"],
            "purpose": "Measuring how well detectors tell its text from ours.",
            "answers": {
                "purpose_kind": "Detection and defence",
                "study": "Two readers judge each text; the order is drawn by lot.",
                "why_not_open": "Detectors fail first on the largest model.",
                "safeguards": "One encrypted disk, three people, deleted at the end.",
                "end_date": "2027-06-30",
                "country": "DE",
                "institution": "Institute, Example Street 1, 10115 Berlin",
                "publish_results": True,
            },
            "public_summary": "A study of detectors.",
        }
    )

    models: Annotated[tuple[FullName, ...], Field(min_length=1, max_length=10)] = _says(
        "What you ask for: models of one namespace that ask the same form."
    )
    purpose: Purpose = _says("What you want to do with it.", "")
    answers: Answers = _says("By the name of a field; `true` ticks a box.", {})
    public_summary: Summary = _says("What may be published about it.", "")


class ChangedApplication(Body):
    """What to change in a draft, or in what was sent after a question; the rest stays."""

    model_config = _like({"version": 1, "purpose": "Measuring detectors on its text."})

    version: Version = _says(_SEEN)
    purpose: Purpose | None = _says("What you want to do with it.", None)
    answers: Answers | None = _says("All of them, by the name of a field.", None)
    public_summary: Summary | None = _says("What may be published about it.", None)


class Seen(Body):
    """The version of the application that was looked at."""

    model_config = _like({"version": 1})

    version: Version = _says(_SEEN)


class Submission(Seen):
    """The version that was looked at, and a message to the reviewers that goes with it."""

    model_config = _like({"version": 1, "message": ""})

    message: Prose = _says("Stands in the thread, for both sides.", "")


class NewMessage(Body):
    """A message of the thread; `internal` ones are for staff alone."""

    model_config = _like({"text": "Which detectors do you mean?", "internal": False})

    text: Annotated[Prose, StringConstraints(min_length=1)] = _says("What you write.")
    internal: bool = _says("A note for staff alone.", False)


class NewDecision(Body):
    """A decision on an application; `note` is what the applicant reads (staff, for `return`)."""

    model_config = _like({"verdict": "approve", "version": 3, "note": "Welcome."})

    verdict: VerdictKind = _says(
        "`return` exists from `second_approval` alone, `reopen` once it is decided."
    )
    version: Version = _says(_SEEN)
    reason: RejectReason | None = _says("Why, with `reject`.", None)
    note: Prose = _says("What the applicant reads; with `return`, staff.", "")
    ends_on: date | None = _says("The last day of the grant, with `approve`.", None)
    outcome: WayBack | None = _says("The way back, with `reject`; usually `fixable`.", None)
    override_note: Prose = _says("Why you may decide though you share a mail domain.", "")
    fields: Annotated[tuple[Name, ...], Field(max_length=20)] = _says(
        "The answers you ask about, with `ask`.", ()
    )

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

    model_config = _like({"reason": "leak", "note": "Weights were seen on a public host."})

    reason: EndReason | None = _says("Why; needed to revoke and to suspend.", None)
    note: Annotated[Prose, StringConstraints(max_length=4000)] = _says("For the record.", "")


class Question(Body):
    """One question of a form; `options` go with `choice`, `max_chars` with what is written."""

    name: Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,39}$")]
    type: FieldType
    label: Annotated[Line, StringConstraints(min_length=1, max_length=MAX_LABEL_CHARS)]
    help: Annotated[Prose, StringConstraints(max_length=MAX_HELP_CHARS)] = ""
    required: bool = True
    options: Annotated[
        tuple[Annotated[Line, StringConstraints(min_length=1, max_length=MAX_OPTION_CHARS)], ...],
        Field(max_length=MAX_OPTIONS),
    ] = ()
    max_chars: Annotated[int, Field(ge=1, le=MAX_ANSWER_CHARS)] = USUAL_ANSWER_CHARS


class Questions(Body):
    """A form: what whoever applies is asked."""

    title: Annotated[Line, StringConstraints(min_length=1, max_length=MAX_TITLE_CHARS)]
    intro: Annotated[Prose, StringConstraints(max_length=MAX_INTRO_CHARS)] = ""
    fields: Annotated[tuple[Question, ...], Field(min_length=1, max_length=MAX_FIELDS)]


class ChosenTier(Body):
    """The tier of a model."""

    model_config = _like({"tier": "T3"})

    tier: Name = _says("The code of a tier, `T0` to `T5`.")


class NewModelTier(Body):
    """The tier of models that clients make in a namespace."""

    model_config = _like({"tier": "T3"})

    tier: Name | None = _says("The code of a tier; null to decide about each model.")


class ChangedForm(Body):
    """The form a model asks from now on, null for none; `seen` names the one it replaces."""

    model_config = _like(
        {
            "form": {
                "title": "About your study",
                "fields": [{"name": "study", "type": "long_text", "label": "What do you study?"}],
            },
            "seen": "the sha256 of the form in force, or null",
        }
    )

    form: Questions | None = _says("The questions, or null for no form.")
    seen: Annotated[Line, StringConstraints(max_length=64)] | None = _says(
        "`form.sha256` of the model as you saw it, null if it asked none."
    )

    @property
    def typed(self) -> Form | None:
        """Return the form as the house knows it."""
        if self.form is None:
            return None
        fields = tuple(FormField(**dict(question)) for question in self.form.fields)
        return Form(self.form.title, self.form.intro, fields)


class NewLink(Body):
    """The file a signed link is wanted for; `revision` is a branch, a tag or a commit id."""

    model_config = _like(
        {"model": "northfield/lyra-1558m", "revision": "main", "path": "config.json"}
    )

    model: FullName = _says("The model.")
    revision: Annotated[Line, StringConstraints(min_length=1, max_length=200)] = _says(
        "A branch, a tag or a commit id.", "main"
    )
    path: Path = _says("The file's path in it.")


class Retry(Body):
    """Which mails are tried again; all that were given up where none is named."""

    model_config = _like({"mail": [17]})

    mail: Annotated[tuple[Number, ...], Field(min_length=1, max_length=1000)] | None = _says(
        "The ids of the mails.", None
    )


def written(answers: dict[str, str | bool] | None) -> dict[str, str] | None:
    """Return answers as forms keep them: a ticked box is "yes", an empty one is ""."""
    if answers is None:
        return None
    return {
        name: answer if isinstance(answer, str) else "yes" if answer else ""
        for name, answer in answers.items()
    }
