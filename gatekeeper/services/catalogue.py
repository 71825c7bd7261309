"""What the catalogue shows: releases and models, one or a page of them, checked for the viewer.

A page of a list is cut before it is judged, and filled up where the rule left something out: it is
short only at the end, and its cursor names what was shown. Not here: what lies in the models
(services/contents).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from gatekeeper.db.catalogue import place_of
from gatekeeper.db.readers import Readers
from gatekeeper.domain.agreements import Agreement
from gatekeeper.domain.catalogue import (
    File,
    Model,
    ModelId,
    ModelOrder,
    Ref,
    Release,
    ReleaseId,
    Revision,
)
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.forms import Form, read_form
from gatekeeper.domain.people import Context, Person
from gatekeeper.services import access
from gatekeeper.services.access import Judged
from gatekeeper.services.downloads import NoSuchRevision
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.folder import ReleaseContent, read_content

MOST_RELEASES = 500

_Row = TypeVar("_Row")
_Seen = TypeVar("_Seen")
_Place = TypeVar("_Place")


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """A release as this viewer may see it: its models with verdicts, and its namespace's title."""

    release: Release
    namespace_title: str
    content: ReleaseContent
    models: Sequence[Judged]

    def open_sibling_of(self, model: Model) -> Model | None:
        """Return the open model to name beside a gated one."""
        return open_sibling([j.model for j in self.models], model)


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model as this viewer may see it, at one revision (None before the first publish)."""

    judged: Judged
    release: Release
    revision: Revision | None
    files: Sequence[File]
    refs: Sequence[Ref]
    siblings: Sequence[Judged]
    agreements: Sequence[Agreement]
    form: Form | None

    @property
    def model(self) -> Model:
        """The model itself."""
        return self.judged.model

    @property
    def open_sibling(self) -> Model | None:
        """The open model of the same release that comes nearest to this one."""
        return open_sibling([j.model for j in self.siblings], self.model)


def releases(
    house: House,
    ctx: Context,
    *,
    after: tuple[datetime, str] | None = None,
    limit: int = MOST_RELEASES,
) -> tuple[list[ReleaseView], tuple[datetime, str] | None]:
    """Return releases with a model the viewer may see, last changed first, and the next place.

    Known gap: the catalogue's page counts and searches what it lists, so it takes one page of
    `MOST_RELEASES` and judges all of it; releases that changed before those are not on it.
    """
    with house.db.reading() as read:
        person = access.person_of(read, ctx)
        person_id = person.id if person is not None else None
        return _page(
            after,
            limit,
            lambda place: read.catalogue.releases(person_id, after=place, limit=limit + 1),
            lambda rows: [view for view in _views(read, person, rows, ctx.now) if view.models],
            lambda view: view.release,
            lambda row: (row.changed_at, row.id),
        )


def release(house: House, ctx: Context, namespace: str, name: str) -> ReleaseView:
    """Return one release; raises NotFound when it, or every model of it, is hidden from the viewer.

    A release without any model yet is shown: its plan and risk analysis come first.
    """
    with house.db.reading() as read:
        found = read.catalogue.release(namespace, name)
        if found is None:
            raise NotFound("no such release")
        (view,) = _views(read, access.person_of(read, ctx), [found], ctx.now)
        if not view.models and read.catalogue.models_of_release(found.id):
            raise NotFound("no such release")
    return view


def model(
    house: House, ctx: Context, namespace: str, name: str, revision: str = "main"
) -> ModelView:
    """Return one model at a revision; raises NotFound alike for hidden and missing.

    Raises: NoSuchRevision when the model has revisions but not this one.
    """
    with house.db.reading() as read:
        found = access.named(read, ctx, namespace, name)
        line = read.catalogue.models_of_release(found.release_id)
        siblings = access.visible(read, access.person_of(read, ctx), line, ctx.now)
        judged = next((sibling for sibling in siblings if sibling.model.id == found.id), None)
        if judged is None:
            raise NotFound("no such model")
        at = read.catalogue.revision(found.id, revision)
        refs = read.catalogue.refs(found.id)
        if at is None and (refs or revision != "main"):
            raise NoSuchRevision(f"{found.full_name} has no revision {revision}")
        own = read.catalogue.release_by_id(found.release_id)
        assert own is not None  # noqa: S101  a foreign key says so
        form = read.catalogue.content(found.form_sha256) if found.form_sha256 else ""
        return ModelView(
            judged=judged,
            release=own,
            revision=at,
            files=read.catalogue.files(at.id) if at is not None else (),
            refs=refs,
            siblings=siblings,
            agreements=list(read.agreements.current_of(found.agreements).values()),
            form=read_form(form) if form else None,
        )


def list_models(
    house: House,
    ctx: Context,
    *,
    author: str | None = None,
    search: Collection[str] = (),
    gated: bool | None = None,
    order: ModelOrder = ModelOrder.NAME,
    after: tuple[str, ...] | None = None,
    limit: int = 100,
) -> tuple[list[Judged], tuple[str, ...] | None]:
    """Return a page of models and after which place the next one begins (None at the end)."""
    with house.db.reading() as read:
        person = access.person_of(read, ctx)
        return _page(
            after,
            limit,
            lambda place: read.catalogue.list_models(
                person.id if person is not None else None,
                author=author,
                search=search,
                gated=gated,
                order=order,
                after=place,
                limit=limit + 1,
            ),
            lambda rows: access.visible(read, person, rows, ctx.now),
            lambda judged: judged.model,
            lambda row: place_of(row, order),
        )


def place_after(judged: Judged, order: ModelOrder) -> tuple[str, ...]:
    """Return the place of a model that was shown, for a page that ends with it."""
    return place_of(judged.model, order)


def _page(
    after: _Place | None,
    limit: int,
    fetch: Callable[[_Place | None], Sequence[_Row]],
    show: Callable[[Sequence[_Row]], Sequence[_Seen]],
    row_of: Callable[[_Seen], _Row],
    place: Callable[[_Row], _Place],
) -> tuple[list[_Seen], _Place | None]:
    """Return a page of what may be seen, and the place of its last one if there is another.

    `fetch` gives `limit + 1` rows after a place, `show` those of them that the rule lets through.
    """
    found: list[_Seen] = []
    while True:
        rows = fetch(after)
        found += show(rows)
        if len(found) > limit:
            return found[:limit], place(row_of(found[limit - 1]))
        if len(rows) <= limit:
            return found, None
        after = place(rows[-1])


def find(house: House, ctx: Context, namespace: str, name: str) -> Judged:
    """Return one model with the verdict on fetching it; raises NotFound for hidden and missing."""
    with house.db.reading() as read:
        return access.find_model(read, ctx, namespace, name)


def seen(house: House, ctx: Context, models: Collection[Model]) -> dict[ModelId, Judged]:
    """Return how the viewer stands towards those of the models that they may see."""
    with house.db.reading() as read:
        person = access.person_of(read, ctx)
        return {j.model.id: j for j in access.visible(read, person, models, ctx.now)}


def open_sibling(line: Sequence[Model], model: Model) -> Model | None:
    """Return the open model named beside a gated one: the last before it in its release's line.

    The first one after it where none comes before; None for an open model, or without any.
    """
    if model.tier.is_open:
        return None
    names = [m.id for m in line]
    place = names.index(model.id) if model.id in names else len(line)
    before = [m for m in line[:place] if m.tier.is_open]
    after = [m for m in line[place:] if m.tier.is_open]
    return before[-1] if before else next(iter(after), None)


def _views(
    read: Readers, person: Person | None, found: Sequence[Release], now: datetime
) -> list[ReleaseView]:
    """Return releases, each with those of its models that may be seen: perhaps none."""
    models = read.catalogue.models_of_releases([release.id for release in found])
    judged: dict[ReleaseId, list[Judged]] = {}
    for one in access.visible(read, person, models, now):
        judged.setdefault(one.model.release_id, []).append(one)
    namespaces = read.catalogue.namespaces({release.namespace for release in found})
    contents = read.catalogue.contents({release.content_sha256 for release in found})
    return [
        ReleaseView(
            release=release,
            namespace_title=namespaces[release.namespace].title,
            content=read_content(contents[release.content_sha256]),
            models=judged.get(release.id, []),
        )
        for release in found
    ]
