"""The YAML of a card is read as plain values and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from gatekeeper.domain.errors import Invalid
from gatekeeper.services.publishing import front_matter
from gatekeeper.services.publishing.front_matter import DEEPEST, MOST_BYTES


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("# No card", {}),
        ("", {}),
        ("---\n---\n# T", {}),
        ("---\nlicense: mit\n", {}),  # it does not end
        ("text\n---\nlicense: mit\n---\n", {}),
        ("--- x\nlicense: mit\n---\n", {}),
        ("---\nlicense: mit # free\n---\n# T\n---\nlicense: no\n---\n", {"license": "mit"}),
        ("\ufeff---\r\nlicense: mit\r\n---\r\n", {"license": "mit"}),
        ("\n\n---\ngated: true\n---", {"gated": True}),  # so does the Hub
        ("---\na: [1, -2.5, true, null, ~, text]\n---", {"a": [1, -2.5, True, None, None, "text"]}),
        ("---\nlanguage: no\n---", {"language": "no"}),  # Norwegian, and no `false`
        ("---\non: yes\n---", {"on": "yes"}),
        (
            "---\na: 2024-01-31\nb: 1:30\nc: 0x10\n---",
            {"a": "2024-01-31", "b": "1:30", "c": "0x10"},
        ),
        ("---\na: 'true'\nb: \"1\"\n---", {"a": "true", "b": "1"}),
        ("---\na: 1e999\nb: .inf\nc: 007\n---", {"a": "1e999", "b": ".inf", "c": "007"}),
        ("---\na: 99999999999999999999\n---", {"a": "99999999999999999999"}),
        ("---\n2024: text\ntrue: x\n---", {"2024": "text", "true": "x"}),
        ("---\n<<: {a: b}\n---", {"<<": {"a": "b"}}),
        ("---\na: |\n  one\n\n  two\n---", {"a": "one\n\ntwo\n"}),
    ],
)
def test_a_card_says_plain_values(markdown: str, expected: dict[str, Any]) -> None:
    assert front_matter.read(markdown) == expected


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("- a", "no list of"),
        ("text", "no list of"),
        ("a: [b", "line 3"),
        ("a: 1\nb: &x [1]\nc: *x", "line 4: write it out: no aliases"),
        ("a: &a [x]\nb: &b [*a,*a]", "no aliases"),
        ("a: !!python/object/apply:os.system [ls]", "leave out the tag"),
        ("a: !!binary aGk=", "leave out the tag"),
        ("a: !!int '9'", "leave out the tag"),
        ("!!x a: b", "a key is a text"),
        ("? [a]\n: b", "a key is a text"),
        ("gated: manual\ngated: false", "line 3: this key stands there twice"),
        ("a: {b: 1, b: 2}", "twice"),
        ("a: b\n...\nc: d", "line 4"),
        ("a: b\n... # \n--- # two\nc: d", "one document"),
        ("a: \x07", "control characters"),
        ('a: "\\0"', "a NUL"),
        ('"\\0": a', "a NUL"),
        ('a: "\\ud800"', "line 2"),
        ("a: " + "[" * 10_000, "nested too deeply"),
        ("a: " + "{b: " * 9000, "more than"),
        ("a: " + "[" * DEEPEST + "]" * DEEPEST, "nested too deeply"),
        ("a: " + "x" * MOST_BYTES, "more than"),
        ("a: " + "ä" * (MOST_BYTES // 2), "more than"),
        ("\n".join(f"k{n}: v" for n in range(5000)), "more than"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(yaml: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        front_matter.read(f"---\n{yaml}\n---\n# T")
    assert [error.field for error in refused.value.errors] == ["README.md"]
    assert "\n" not in str(refused.value)


def test_the_line_is_that_of_the_card() -> None:
    with pytest.raises(Invalid, match="line 5"):
        front_matter.read("\n\n---\na: 1\na: 2\n---\n")


def test_front_matter_that_does_not_end_is_told_from_none() -> None:
    assert front_matter.begins("---\ngated: manual\n# T")
    assert front_matter.begins("\n---\r\na: b\n---")
    assert not front_matter.begins("# T\n---\na: b\n---")
