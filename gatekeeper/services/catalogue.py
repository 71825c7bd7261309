"""What the catalogue shows: releases, models, revisions and files, checked for the viewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatekeeper.db.catalogue import place_of
from gatekeeper.db.unit_of_work import Readers
from gatekeeper.domain.agreements import Agreement
from gatekeeper.domain.catalogue import (
    File,
    Model,
    ModelId,
    ModelOrder,
    Ref,
    Release,
    Revision,
)
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.forms import Form, read_form
from gatekeeper.domain.people import Context
from gatekeeper.services import access
from gatekeeper.services.access import Judged
from gatekeeper.services.downloads import NoSuchRevision
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.folder import ReleaseContent, read_content

MAX_CARD_BYTES = 512_000


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """A release as this viewer may see it: its models with verdicts, sizes and namespace title."""

    release: Release
    namespace_title: str
    content: ReleaseContent
    models: Sequence[Judged]
    sizes: Mapping[ModelId, tuple[int, int]]

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


@dataclass(frozen=True, slots=True)
class Contents:
    """A model as a client reads it: one revision and its files (None before the first publish)."""

    judged: Judged
    revision: Revision | None
    files: Sequence[File]

    @property
    def model(self) -> Model:
        """The model itself."""
        return self.judged.model


def releases(house: House, ctx: Context) -> list[ReleaseView]:
    """Return every release with at least one model the viewer may see, last changed first."""
    with house.db.reading() as read:
        views = [_release_view(read, ctx, release) for release in read.catalogue.releases()]
    return [view for view in views if view.models]


def release(house: House, ctx: Context, namespace: str, name: str) -> ReleaseView:
    """Return one release; raises NotFound when it, or every model of it, is hidden from the viewer.

    A release without any model yet is shown: its plan and risk analysis come first.
    """
    with house.db.reading() as read:
        found = read.catalogue.release(namespace, name)
        if found is None:
            raise NotFound("no such release")
        view = _release_view(read, ctx, found)
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
        judged = access.find_model(read, ctx, namespace, name)
        found = judged.model
        at = read.catalogue.revision(found.id, revision)
        refs = read.catalogue.refs(found.id)
        if at is None and (refs or revision != "main"):
            raise NoSuchRevision(f"{found.full_name} has no revision {revision}")
        own = read.catalogue.release_by_id(found.release_id)
        assert own is not None  # noqa: S101  a foreign key says so
        person = access.person_of(read, ctx)
        others = read.catalogue.models_of_release(found.release_id)
        current = [read.agreements.current(a) for a in found.agreements]
        form = read.catalogue.content(found.form_sha256) if found.form_sha256 else ""
        return ModelView(
            judged=judged,
            release=own,
            revision=at,
            files=read.catalogue.files(at.id) if at is not None else (),
            refs=refs,
            siblings=access.visible(read, person, others, ctx.now),
            agreements=[a for a in current if a is not None],
            form=read_form(form) if form else None,
        )


def list_models(
    house: House,
    ctx: Context,
    *,
    author: str | None = None,
    search: str | None = None,
    gated: bool | None = None,
    order: ModelOrder = ModelOrder.NAME,
    after: tuple[str, ...] | None = None,
    limit: int = 100,
) -> tuple[list[Judged], tuple[str, ...] | None]:
    """Return a page of models and after which place the next one begins (None at the end)."""
    with house.db.reading() as read:
        person = access.person_of(read, ctx)
        rows = read.catalogue.list_models(
            person.id if person is not None else None,
            author=author,
            search=search,
            gated=gated,
            order=order,
            after=after,
            limit=limit + 1,
        )
        seen = access.visible(read, person, rows[:limit], ctx.now)
    return seen, place_of(rows[limit - 1], order) if len(rows) > limit else None


def find(house: House, ctx: Context, namespace: str, name: str) -> Judged:
    """Return one model with the verdict on fetching it; raises NotFound for hidden and missing."""
    with house.db.reading() as read:
        return access.find_model(read, ctx, namespace, name)


def refs(house: House, ctx: Context, namespace: str, name: str) -> list[Ref]:
    """Return a model's branches and tags; raises NotFound alike for hidden and missing."""
    with house.db.reading() as read:
        return read.catalogue.refs(access.find_model(read, ctx, namespace, name).model.id)


def contents(
    house: House, ctx: Context, namespace: str, name: str, revision: str = "main"
) -> Contents:
    """Return a model's files at a revision, and nothing around it; raises as `model`."""
    with house.db.reading() as read:
        judged = access.find_model(read, ctx, namespace, name)
        found = _contents(read, judged, revision)
        if found.revision is None and (revision != "main" or read.catalogue.refs(found.model.id)):
            raise NoSuchRevision(f"{found.model.full_name} has no revision {revision}")
    return found


def heads(house: House, models: Sequence[Judged]) -> list[Contents]:
    """Return the files on the main branch of models that were shown."""
    with house.db.reading() as read:
        return [_contents(read, judged, "main") for judged in models]


def _contents(read: Readers, judged: Judged, revision: str) -> Contents:
    at = read.catalogue.revision(judged.model.id, revision)
    return Contents(judged, at, read.catalogue.files(at.id) if at is not None else ())


def last_changes(house: House, found: Contents) -> dict[str, Revision]:
    """Return which of the last hundred revisions gave each file its present bytes, by path."""
    changed: dict[str, Revision] = {}
    if found.revision is None:
        return changed
    with house.db.reading() as read:
        line = read.catalogue.history(found.model.id, found.revision.id)
        for revision, parent in zip(line, [*line[1:], None], strict=True):
            old = read.catalogue.files(parent.id) if parent is not None else ()
            before = {file.path: file.sha256 for file in old}
            for file in found.files:
                if before.get(file.path) != file.sha256:
                    changed.setdefault(file.path, revision)
            if len(changed) == len(found.files):
                break
    return changed


def history(house: House, view: ModelView | Contents) -> list[Revision]:
    """Return the line of revisions of a model that was shown, newest first."""
    if view.revision is None:
        return []
    with house.db.reading() as read:
        return read.catalogue.history(view.model.id, view.revision.id)


def card(house: House, view: ModelView | Contents) -> str:
    """Return the Markdown of the model's README.md, '' when there is none (always an open file)."""
    readme = next((f for f in view.files if f.path == "README.md"), None)
    if readme is None:
        return ""
    source = house.objects.open(readme.sha256, 0, min(readme.size_bytes, MAX_CARD_BYTES))
    try:
        return source.read().decode("utf-8", "replace")
    finally:
        source.close()


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


def _release_view(read: Readers, ctx: Context, found: Release) -> ReleaseView:
    person = access.person_of(read, ctx)
    models = access.visible(read, person, read.catalogue.models_of_release(found.id), ctx.now)
    namespace = read.catalogue.namespace(found.namespace)
    return ReleaseView(
        release=found,
        namespace_title=namespace.title if namespace is not None else found.namespace,
        content=read_content(read.catalogue.content(found.content_sha256)),
        models=models,
        sizes=read.catalogue.sizes([j.model.id for j in models]),
    )
