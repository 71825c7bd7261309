"""The small finished values that macros/ui.html shows, and a long list cut into pages.

Not here: which of them a page shows, and why (its own module).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from flask import request

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Action:
    """Somewhere to go."""

    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A filter, a tab or a version among others."""

    href: str
    text: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class Pill:
    """A state in a word; `kind` is ok, warn, bad, info, hold or ''. The text may be Markup."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A message in a box; `kind` is ok, info, warn or bad."""

    kind: str
    title: str
    text: str = ""
    action: Action | None = None
    more: Sequence[Action] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A line of clauses (met, unmet, waiting, not_needed) or of a path (done, now, next, held)."""

    state: str
    title: str
    detail: str = ""
    when: str = ""


@dataclass(frozen=True, slots=True)
class Pager:
    """Where the pages before and after this one are."""

    previous: str | None
    next: str | None


def cut(items: Sequence[_T], per_page: int, path: str = "") -> tuple[Sequence[_T], Pager | None]:
    """Return the part of a list that `?page=` asks for; no pager when all of it fits.

    `path` is the list's own address where the answer to a POST shows it.
    """
    asked = request.args.get("page", "1")
    last = max(1, -(-len(items) // per_page))
    at = min(int(asked), last) if asked.isascii() and asked.isdigit() and len(asked) < 8 else 1
    at = max(at, 1)
    if last == 1:
        return items, None
    shown = items[(at - 1) * per_page : at * per_page]
    return shown, Pager(
        previous=_page(path, at - 1) if at > 1 else None,
        next=_page(path, at + 1) if at < last else None,
    )


def _page(path: str, number: int) -> str:
    query = {**request.args.to_dict(), "page": str(number)}
    return f"{path}?{urlencode(query)}"
