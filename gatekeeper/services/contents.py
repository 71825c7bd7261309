"""What lies in a model: its branches, revisions, files and card, checked for the viewer.

Lists take the heads of models, without their files. Not here: a model among its siblings
(services/catalogue), bytes (services/downloads).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gatekeeper.domain.catalogue import (
    CARD_PATH,
    File,
    Model,
    ModelId,
    Ref,
    Revision,
    RevisionId,
)
from gatekeeper.domain.errors import Invalid
from gatekeeper.domain.people import Context
from gatekeeper.services import access
from gatekeeper.services.access import Judged
from gatekeeper.services.catalogue import ModelView
from gatekeeper.services.downloads import NoSuchRevision
from gatekeeper.services.ports import House, ObjectStore
from gatekeeper.services.publishing import front_matter as cards

MAX_CARD_BYTES = 512_000
FRONT_MATTER_BYTES = cards.MOST_BYTES + 500  # and the lines around it
FRONT_MATTERS_KEPT = 1000
MOST_REVISIONS = 100
MOST_COMPARED = 50_000


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


@dataclass(frozen=True, slots=True)
class Head:
    """What a list shows of a model: where its main branch is, its bytes, and its card."""

    judged: Judged
    revision: Revision | None
    size_bytes: int
    readme: File | None


def refs(house: House, ctx: Context, namespace: str, name: str) -> list[Ref]:
    """Return a model's branches and tags; raises NotFound alike for hidden and missing."""
    with house.db.reading() as read:
        return read.catalogue.refs(access.find_model(read, ctx, namespace, name).model.id)


def show(house: House, ctx: Context, namespace: str, name: str, revision: str = "main") -> Contents:
    """Return a model's files at a revision; raises NotFound alike for hidden and missing.

    Raises: NoSuchRevision when the model has revisions but not this one.
    """
    with house.db.reading() as read:
        judged = access.find_model(read, ctx, namespace, name)
        model = judged.model
        at = read.catalogue.revision(model.id, revision)
        if at is None and (revision != "main" or read.catalogue.refs(model.id)):
            raise NoSuchRevision(f"{model.full_name} has no revision {revision}")
        return Contents(judged, at, read.catalogue.files(at.id) if at is not None else ())


def heads(house: House, models: Sequence[Judged]) -> list[Head]:
    """Return the main branch of models that were shown, without the files."""
    ids = [judged.model.id for judged in models]
    with house.db.reading() as read:
        at = read.catalogue.heads(ids)
        sizes = read.catalogue.sizes(ids)
        readmes = read.catalogue.files_of([revision.id for revision in at.values()], CARD_PATH)
    return [
        Head(
            judged=judged,
            revision=revision,
            size_bytes=sizes.get(judged.model.id, (0, 0))[1],
            readme=next(iter(readmes.get(revision.id, ())), None) if revision else None,
        )
        for judged in models
        for revision in [at.get(judged.model.id)]
    ]


def files_of(house: House, found: Sequence[Head]) -> Mapping[RevisionId, Sequence[File]]:
    """Return the files of these heads by revision, in one query however many."""
    with house.db.reading() as read:
        return read.catalogue.files_of([head.revision.id for head in found if head.revision])


def sizes(house: House, models: Sequence[Judged]) -> Mapping[ModelId, tuple[int, int]]:
    """Return (files, bytes) on the main branch of models that were shown; none for an empty one."""
    with house.db.reading() as read:
        return read.catalogue.sizes([judged.model.id for judged in models])


def endings(
    house: House, models: Sequence[Judged], asked: Sequence[str]
) -> Mapping[ModelId, Sequence[str]]:
    """Return which of these endings the files of models that were shown have."""
    with house.db.reading() as read:
        return read.catalogue.endings([judged.model.id for judged in models], asked)


def largest_file(house: House, judged: Judged) -> File | None:
    """Return the largest file on the main branch of a model that was shown."""
    with house.db.reading() as read:
        return read.catalogue.largest_file(judged.model.id)


def last_changes(house: House, found: Contents) -> dict[str, Revision]:
    """Return which of the last revisions gave each file its present bytes, by path.

    It looks back over `MOST_REVISIONS`, or as far as `MOST_COMPARED` comparisons of a file with the
    one before it reach; a file that has changed only before that is not in the answer.
    """
    if found.revision is None or not found.files:
        return {}
    back = max(1, min(MOST_REVISIONS, MOST_COMPARED // len(found.files)))
    with house.db.reading() as read:
        line = read.catalogue.history(found.model.id, found.revision.id, back)
        changes = read.catalogue.changes(found.revision.id, [revision.id for revision in line])
    by_id = {revision.id: revision for revision in line}
    return {path: by_id[revision_id] for path, revision_id in changes.items()}


def history(house: House, view: ModelView | Contents) -> list[Revision]:
    """Return the line of revisions of a model that was shown, newest first."""
    if view.revision is None:
        return []
    with house.db.reading() as read:
        return read.catalogue.history(view.model.id, view.revision.id)


def readme_of(files: Sequence[File]) -> File | None:
    """Return a model's card among its files."""
    return next((file for file in files if file.path == CARD_PATH), None)


def card(house: House, readme: File | None) -> str:
    """Return the Markdown of a model's card, '' when there is none (always an open file)."""
    return _text(house.objects, readme, MAX_CARD_BYTES) if readme is not None else ""


def front_matter(house: House, readme: File | None) -> dict[str, Any]:
    """Return what a model's card says in its front matter; {} of one that is none or broken."""
    if readme is None:
        return {}
    found: dict[str, Any] = json.loads(_front_matter(house.objects, readme))  # type: ignore[arg-type]  # a store is its own key
    return found


@lru_cache(FRONT_MATTERS_KEPT)
def _front_matter(objects: ObjectStore, readme: File) -> str:
    """Read it once and keep it as JSON: no more of it than of the card, whatever it is made of."""
    try:
        found = cards.read(_text(objects, readme, FRONT_MATTER_BYTES))
    except Invalid:
        found = {}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _text(objects: ObjectStore, file: File, most_bytes: int) -> str:
    source = objects.open(file.sha256, 0, min(file.size_bytes, most_bytes))
    try:
        return source.read().decode("utf-8", "replace")
    finally:
        source.close()
