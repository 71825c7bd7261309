"""The gate that a card of the Hub describes, in our words: every field type, and every attack."""

from __future__ import annotations

from typing import Any

import pytest

from gatekeeper.domain.errors import Invalid
from gatekeeper.domain.forms import (
    MAX_FIELDS,
    MAX_LABEL_CHARS,
    MAX_OPTIONS,
    Field,
    FieldType,
    check_answers,
    check_form,
)
from gatekeeper.services.publishing import front_matter, gates
from gatekeeper.services.publishing.gates import FIELDS, MOST_CLAUSES, MOST_PROMPT_CHARS, PROMPT

# The example of the Hub's documentation, with its other keys beside it.
CARD = """---
license: other
gated: manual
extra_gated_heading: "Acknowledge license to accept the repository"
extra_gated_description: Our team may take 2-3 days to process your request.
extra_gated_button_content: "Acknowledge license"
extra_gated_prompt: "You agree to not use the model to conduct experiments that cause harm."
extra_gated_fields:
  Company: text
  Country: country
  Specific date: date_picker
  I want to use this model for:
    type: select
    options:
      - Research
      - Education
      - label: Other
        value: other
  geo: ip_location
  I agree to use this model for non-commercial use ONLY: checkbox
---
# A model
"""


def fields_of(fields: Any) -> tuple[Field, ...]:
    """Return the questions that a card's fields come to."""
    form = gates.read({FIELDS: fields}).form
    assert form is not None
    assert check_form(form) == ()
    return form.fields


def test_the_example_of_the_documentation_comes_to_a_form_and_an_agreement() -> None:
    gate = gates.read(front_matter.read(CARD))
    assert gate.kind == "manual"
    assert gate.form is not None
    assert gate.form.title == "Acknowledge license to accept the repository"
    assert gate.form.intro == "Our team may take 2-3 days to process your request."
    use = ("Research", "Education", "Other")
    long = gate.form.fields[-1].name
    assert gate.form.fields == (
        Field("company", FieldType.TEXT, "Company"),
        Field("country", FieldType.COUNTRY, "Country"),
        Field("specific_date", FieldType.DATE, "Specific date"),
        Field("i_want_to_use_this_model_for", FieldType.CHOICE, "I want to use this model for",
              options=use),
        Field(long, FieldType.CHECKBOX, "I agree to use this model for non-commercial use ONLY"),
    )  # fmt: skip
    assert all(field.required for field in gate.form.fields)
    assert [clause.text for clause in gate.clauses] == [
        "You agree to not use the model to conduct experiments that cause harm."
    ]
    left_out = " ".join(gate.left_out)
    for word in ("geo", "not looked up", "labels", "extra_gated_button_content"):
        assert word in left_out
    answers = {"company": "A", "country": "DE", "specific_date": "2027-01-31",
               "i_want_to_use_this_model_for": "Other", long: "yes"}  # fmt: skip
    assert check_answers(gate.form.fields, answers, frozenset({"DE"})) == ()


@pytest.mark.parametrize(
    ("written", "kind"),
    [("false", False), ("true", "auto"), ("auto", "auto"), ("'manual'", "manual")],
)
def test_the_kinds_of_gate(written: str, kind: bool | str) -> None:
    assert gates.read(front_matter.read(f"---\ngated: {written}\n---")).kind == kind


def test_a_card_that_says_nothing_of_a_gate_has_none() -> None:
    gate = gates.read({"license": "mit"})
    assert (gate.kind, gate.has_words) == (None, False)
    assert gates.read({PROMPT: "Agree."}).has_words


@pytest.mark.parametrize("type_", ["text", "checkbox", "date_picker", "country"])
@pytest.mark.parametrize("as_map", [False, True])
def test_each_plain_type_may_be_written_both_ways(type_: str, as_map: bool) -> None:
    (field,) = fields_of({"What is it?": {"type": type_} if as_map else type_})
    wanted = {"text": "text", "checkbox": "checkbox", "date_picker": "date", "country": "country"}
    assert (field.name, field.type, field.label) == ("what_is_it", wanted[type_], "What is it?")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["a", "b"], ("a", "b")),
        ([{"label": "A b", "value": "ab"}, "c"], ("A b", "c")),
        ([{"value": "v"}], ("v",)),
        ([1, 2.5, "  three\n four "], ("1", "2.5", "three four")),
    ],
)
def test_the_options_of_a_choice(options: list[Any], expected: tuple[str, ...]) -> None:
    (field,) = fields_of({"Use": {"type": "select", "options": options}})
    assert field.options == expected


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Company", "company"),
        ("  Größe   und\nÉtat ", "groe_und_etat"),
        ("1st use", "field_1st_use"),
    ],
)
def test_a_question_has_a_name_for_scripts(label: str, name: str) -> None:
    assert fields_of({label: "text"})[0].name == name


def test_long_and_foreign_questions_have_names_of_their_own_that_stay() -> None:
    long = "I agree that I use this model for research that harms nobody and "
    asked = {f"{long}cite it": "checkbox", f"{long}keep it": "checkbox", "国家": "country"}
    names = {field.label: field.name for field in fields_of(asked)}
    assert len(set(names.values())) == 3
    assert fields_of({"国家": "text"})[0].name == names["国家"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([{"Company": "text"}], "a map of questions"),
        ("text", "a map of questions"),
        (None, "a map of questions"),
        ({"A": "email"}, "“A”: the type is one of text, checkbox"),
        ({"A": None}, "the type is one of"),
        ({"A": ["text"]}, "the type is one of"),
        ({"A": {"type": ["text"]}}, "the type is one of"),
        ({"A": {"options": ["a"]}}, "the type is one of"),
        ({"A": {"type": "text", "required": False}}, "unknown key 'required'"),
        ({"A": {"type": "text", "options": ["a"]}}, "only a choice has options"),
        ({"A": "select"}, f"write 1 to {MAX_OPTIONS} options"),
        ({"A": {"type": "select", "options": "a, b"}}, "options are a list"),
        ({"A": {"type": "select", "options": []}}, f"write 1 to {MAX_OPTIONS} options"),
        ({"A": {"type": "select", "options": ["a", "a"]}}, "each once"),
        ({"A": {"type": "select", "options": [None]}}, "an option is a text"),
        ({"A": {"type": "select", "options": [True]}}, "an option is a text"),
        ({"A": {"type": "select", "options": [{"label": "a", "x": 1}]}}, "an option is a text"),
        ({"A": {"type": "select", "options": [{"label": {"b": 1}}]}}, "an option is a text"),
        ({"A": {"type": "select", "options": [""]}}, "options"),
        ({"A": {"type": "select", "options": [str(n) for n in range(10_000)]}}, "options"),
        ({"A": {"type": "select", "options": ["x\u0007"]}}, "options"),
        ({"Name": "text", "name!": "text"}, "“Name” and “name!” would be one question, name"),
        ({"": "text"}, "label"),
        ({"x" * 10_000: "text"}, f"label: write 1 to {MAX_LABEL_CHARS}"),
        ({"bell\x07": "text"}, "label"),
        ({f"Question {n}": "text" for n in range(MAX_FIELDS + 1)}, f"ask 1 to {MAX_FIELDS}"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(fields: Any, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        gates.read({FIELDS: fields})
    assert {error.field for error in refused.value.errors} == {FIELDS}
    assert said in str(refused.value)
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("gated", "yes", "false, true, auto or manual"),
        ("gated", None, "false, true, auto or manual"),
        ("gated", 1, "false, true, auto or manual"),
        ("gated", 0, "false, true, auto or manual"),
        ("gated", ["auto"], "false, true, auto or manual"),
        ("gated", {"manual": True}, "false, true, auto or manual"),
        (PROMPT, None, "write a text"),
        (PROMPT, ["a"], "write a text"),
        (PROMPT, " \n ", "write a text"),
        (PROMPT, "x" * (MOST_PROMPT_CHARS + 1), "at most"),
        (PROMPT, "a\x1b[31mb", "control characters"),
        (PROMPT, "\n\n".join("abc" for _ in range(MOST_CLAUSES + 1)), "paragraphs"),
        ("extra_gated_heading", "x" * 121, "at most 120"),
        ("extra_gated_heading", 7, "write a text"),
        ("extra_gated_description", "x" * 2001, "at most 2000"),
        ("extra_gated_button_content", False, "write a text"),
        ("extra_gated_eu_disallowed", True, "keep people of a region out"),
        ("extra_gated_eu_disallowed", "false", "keep people of a region out"),
        ("extra_gated_eu_disallowed", None, "keep people of a region out"),
        ("extra_gated_geo", "US", "does not know this key"),
    ],
)
def test_a_key_that_cannot_be_kept_is_refused_by_its_name(key: str, value: Any, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        gates.read({key: value})
    assert [error.field for error in refused.value.errors] == [key]
    assert said in str(refused.value)


def test_everything_wrong_is_said_at_once() -> None:
    wrong = {"gated": 3, PROMPT: 3, FIELDS: 3, "extra_gated_eu_disallowed": True}
    with pytest.raises(Invalid) as refused:
        gates.read(wrong)
    assert [error.field for error in refused.value.errors] == list(wrong)


def test_a_region_that_is_not_restricted_is_no_restriction() -> None:
    assert gates.read({"extra_gated_eu_disallowed": False}).left_out == ()


PROMPT_TEXT = """\
### The licence

**You agree** to read
[it](https://example.org).

- harm nobody
  in any way
* cite us
1. keep to 1.b
2) <script>alert(1)</script>

---

## Use
### Duties
Tell us.
#### The end
"""


def test_each_paragraph_and_item_is_a_clause_and_a_heading_its_title() -> None:
    clauses = gates.clauses_of(PROMPT_TEXT)
    assert [(clause.id, clause.title, clause.text) for clause in clauses] == [
        ("1", "The licence", "**You agree** to read [it](https://example.org)."),
        ("2", "", "harm nobody in any way"),
        ("3", "", "cite us"),
        ("4", "", "1. keep to 1.b"),
        ("5", "", "2) <script>alert(1)</script>"),
        ("6", "Use: Duties", "Tell us."),
        ("7", "", "The end"),
    ]


def test_a_heading_of_many_blanks_is_read_at_once() -> None:
    """Whatever backtracks would take a minute."""
    clauses = gates.clauses_of("a\n# x" + " " * 20_000 + "y ##\nthe text")
    assert clauses[0].text == "a"
    assert clauses[1].title.endswith("y")
