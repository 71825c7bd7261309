"""Application forms as data: fields an owner designs, and the check of answers against them.

A draft may break every rule here (errors are warnings until it is submitted).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum

from gatekeeper.domain.errors import FieldError

MAX_ANSWER_CHARS = 8000


class FieldType(StrEnum):
    """How a field is asked and checked."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    CHOICE = "choice"
    CHECKBOX = "checkbox"
    DATE = "date"
    COUNTRY = "country"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form."""

    name: str
    type: FieldType
    label: str
    help: str = ""
    required: bool = True
    options: tuple[str, ...] = ()
    max_chars: int = 4000


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
    if len(answer) > field.max_chars:
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
