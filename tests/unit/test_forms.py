"""What an owner may ask in a form: one rule for a TOML file and for the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatekeeper import resources
from gatekeeper.domain.errors import Invalid
from gatekeeper.domain.forms import (
    MAX_ANSWER_CHARS,
    MAX_FIELDS,
    MAX_OPTIONS,
    Field,
    FieldType,
    Form,
    check_answers,
    check_form,
    read_form,
    write_form,
)
from gatekeeper.services.publishing import folder

TEXT = Field("study", FieldType.TEXT, "What will you do?")
CHOICE = Field("kind", FieldType.CHOICE, "What kind?", options=("Safety", "Teaching"))
FORM = Form("Research application", "", (TEXT, CHOICE))


def wrong(*fields: Field, **parts: Any) -> list[str]:
    """Return which parts of a form are wrong."""
    return [
        error.field for error in check_form(replace(FORM, fields=fields or FORM.fields, **parts))
    ]


def test_a_sound_form_is_taken_and_reads_back_as_written() -> None:
    assert check_form(FORM) == ()
    assert read_form(write_form(FORM)) == FORM


@pytest.mark.parametrize("name", ["", "Study", "1st", "a-b", "a b", "a" * 41, "näme", "study\n"])
def test_a_name_is_one_that_scripts_can_use(name: str) -> None:
    assert wrong(replace(TEXT, name=name)) == ["field.0.name"]


def test_two_questions_of_one_name_are_told_at_the_second() -> None:
    assert wrong(TEXT, CHOICE, replace(TEXT, label="Again?")) == ["field.2.name"]


@pytest.mark.parametrize("label", ["", "  ", "x" * 301, "two\nlines", "nul\x00"])
def test_a_label_is_one_line(label: str) -> None:
    assert wrong(replace(TEXT, label=label)) == ["field.0.label"]


@pytest.mark.parametrize(
    "options",
    [
        (), ("Safety", "Safety"), ("Safety", ""), (" Safety",), ("two\nlines",), ("x" * 201,),
        tuple(map(str, range(MAX_OPTIONS + 1))),
    ],
)  # fmt: skip
def test_a_choice_has_options_that_can_be_chosen(options: tuple[str, ...]) -> None:
    assert wrong(replace(CHOICE, options=options)) == ["field.0.options"]


@pytest.mark.parametrize("kind", sorted(set(FieldType) - {FieldType.CHOICE}))
def test_nothing_but_a_choice_has_options(kind: FieldType) -> None:
    assert wrong(replace(CHOICE, type=kind)) == ["field.0.options"]


@pytest.mark.parametrize("most", [0, -1, MAX_ANSWER_CHARS + 1])
def test_an_answer_has_a_length_that_can_be_stored(most: int) -> None:
    assert wrong(replace(TEXT, max_chars=most)) == ["field.0.max_chars"]


def test_a_form_has_a_title_and_some_questions_but_no_hundred() -> None:
    assert wrong(title=" ") == ["title"]
    assert wrong(intro="x" * 2001) == ["intro"]
    assert [error.field for error in check_form(replace(FORM, fields=()))] == ["field"]
    many = [replace(TEXT, name=f"q{n}") for n in range(MAX_FIELDS + 1)]
    assert wrong(*many) == ["field"]
    assert wrong(*many[:-1]) == []


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (FieldType.CHOICE, "Safety"), (FieldType.CHECKBOX, "yes"), (FieldType.DATE, "2027-01-01"),
        (FieldType.COUNTRY, "GH"),
    ],
)  # fmt: skip
def test_only_what_is_written_freely_is_measured(kind: FieldType, answer: str) -> None:
    short = replace(CHOICE, type=kind, max_chars=1)
    assert check_answers([short], {"kind": answer}, frozenset({"GH"})) == ()
    assert check_answers([replace(TEXT, max_chars=1)], {"study": "xx"}, frozenset()) != ()


def test_a_file_is_held_to_the_same_rule_and_every_fault_is_told(tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    path.write_text(
        'title = "A"\n[[field]]\nname = "Bad"\ntype = "text"\nlabel = "Q"\n'
        '[[field]]\nname = "kind"\ntype = "choice"\nlabel = "Q"\n'
    )
    with pytest.raises(Invalid) as raised:
        folder.read_form_file(path)
    told = [(error.field, error.detail.partition(":")[0]) for error in raised.value.errors]
    assert told == [("form.toml", "field.0.name"), ("form.toml", "field.1.options")]


def test_the_forms_of_the_demo_are_sound() -> None:
    for path in (resources.directory("config") / "demo" / "forms").glob("*.toml"):
        assert folder.read_form_file(path).fields
