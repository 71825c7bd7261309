"""The gate that a model card of the Hub describes: who decides, what is asked, what is agreed to.

A pure reading of front matter into our words. What this server cannot keep is refused where it
restricts, and named where it does not; nothing is dropped in silence. Source: the Hub's
documentation of gated models (hub-docs, docs/hub/models-gated.md). Not here: what of it a model
takes over (cards), YAML (front_matter).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gatekeeper.domain.agreements import TermsClause
from gatekeeper.domain.errors import FieldError, Invalid, invalid
from gatekeeper.domain.forms import (
    MAX_INTRO_CHARS,
    MAX_TITLE_CHARS,
    Field,
    FieldType,
    Form,
    check_form,
)

MOST_CLAUSES = 100
MOST_PROMPT_CHARS = 30_000
FORM_TITLE = "What the owners ask"

GATED, PROMPT, FIELDS = "gated", "extra_gated_prompt", "extra_gated_fields"
HEADING, DESCRIPTION = "extra_gated_heading", "extra_gated_description"
BUTTON, NOT_IN_EU = "extra_gated_button_content", "extra_gated_eu_disallowed"
_KNOWN = frozenset({PROMPT, FIELDS, HEADING, DESCRIPTION, BUTTON, NOT_IN_EU})
_LOCATION = "ip_location"
_TYPES = {
    "text": FieldType.TEXT,
    "checkbox": FieldType.CHECKBOX,
    "date_picker": FieldType.DATE,
    "country": FieldType.COUNTRY,
    "select": FieldType.CHOICE,
}
T = TypeVar("T")
Kind = bool | str  # False, "auto" or "manual", as the Hub's API writes it
Asked = tuple[tuple[Field, ...], tuple[str, ...]]  # the questions, and what of them is left out
_NOTHING: Asked = ((), ())


@dataclass(frozen=True, slots=True)
class Gate:
    """What a card says; `kind` is None where it does not say which gate there is.

    `left_out` says in sentences what the card asks for and this server does not do.
    """

    kind: Kind | None
    clauses: Sequence[TermsClause]
    form: Form | None
    heading: str
    description: str
    left_out: Sequence[str]

    @property
    def has_words(self) -> bool:
        """Say whether the card describes a gate, whichever it is."""
        return bool(self.clauses or self.form or self.heading or self.description or self.left_out)


def read(front_matter: Mapping[str, Any]) -> Gate:
    """Return the gate of a card; raises Invalid with every key that is wrong."""
    errors: list[FieldError] = []

    def part(key: str, reading: Callable[[Any], T], missing: T) -> T:
        try:
            return reading(front_matter[key]) if key in front_matter else missing
        except Invalid as error:
            errors.extend(error.errors)
            return missing

    kind: Kind | None = part(GATED, _kind, None)
    prompt = part(PROMPT, lambda value: _text(PROMPT, value, MOST_PROMPT_CHARS), "")
    heading = part(HEADING, lambda value: _line(HEADING, value, MAX_TITLE_CHARS), "")
    description = part(DESCRIPTION, lambda value: _text(DESCRIPTION, value, MAX_INTRO_CHARS), "")
    button = part(BUTTON, lambda value: _line(BUTTON, value, MAX_TITLE_CHARS), "")
    fields, left_out = part(FIELDS, _fields, _NOTHING)
    part(NOT_IN_EU, _check_region, None)
    clauses: tuple[TermsClause, ...] = part(PROMPT, lambda _: clauses_of(prompt), ())
    errors += [
        FieldError(key[:80], "this version does not know this key: it might keep somebody out")
        for key in front_matter
        if key.startswith("extra_gated_") and key not in _KNOWN
    ]
    if errors:
        raise Invalid(*errors)
    if button:
        left_out = (*left_out, f"{BUTTON}: our buttons say what pressing them does.")
    form = Form(heading or FORM_TITLE, description, fields) if fields else None
    return Gate(kind, clauses, form, heading, description, left_out)


def _kind(value: Any) -> Kind:
    """Read `gated`. Source: `true` is what gated a card before there was a choice: automatic."""
    if value is True:
        return "auto"
    if value is False or value in ("auto", "manual"):
        return value  # type: ignore[no-any-return]  # one of three literals
    raise invalid(GATED, "write false, true, auto or manual")


def _check_region(value: Any) -> None:
    if value is not False:
        raise invalid(
            NOT_IN_EU,
            "this server does not ask where somebody is, so it cannot keep people of a region out; "
            "import the card without this key only if they may have the model",
        )


def _text(key: str, value: Any, most: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise invalid(key, "write a text")
    text = value.strip().replace("\r\n", "\n")
    if len(text) > most:
        raise invalid(key, f"at most {most} characters; this has {len(text)}")
    if any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} and c not in "\n\t" for c in text):
        raise invalid(key, "control characters do not belong into a text")
    return text


def _line(key: str, value: Any, most: int) -> str:
    return " ".join(_text(key, value, most).split())


# --- what is asked --------------------------------------------------------------------------------


def _fields(value: Any) -> Asked:
    if not isinstance(value, dict):
        raise invalid(FIELDS, "write a map of questions to their types")
    found: list[Field] = []
    left_out: list[str] = []
    for label, asked in value.items():
        shown = " ".join(label.split())
        kind, options = _asked(shown, asked)
        if kind == _LOCATION:
            left_out.append(f"{_named(shown)}: where somebody’s address is, is not looked up here.")
            continue
        if any(isinstance(option, dict) for option in options):
            left_out.append(f"{_named(shown)}: answers are the labels; their values are not kept.")
        texts = tuple(_option(shown, option) for option in options)
        found.append(Field(_slug(shown), _TYPES[kind], shown, options=texts))
    _check_fields(found)
    return tuple(found), tuple(left_out)


def _asked(label: str, asked: Any) -> tuple[str, Sequence[Any]]:
    """Return type and options of one question."""
    spec = asked if isinstance(asked, dict) else {"type": asked}
    if unknown := sorted(set(spec) - {"type", "options"}):
        raise invalid(FIELDS, f"{_named(label)}: unknown key {unknown[0][:40]!r}")
    kind, options = spec.get("type"), spec.get("options", [])
    if not isinstance(kind, str) or kind not in {*_TYPES, _LOCATION}:
        known = ", ".join([*_TYPES, _LOCATION])
        raise invalid(FIELDS, f"{_named(label)}: the type is one of {known}")
    if not isinstance(options, list):
        raise invalid(FIELDS, f"{_named(label)}: options are a list")
    return kind, options


def _option(label: str, option: Any) -> str:
    if isinstance(option, dict) and set(option) <= {"label", "value"}:
        option = option.get("label", option.get("value"))
    if isinstance(option, bool) or not isinstance(option, str | int | float):
        raise invalid(FIELDS, f"{_named(label)}: an option is a text, or has label and value")
    return " ".join(str(option).split())


def _slug(label: str) -> str:
    """Return the name under which answers are kept: the same for the same question, always."""
    ascii_only = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", ascii_only).strip("_")
    name = words if words[:1].isalpha() else f"field_{words}".rstrip("_")
    if words and len(name) <= 40:
        return name
    return f"{name[:31]}_{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def _check_fields(fields: Sequence[Field]) -> None:
    """Hold the questions to what a form may be, in the words of the card."""
    if not fields:
        return
    asked: dict[str, str] = {}
    for field in fields:
        if field.name in asked:
            both = f"{_named(asked[field.name])} and {_named(field.label)}"
            raise invalid(FIELDS, f"{both} would be one question, {field.name}: reword one")
        asked[field.name] = field.label
    errors = check_form(Form(FORM_TITLE, "", tuple(fields)))
    if errors:
        raise Invalid(*(FieldError(FIELDS, _said(e, fields)) for e in errors))


def _said(error: FieldError, fields: Sequence[Field]) -> str:
    _, _, place = error.field.partition(".")
    number, _, part = place.partition(".")
    return f"{_named(fields[int(number)].label)}: {part}: {error.detail}" if part else error.detail


def _named(label: str) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in label)
    return f"“{shown if len(shown) <= 60 else shown[:59] + '…'}”"


# --- what is agreed to ----------------------------------------------------------------------------

_HEADING_LINE = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+(\S.*)", re.DOTALL)
_BULLET = re.compile(r"\A\s*[-*+]\s+(?=\S)")
_RULE = re.compile(r"\s*([-*_])(?:\s*\1){2,}\s*")
_NUMBERED = re.compile(r"\s*\d{1,9}[.)]\s+\S.*")


def clauses_of(prompt: str) -> tuple[TermsClause, ...]:
    """Return the clauses of a prompt: each paragraph and each item of a list is one to be ticked.

    A heading is the title of what follows it. Markdown stays as it was written: it is shown as
    text, so that what is signed is what the card says. Raises: Invalid for too many.
    """
    found: list[TermsClause] = []
    title = ""
    for block in _blocks(prompt):
        heading = _HEADING_LINE.match(block)
        if heading is not None:
            words = heading[1].rstrip().rstrip("#").rstrip()
            title = f"{title}: {words}" if title else words
            continue
        found.append(TermsClause(str(len(found) + 1), title, block))
        title = ""
    if title:  # nothing follows the last heading
        found.append(TermsClause(str(len(found) + 1), "", title))
    if len(found) > MOST_CLAUSES:
        raise invalid(PROMPT, f"at most {MOST_CLAUSES} paragraphs and items; it has {len(found)}")
    return tuple(found)


def _blocks(text: str) -> Iterator[str]:
    """Go through headings, paragraphs and items of lists; an item has no bullet any more."""
    block: list[str] = []
    for line in [*text.split("\n"), ""]:
        is_empty = not line.strip() or bool(_RULE.fullmatch(line))
        begins = any(p.match(line) for p in (_BULLET, _NUMBERED, _HEADING_LINE))
        after_heading = bool(block) and bool(_HEADING_LINE.match(block[0]))
        if block and (is_empty or begins or after_heading):
            yield " ".join(block)
            block = []
        if not is_empty:
            block.append(_BULLET.sub("", line, count=1).strip())
