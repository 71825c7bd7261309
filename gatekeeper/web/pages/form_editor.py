"""An application form while its owner changes it: what was typed, rows moved, what it comes to.

Every button of the editor posts all of it, so that it works without a script; nothing is stored on
the way. Not here: what a form may ask (domain/forms), saving it (own).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gatekeeper.domain.errors import invalid
from gatekeeper.domain.forms import MAX_FIELDS, USUAL_ANSWER_CHARS, WRITTEN, Field, FieldType, Form

TYPES: Mapping[FieldType, str] = {
    FieldType.TEXT: "One line",
    FieldType.LONG_TEXT: "Several lines",
    FieldType.CHOICE: "One of several",
    FieldType.CHECKBOX: "A box to tick",
    FieldType.DATE: "A date",
    FieldType.COUNTRY: "A country",
    FieldType.ADDRESS: "A postal address",
}
_PARTS = {
    "name": "name",
    "type": "kind of answer",
    "label": "question",
    "help": "help",
    "options": "options",
    "max_chars": "longest answer",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One row as it was typed; `options` stand one a line."""

    name: str = ""
    type: str = FieldType.TEXT
    label: str = ""
    help: str = ""
    required: bool = True
    options: str = ""
    max_chars: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        """The options, trimmed, without empty lines."""
        return tuple(line.strip() for line in self.options.split("\n") if line.strip())

    @property
    def longest(self) -> int:
        """The longest answer in characters; 0 for what is no number."""
        text = self.max_chars.strip()
        if not text:
            return USUAL_ANSWER_CHARS
        return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0

    @property
    def is_written(self) -> bool:
        """Say whether the answer is free text."""
        return self.type in WRITTEN


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands in the editor; `seen` is the digest of the form it began from, '' for none."""

    title: str
    intro: str
    questions: Sequence[Question]
    seen: str


def sheet_of(form: Form | None, sha256: str | None) -> Sheet:
    """Return the form in force, or an empty sheet with one question."""
    if form is None:
        return Sheet("", "", [Question()], sha256 or "")
    return Sheet(form.title, form.intro, [_question(field) for field in form.fields], sha256 or "")


def _question(field: Field) -> Question:
    return Question(
        name=field.name,
        type=field.type,
        label=field.label,
        help=field.help,
        required=field.required,
        options="\n".join(field.options),
        max_chars=str(field.max_chars),
    )


def read(posted: Mapping[str, str]) -> Sheet:
    """Read what was posted; one question more than there may be is enough to say so."""
    rows: list[Question] = []
    while f"field.{len(rows)}.name" in posted and len(rows) <= MAX_FIELDS:
        row = f"field.{len(rows)}."
        texts = {part: _text(posted, row + part) for part in _PARTS}
        rows.append(Question(**texts, required=row + "required" in posted))
    return Sheet(_text(posted, "title"), _text(posted, "intro"), rows, posted.get("seen", ""))


def _text(posted: Mapping[str, str], name: str) -> str:
    # Browsers write each line end of a textarea as CR LF.
    return posted.get(name, "").replace("\r\n", "\n")


def rearranged(sheet: Sheet, act: str) -> tuple[Sheet, int | None]:
    """Return the sheet after `add`, `remove-2`, `up-2` or `down-2`, and the row to go on with."""
    rows = list(sheet.questions)
    what, _, place = act.partition("-")
    at = int(place) if place.isascii() and place.isdigit() and len(place) < 4 else -1
    if what == "add":
        rows.append(Question())
        return replace(sheet, questions=rows), len(rows) - 1
    if not 0 <= at < len(rows):
        return sheet, None
    row = rows.pop(at)
    if what == "remove":
        return replace(sheet, questions=rows), None
    to = max(0, at + {"up": -1, "down": 1}.get(what, 0))
    rows.insert(to, row)
    return replace(sheet, questions=rows), to


def form_of(sheet: Sheet) -> Form:
    """Return the form that was typed, whatever is wrong with it; raises Invalid for no known type.

    Blanks around a line, and several in it, are the typist's and not meant.
    """
    return Form(
        title=_line(sheet.title),
        intro=sheet.intro.strip(),
        fields=tuple(_field(place, row) for place, row in enumerate(sheet.questions)),
    )


def _field(place: int, row: Question) -> Field:
    kind = next((k for k in FieldType if k == row.type), None)
    if kind is None:
        raise invalid(f"field.{place}.type", "choose one of the kinds")
    return Field(
        name=row.name.strip(),
        type=kind,
        label=_line(row.label),
        help=row.help.strip(),
        required=row.required,
        options=row.choices,
        max_chars=row.longest,
    )


def _line(text: str) -> str:
    return " ".join(text.split())


def labels(sheet: Sheet) -> dict[str, str]:
    """Return how what is wrong with each part is called."""
    rows = range(len(sheet.questions))
    parts = {
        f"field.{n}.{p}": f"Question {n + 1}, {word}" for n in rows for p, word in _PARTS.items()
    }
    return {"title": "Title", "intro": "Introduction", "field": "Questions", **parts}
