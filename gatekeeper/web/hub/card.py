"""What a model card's front matter tells a client: licence, languages, tags, task, library.

A small part of YAML only: `key: value`, `key: [a, b]` and `- item` lines of the keys that clients
know. Anything else is left out, never guessed. Source: hf-wire.md 1.2; the Hub's model card keys.
"""

from __future__ import annotations

import re

Card = dict[str, str | list[str]]

# Other keys never reach a client: it would take them as arguments of its own functions.
_LISTS = frozenset({"tags", "language", "datasets", "metrics", "base_model"})
_TEXTS = frozenset(
    {"license", "license_name", "license_link", "library_name", "pipeline_tag", "model_name"}
)
_ENTRY = re.compile(r"([^\s:#-][^\s:]*):(?:\s+(.*))?")
_ITEM = re.compile(r"\s*-\s+(\S.*)")
LONGEST_LINES = 500


def read(markdown: str) -> Card:
    """Return the front matter of a card; {} when there is none."""
    lines = markdown.splitlines()[:LONGEST_LINES]
    if not lines or lines[0].strip() != "---" or "---" not in (s.strip() for s in lines[1:]):
        return {}
    found: Card = {}
    key = ""
    for line in lines[1:]:
        if line.strip() == "---":
            break
        if entry := _ENTRY.fullmatch(line):
            key = entry[1]
            _put(found, key, _values(entry[2] or ""))
        elif item := _ITEM.fullmatch(line):
            _put(found, key, _values(item[1]))
        elif line.strip() and not line.lstrip().startswith("#"):
            key = ""
    return found


def _put(card: Card, key: str, values: list[str]) -> None:
    if key in _LISTS:
        known = card.setdefault(key, [])
        assert isinstance(known, list)  # noqa: S101  this line made it
        known.extend(values)
    elif key in _TEXTS and len(values) == 1:
        card[key] = values[0]


def _values(text: str) -> list[str]:
    bare = text.partition(" #")[0].strip()
    parts = bare[1:-1].split(",") if bare[:1] == "[" and bare[-1:] == "]" else [bare]
    values = [part.strip().strip("\"'") for part in parts]
    return [v for v in values if v and v.isprintable() and v[0] not in "#|>&*!{[" and ": " not in v]


def tags(card: Card) -> list[str]:
    """Return the tags the Hub would make of a card, each once."""
    found = [*_all(card, "library_name"), *_all(card, "pipeline_tag"), *_all(card, "tags")]
    found += _all(card, "language")
    for prefix, key in (("dataset", "datasets"), ("license", "license"), ("base_model",) * 2):
        found += [f"{prefix}:{value}" for value in _all(card, key)]
    return list(dict.fromkeys(found))


def _all(card: Card, key: str) -> list[str]:
    value = card.get(key, [])
    return value if isinstance(value, list) else [value]
