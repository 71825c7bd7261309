"""Entries of the ledger as rows for people: when, what, by whom, about what, and the entry itself.

Not here: who may read which entries (services/audit).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gatekeeper.domain.ledger import Entry
from gatekeeper.domain.people import ActorKind, Person, PersonId
from gatekeeper.services import audit

_INNER_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_ACTORS = {
    ActorKind.OPERATOR: "The operator",
    ActorKind.SYSTEM: "The server",
    ActorKind.ANONYMOUS: "Anybody",
}
# What an entry is about, in the order people ask for it.
_ABOUT = ("application_id", "grant_id", "agreement_id", "path", "namespace", "role", "reason",
          "state", "ends_on", "scope")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One entry; `index` is its leaf in the tree, None while it is being sequenced."""

    index: int | None
    at: datetime
    title: str
    who: str
    about: str
    json: str


def rows(page: audit.Page, viewer: Person) -> list[Row]:
    """Put a page of entries into words; the viewer is "You"."""
    names = {**{i: p.name or p.id for i, p in page.people.items()}, viewer.id: "You"}
    return [_row(entry, names, page) for entry in page.entries]


def title_of(kind: str) -> str:
    """Return `Grant revoked` for `GrantRevoked`: kinds are past-tense sentences already."""
    return _INNER_CAPITAL.sub(" ", kind).capitalize()


def name_of(entry: Entry, names: Mapping[PersonId, str]) -> str:
    """Return who acted, in words."""
    kind = ActorKind(entry.actor_kind)
    if kind is not ActorKind.PERSON or entry.actor_id is None:
        return _ACTORS.get(kind, "Somebody")
    return names.get(PersonId(entry.actor_id), entry.actor_id)


def _row(entry: Entry, names: Mapping[PersonId, str], page: audit.Page) -> Row:
    subject = entry.data.get("person_id")
    about = [names.get(PersonId(subject), subject)] if isinstance(subject, str) else []
    known = page.models
    about += [known[m].full_name if m in known else m for m in audit.models_in(entry)]
    about += [str(entry.data[key]) for key in _ABOUT if entry.data.get(key)]
    return Row(
        index=entry.index,
        at=entry.at,
        title=title_of(entry.kind),
        who=name_of(entry, names),
        about=", ".join(about),
        json=json.dumps(json.loads(entry.body), indent=2, ensure_ascii=False, sort_keys=True),
    )


def kind_options(kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Return kinds with their words, in the order of the words."""
    return sorted(((kind, title_of(kind)) for kind in kinds), key=lambda option: option[1])
