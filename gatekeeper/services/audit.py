"""The ledger as people use it: search, "what is recorded about me", verify, export, replay.

Not here: writing entries (only `Act.record` does), the tree (domain/ledger).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gatekeeper.db.audit import Finding
from gatekeeper.db.replay import compare as compare_tables
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.catalogue import Model, ModelId, Visibility
from gatekeeper.domain.facts.audit import LedgerExported
from gatekeeper.domain.ledger import Entry, EntryFilter, TreeHead
from gatekeeper.domain.people import Context, Person, PersonId, Scope, SiteRole
from gatekeeper.services.people import current, need_scope, person_named
from gatekeeper.services.ports import House


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first; `before` continues below (None at the end); who and what they name."""

    entries: Sequence[Entry]
    before: int | None
    people: Mapping[PersonId, Person]
    models: Mapping[ModelId, Model]


def search(house: House, ctx: Context, want: EntryFilter) -> Page:
    """Search the whole ledger (compliance, admin, operator); raises Refused for anybody else."""
    with house.db.reading() as read:
        if not ctx.actor.is_operator:
            _check_searcher(ctx, current(read, ctx))
    return _page(house, want)


def about_me(house: House, ctx: Context, want: EntryFilter) -> Page:
    """Return the entries that speak of the actor; notes that staff keep to themselves excepted."""
    with house.db.reading() as read:
        me = current(read, ctx)
    page = _page(house, replace(want, subjects=[me.id, *want.subjects]))
    return replace(
        page,
        entries=[e for e in page.entries if not _is_staff_note(e, me.id)],
        models={i: m for i, m in page.models.items() if m.visibility is Visibility.PUBLIC},
    )


def _is_staff_note(entry: Entry, me: PersonId) -> bool:
    return entry.data.get("internal") is True and entry.data.get("author_id") != me


def entries(
    house: House, ctx: Context, want: EntryFilter, *, person: str = "", model: str = ""
) -> Page:
    """Search as far as the actor may: the whole ledger, or the entries that speak of them.

    `person` is an id, a username, an address or `me`; `model` an `owner/name`. Raises: Refused when
    somebody who may not search names another person.
    """
    with house.db.reading() as read:
        me = current(read, ctx)
        about = person_named(read, me, person) if person else None
        namespace, _, name = model.partition("/")
        known = read.catalogue.model(namespace, name) if model else None
    named = [known.id if known is not None else model] if model else []
    if about == me.id or (about is None and not _may_search(ctx, me)):
        return about_me(house, ctx, replace(want, subjects=named))
    return search(house, ctx, replace(want, subjects=[*named, *([about] if about else [])]))


def _may_search(ctx: Context, person: Person) -> bool:
    try:
        _check_searcher(ctx, person)
    except Refused:
        return False
    return True


def _check_searcher(ctx: Context, person: Person) -> None:
    need_scope(ctx, Scope.REVIEW)
    if not person.site_roles & {SiteRole.COMPLIANCE, SiteRole.ADMIN}:
        raise Refused(Reason.WRONG_SCOPE)


def find_people(house: House, ctx: Context, words: str) -> list[Person]:
    """Return whom a searcher may mean: an id, an address, a username or how a name begins.

    Raises: Refused for somebody who may not search.
    """
    with house.db.reading() as read:
        _check_searcher(ctx, current(read, ctx))
        return read.people.search(words.strip()) if words.strip() else []


def find_subjects(house: House, words: str) -> list[str]:
    """Return ids a searcher may mean: an id itself, a person by name or address, `owner/name`."""
    words = words.strip()
    with house.db.reading() as read:
        found = [str(person.id) for person in read.people.search(words)] if words else []
        namespace, slash, name = words.partition("/")
        model = read.catalogue.model(namespace, name) if slash else None
    return found + ([model.id] if model is not None else []) or [words]


def head(house: House) -> TreeHead:
    """Return size and root of the tree."""
    with house.db.reading() as read:
        return read.audit.head()


def verify(house: House) -> Iterator[Finding]:
    """Check every entry and the tree; yields what is wrong, nothing when all is well."""
    with house.db.reading() as read:
        yield from read.audit.verify()


def export(house: House, ctx: Context, first: int = 0) -> Iterator[str]:
    """Give every entry from leaf `first` on as a line of JSON; exporting is itself recorded."""
    size = head(house).size
    with house.db.acting(ctx) as act:
        act.record(LedgerExported(first, size))
    with house.db.reading() as read:
        for stored in read.audit.walk():
            if stored.index is not None and first <= stored.index < size:
                entry = {"index": stored.index, "entry": stored.body.decode()}
                yield json.dumps(entry, ensure_ascii=False)


def compare(house: House) -> list[str]:
    """Replay the ledger into an empty database and return where the tables differ."""
    return compare_tables(house.db)


def _page(house: House, want: EntryFilter) -> Page:
    with house.db.reading() as read:
        entries = read.audit.search(replace(want, limit=want.limit + 1))
        shown = entries[: want.limit]
        ids = {PersonId(e.actor_id) for e in shown if e.actor_id}
        ids |= {PersonId(p) for e in shown if isinstance(p := e.data.get("person_id"), str)}
        people = read.people.many(ids)
        models = read.catalogue.models_by_id({m for e in shown for m in models_in(e)})
    more = shown[-1].row_id if len(entries) > want.limit else None
    return Page(shown, more, people, models)


def models_in(entry: Entry) -> list[ModelId]:
    """Return the ids of the models an entry names."""
    several = entry.data.get("models")
    named = [entry.data.get("model_id"), *(several if isinstance(several, list) else [])]
    return [ModelId(model) for model in named if isinstance(model, str)]
