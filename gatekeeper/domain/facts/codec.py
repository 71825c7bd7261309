"""Facts to entry data and back, by their own annotations; and which ids a fact mentions.

Only what the annotations allow gets through: str, int, bool, enums, aware datetimes (RFC 3339 UTC
with microseconds), dates, tuples, `Sealed` (as its commitment) and `Content` (as its digest).
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from gatekeeper.domain import facts
from gatekeeper.domain.errors import IntegrityBroken
from gatekeeper.domain.sealed import Content, Sealed

_MENTIONED = {"PersonId", "ModelId", "GrantId", "ApplicationId", "ReleaseId", "TokenId"}


@cache
def kinds() -> Mapping[str, type]:
    """Return every kind of fact by its name."""
    return {kind.__name__: kind for kind in typing.get_args(facts.Fact)}


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def to_data(fact: facts.Fact) -> dict[str, Any]:
    """Return the fact's fields as JSON values, without anything personal."""
    return {f.name: _encode(getattr(fact, f.name)) for f in fields(fact)}


def from_data(kind: str, data: Mapping[str, Any]) -> facts.Fact:
    """Rebuild a fact; raise IntegrityBroken for a kind or field this version does not know."""
    try:
        known: Any = kinds()[kind]
        hints = _hints(known)
        return typing.cast(
            "facts.Fact",
            known(**{name: _decode(hints[name], value) for name, value in data.items()}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityBroken(f"entry of kind {kind!r} cannot be read: {error}") from error


def mentioned(fact: facts.Fact) -> frozenset[str]:
    """Return the ids of people, models, grants and applications the fact is about."""
    found: set[str] = set()
    kind: type = type(fact)
    for name in _mentioning(kind):
        value = getattr(fact, name)
        if value is not None:
            found.update(value if isinstance(value, tuple) else (value,))
    return frozenset(found)


@cache
def _mentioning(kind: type) -> tuple[str, ...]:
    return tuple(name for name, hint in _hints(kind).items() if _names(hint) & _MENTIONED)


def moment(at: datetime) -> str:
    """Write an aware datetime as RFC 3339 UTC with microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _names(hint: Any) -> set[str]:
    names = {getattr(hint, "__name__", "")}
    for inner in typing.get_args(hint):
        names |= _names(inner)
    return names


def _encode(value: Any) -> Any:
    match value:
        case Sealed():
            return value.commitment
        case Content():
            return value.sha256
        case datetime():
            return moment(value)
        case date():
            return value.isoformat()
        case StrEnum():
            return str(value)
        case tuple():
            return [_encode(item) for item in value]
        case None | bool() | int() | str():
            return value
    raise TypeError(f"a fact cannot carry {type(value).__name__}")


def _decode(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin = typing.get_origin(hint)
    if origin in {types.UnionType, typing.Union}:
        return _decode(next(a for a in typing.get_args(hint) if a is not type(None)), value)
    if origin is tuple:
        return tuple(_decode(typing.get_args(hint)[0], item) for item in value)
    if hint in {Sealed, Content}:
        return hint(value)
    if hint in {datetime, date}:
        return hint.fromisoformat(value)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(value)
    return value
