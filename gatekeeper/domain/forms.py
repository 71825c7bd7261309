"""Application forms as data: what an owner may ask, and the check of answers against it.

Forms come from a TOML file or a page; both are held to `check_form`. A draft may break every rule
of its form (errors are warnings until it is submitted).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum

from gatekeeper.domain.errors import FieldError

MAX_ANSWER_CHARS = 8000
USUAL_ANSWER_CHARS = 4000
MAX_FIELDS = 20
MAX_TITLE_CHARS = 120
MAX_INTRO_CHARS = 2000
MAX_LABEL_CHARS = 300
MAX_HELP_CHARS = 1000
MAX_OPTIONS = 50
MAX_OPTION_CHARS = 200


class FieldType(StrEnum):
    """How a field is asked and checked."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    CHOICE = "choice"
    CHECKBOX = "checkbox"
    DATE = "date"
    COUNTRY = "country"
    ADDRESS = "address"


# What is answered in the person's own words; `max_chars` counts for these alone.
WRITTEN = frozenset({FieldType.TEXT, FieldType.LONG_TEXT, FieldType.ADDRESS})


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form."""

    name: str
    type: FieldType
    label: str
    help: str = ""
    required: bool = True
    options: tuple[str, ...] = ()
    max_chars: int = USUAL_ANSWER_CHARS


@dataclass(frozen=True, slots=True)
class Form:
    """The questions a model's owner asks."""

    title: str
    intro: str
    fields: tuple[Field, ...]


def write_form(form: Form) -> str:
    """Write a form as canonical JSON: the text its digest is taken of."""
    return json.dumps(asdict(form), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read_form(text: str) -> Form:
    """Read what `write_form` wrote."""
    raw = json.loads(text)
    rows = [
        {**row, "type": FieldType(row["type"]), "options": tuple(row["options"])}
        for row in raw["fields"]
    ]
    return Form(raw["title"], raw["intro"], tuple(Field(**row) for row in rows))


_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def check_form(form: Form) -> tuple[FieldError, ...]:
    """Return what keeps a form from being asked; empty when nothing does.

    What is wrong with a question is named by its place, from 0: `field.0.label`.
    """
    if not 1 <= len(form.fields) <= MAX_FIELDS:
        return (
            FieldError("field", f"ask 1 to {MAX_FIELDS} questions; these are {len(form.fields)}"),
        )
    errors = [
        FieldError("title", _check_line(form.title, MAX_TITLE_CHARS)),
        FieldError("intro", _check_length(form.intro, MAX_INTRO_CHARS)),
    ]
    for place, field in enumerate(form.fields):
        earlier = {f.name for f in form.fields[:place]}
        errors += [
            FieldError(f"field.{place}.{part}", d) for part, d in _check_field(field, earlier)
        ]
    return tuple(error for error in errors if error.detail)


def _check_field(field: Field, earlier: Collection[str]) -> Iterator[tuple[str, str]]:
    yield "label", _check_line(field.label, MAX_LABEL_CHARS)
    yield "help", _check_length(field.help, MAX_HELP_CHARS)
    yield "options", _check_options(field)
    if not 1 <= field.max_chars <= MAX_ANSWER_CHARS:
        yield "max_chars", f"write a number from 1 to {MAX_ANSWER_CHARS}"
    if not _NAME.fullmatch(field.name):
        yield "name", "use 1 to 40 of a-z, 0-9 and '_', beginning with a letter"
    elif field.name in earlier:
        yield "name", "another question has this name"


def _check_options(field: Field) -> str:
    options = field.options
    if field.type is not FieldType.CHOICE:
        return "only a choice has options" if options else ""
    if not 1 <= len(options) <= MAX_OPTIONS or len(set(options)) < len(options):
        return f"write 1 to {MAX_OPTIONS} options, each once"
    if any(option != option.strip() for option in options):  # answers are compared trimmed
        return "an option neither begins nor ends with a blank"
    return next(filter(None, (_check_line(option, MAX_OPTION_CHARS) for option in options)), "")


def _check_line(text: str, most: int) -> str:
    if 1 <= len(text) <= most and text.strip() and not any(c < " " or c == "\x7f" for c in text):
        return ""
    return f"write 1 to {most} characters, on one line"


def _check_length(text: str, most: int) -> str:
    return "" if len(text) <= most else f"at most {most} characters; this has {len(text)}"


def check_answers(
    fields: Sequence[Field], answers: Mapping[str, str], countries: frozenset[str]
) -> tuple[FieldError, ...]:
    """Return what keeps the answers from being submitted; empty when nothing does."""
    known = {f.name for f in fields}
    errors = [
        FieldError(name[:80], "this form has no such field")
        for name in answers
        if name not in known
    ]
    for field in fields:
        detail = _check_answer(field, answers.get(field.name, "").strip(), countries)
        if detail:
            errors.append(FieldError(field.name, detail))
    return tuple(errors)


def _check_answer(  # noqa: C901  one column of field types reads better than two
    field: Field, answer: str, countries: frozenset[str]
) -> str:
    if not answer:
        return "an answer is needed" if field.required else ""
    if field.type in WRITTEN and len(answer) > field.max_chars:
        return f"at most {field.max_chars} characters; this has {len(answer)}"
    match field.type:
        case FieldType.CHOICE:
            return "" if answer in field.options else "choose one of the options"
        case FieldType.CHECKBOX:
            return "" if answer == "yes" else "tick the box"
        case FieldType.DATE:
            return "" if _is_date(answer) else "write a date as YYYY-MM-DD"
        case FieldType.COUNTRY:
            return "" if answer in countries else "choose a country from the list"
        case FieldType.TEXT:
            return "" if "\n" not in answer else "one line only"
        case FieldType.LONG_TEXT | FieldType.ADDRESS:
            return ""


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10
