"""The YAML that a model card begins with, between two lines of `---`.

Read as data and nothing else: text, numbers, true, false, null, lists and maps. No tags, no aliases
(a few lines of those would fill the memory), no key twice, at most `MOST_BYTES`.
A plain word is what YAML 1.2 and so the Hub make of it: `no` is a language, a date is a text.
Source: the Hub's model card keys; yaml.org/spec/1.2.2, 10.3 (core schema).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from gatekeeper.domain.errors import invalid

MOST_BYTES = 32_000
DEEPEST = 20  # lists and maps inside one another

# The parser that is written in C where this PyYAML has it: it is ten times as fast.
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BLOCK = re.compile(r"\A\s*?^---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_BEGINS = re.compile(r"\A\s*?^---[ \t]*\r?$", re.MULTILINE)
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# Longer numbers stay text: they would be other ones in JSON.
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,14})")
_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,15}\.[0-9]{0,15}(?:[eE][-+]?[0-9]{1,2})?")


def read(markdown: str) -> dict[str, Any]:
    """Return what a card's front matter says; {} when it has none.

    Raises: Invalid, with the line where it is no YAML.
    """
    found = _BLOCK.match(markdown.removeprefix("\ufeff"))
    if found is None:
        return {}
    if len(found[1].encode("utf-8", "replace")) > MOST_BYTES:
        raise invalid("README.md", f"its front matter has more than {MOST_BYTES} bytes")
    try:
        values = _document(iter(_PARSER(found[1]).get_event, None))
    except (yaml.YAMLError, ValueError) as error:
        above = found.string.count("\n", 0, found.start(1))
        said = _said(error, above)
        raise invalid("README.md", f"the front matter is no YAML: {said}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise invalid("README.md", "the front matter is no list of `key: value`")
    return values


def begins(markdown: str) -> bool:
    """Say whether a card begins as front matter does, whether or not it ends."""
    return _BEGINS.match(markdown.removeprefix("\ufeff")) is not None


def _document(events: Iterator[yaml.Event]) -> Any:
    """Return the one document of a stream; None of an empty one."""
    next(events)  # the stream begins
    if isinstance(next(events), yaml.StreamEndEvent):
        return None
    value = _value(next(events), events, 0)
    next(events)  # the document ends
    if not isinstance(event := next(events), yaml.StreamEndEvent):
        raise _wrong(event, "one document only")
    return value


def _value(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Any:
    if isinstance(event, yaml.AliasEvent):
        raise _wrong(event, "write it out: no aliases")
    if event.tag is not None:
        raise _wrong(event, "leave out the tag: what begins with ! is not read")
    if isinstance(event, yaml.ScalarEvent):
        is_plain, _ = event.implicit
        return _plain(_text(event)) if is_plain else _text(event)
    if depth == DEEPEST:
        raise _wrong(event, "it is nested too deeply")
    if isinstance(event, yaml.MappingStartEvent):
        return _mapping(events, depth + 1)
    return [_value(e, events, depth + 1) for e in _until(events, yaml.SequenceEndEvent)]


def _mapping(events: Iterator[yaml.Event], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in _until(events, yaml.MappingEndEvent):
        if not isinstance(key, yaml.ScalarEvent) or key.tag is not None:
            raise _wrong(key, "a key is a text")
        name = _text(key)
        if name in found:
            raise _wrong(key, "this key stands there twice")
        found[name] = _value(next(events), events, depth)
    return found


def _until(events: Iterator[yaml.Event], end: type[yaml.Event]) -> Iterator[yaml.Event]:
    while not isinstance(event := next(events), end):
        yield event


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _text(event: yaml.ScalarEvent) -> str:
    """Return a text; raises for characters that none has and no database keeps."""
    text: str = event.value
    if _NO_CHARACTER.search(text):
        raise _wrong(event, "a NUL or half of a character stands there")
    return text


def _wrong(event: yaml.Event, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _said(error: Exception, above: int) -> str:
    """Say what is wrong, and in which line of the card; `above` lines stand before the YAML."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return f"line {above + mark.line + 1}: {problem}" if mark is not None else problem
