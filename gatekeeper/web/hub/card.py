"""What a client is told of a model's card: licence, languages, tags, task, library, gate's words.

Source: hf-wire.md 1.2; the Hub's model card keys. Not here: reading YAML
(services/publishing/front_matter), what the gate's words come to (services/publishing/gates).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Card = dict[str, Any]

# Other keys never reach a client: it would take them as arguments of its own functions.
_LISTS = frozenset({"tags", "language", "datasets", "metrics", "base_model"})
_TEXTS = frozenset(
    {"license", "license_name", "license_link", "library_name", "pipeline_tag", "model_name"}
)
_GATE = "extra_gated_"


def of(front_matter: Mapping[str, Any]) -> Card:
    """Return what clients are told; what a key should not hold is left out, never guessed."""
    found: Card = {}
    for key, value in front_matter.items():
        if key in _LISTS:
            found[key] = _texts(value if isinstance(value, list) else [value])
        elif key in _TEXTS and (texts := _texts([value])):
            found[key] = texts[0]
        elif key.startswith(_GATE):
            found[key] = value  # as the card has it, nested
    return found


def _texts(values: list[Any]) -> list[str]:
    said = (value for value in values if not isinstance(value, bool))
    texts = [str(value) for value in said if isinstance(value, str | int | float)]
    return [text for text in texts if text and text.isprintable()]


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
