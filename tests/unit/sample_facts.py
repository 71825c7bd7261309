"""One fact of every kind, made from its own annotations, and random ones."""

from __future__ import annotations

import types
import typing
from dataclasses import fields
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from hypothesis import strategies as st

from gatekeeper.domain.facts import Fact, codec
from gatekeeper.domain.sealed import Content, Sealed, content, seal

SECRET = "zqsecretzq"  # the value of everything sealed
SALT = bytes(range(32))
_YEARS = datetime(1971, 1, 1), datetime(2999, 1, 1)  # noqa: DTZ001  hypothesis adds the zone


def sample(kind: str) -> Fact:
    """Make the one fact of a kind that its golden entry holds."""
    known: Any = codec.kinds()[kind]
    hints = typing.get_type_hints(known)
    fact: Fact = known(**{f.name: _value(hints[f.name], f.name) for f in fields(known)})
    return fact


def _value(hint: Any, name: str) -> Any:
    hint = _without_none(hint)
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        return tuple(_value(inner, f"{name}_{n}") for n in (1, 2))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return next(iter(hint))
    fixed: dict[Any, Any] = {
        Sealed: seal(name, f"{SECRET} {name}", SALT),
        Content: content(f"public {name}"),
        datetime: datetime(2026, 1, 31, 23, 59, 59, 123_456, UTC),
        date: date(2026, 2, 28),
        int: 7,
        bool: True,
    }
    return fixed.get(hint, f"{name}-é")


def facts_of(kind: str) -> st.SearchStrategy[Fact]:
    """Make any fact of a kind."""
    known: Any = codec.kinds()[kind]
    hints = typing.get_type_hints(known)
    return st.builds(known, **{f.name: _any(hints[f.name]) for f in fields(known)})


def _any(hint: Any) -> st.SearchStrategy[Any]:
    bare = _without_none(hint)
    if bare is not hint:
        return st.none() | _any(bare)
    if typing.get_origin(hint) is tuple:
        return st.lists(_any(typing.get_args(hint)[0]), max_size=3).map(tuple)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    text = st.text(max_size=12)
    known: dict[Any, st.SearchStrategy[Any]] = {
        Sealed: st.builds(seal, st.just("field"), text, st.binary(min_size=32, max_size=32)),
        Content: st.builds(content, text),
        datetime: st.datetimes(*_YEARS, timezones=st.just(UTC)),
        date: st.dates(),
        int: st.integers(-(2**53) + 1, 2**53 - 1),
        bool: st.booleans(),
    }
    return known.get(hint, text)


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        return next(a for a in typing.get_args(hint) if a is not type(None))
    return hint
