"""Reads namespaces, releases, models, revisions, files and refs."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select, tuple_

from gatekeeper.db import tables as t
from gatekeeper.domain.catalogue import (
    AgreementId,
    Availability,
    File,
    Model,
    ModelId,
    ModelOrder,
    Namespace,
    Ref,
    RefKind,
    Release,
    ReleaseId,
    Revision,
    RevisionId,
    Visibility,
    is_commit_id,
)
from gatekeeper.domain.people import PersonId
from gatekeeper.domain.tiers import Tiers

_MODELS = select(t.models, t.releases.c.name.label("release_name")).join(
    t.releases, t.releases.c.id == t.models.c.release_id
)


class CatalogueReader:
    """The catalogue over one connection."""

    def __init__(self, connection: Connection, tiers: Tiers) -> None:
        self._c = connection
        self.tiers = tiers

    def namespace(self, name: str) -> Namespace | None:
        """Return a namespace."""
        row = self._c.execute(select(t.namespaces).where(t.namespaces.c.name == name)).one_or_none()
        return Namespace(row.name, row.title) if row is not None else None

    def release(self, namespace: str, name: str) -> Release | None:
        """Return a release by its full name."""
        where = (t.releases.c.namespace == namespace, t.releases.c.name == name)
        row = self._c.execute(select(t.releases).where(*where)).one_or_none()
        return _release(row) if row is not None else None

    def release_by_id(self, release_id: ReleaseId) -> Release | None:
        """Return a release by id."""
        row = self._c.execute(select(t.releases).where(t.releases.c.id == release_id)).one_or_none()
        return _release(row) if row is not None else None

    def releases(self, limit: int = 500) -> list[Release]:
        """Return releases, last changed first."""
        rows = self._c.execute(
            select(t.releases)
            .order_by(t.releases.c.changed_at.desc(), t.releases.c.id)
            .limit(limit)
        )
        return [_release(row) for row in rows]

    def content(self, sha256: str) -> str:
        """Return a public text by its digest, '' when it is gone."""
        body = self._c.execute(
            select(t.contents.c.body).where(t.contents.c.sha256 == sha256)
        ).scalar_one_or_none()
        return body or ""

    def model(self, namespace: str, name: str) -> Model | None:
        """Return a model by its full name."""
        found = self._models(
            _MODELS.where(t.models.c.namespace == namespace, t.models.c.name == name)
        )
        return next(iter(found), None)

    def model_by_id(self, model_id: ModelId, *, lock: bool = False) -> Model | None:
        """Return a model by id; `lock` holds the row until the act ends (Postgres)."""
        query = _MODELS.where(t.models.c.id == model_id)
        return next(iter(self._models(query.with_for_update(of=t.models) if lock else query)), None)

    def models_by_id(self, ids: Collection[ModelId]) -> dict[ModelId, Model]:
        """Return models by id, in one query however many."""
        if not ids:
            return {}
        return {m.id: m for m in self._models(_MODELS.where(t.models.c.id.in_(ids)))}

    def models_of_release(self, release_id: ReleaseId) -> list[Model]:
        """Return a release's models, in the order they were made."""
        return self._models(
            _MODELS.where(t.models.c.release_id == release_id).order_by(
                t.models.c.created_at, t.models.c.name
            )
        )

    def models_of_tier(self, code: str) -> list[Model]:
        """Return the models of one tier."""
        return self._models(_MODELS.where(t.models.c.tier == code).order_by(t.models.c.name))

    def list_models(
        self,
        person_id: PersonId | None,
        *,
        author: str | None = None,
        search: str | None = None,
        gated: bool | None = None,
        order: ModelOrder = ModelOrder.NAME,
        after: tuple[str, ...] | None = None,
        limit: int = 100,
    ) -> list[Model]:
        """Return models that this person may perhaps see, after a `place_of` one of them.

        The visibility filter is a superset of `access.decide(See)`; the caller still asks it.
        """
        query = _MODELS.where(_perhaps_visible(person_id))
        if author:
            query = query.where(t.models.c.namespace == author)
        if search:
            words = "%" + search.lower().replace("%", "").replace("_", r"\_") + "%"
            name = func.lower(t.models.c.namespace + "/" + t.models.c.name)
            query = query.where(
                or_(
                    name.like(words, escape="\\"),
                    func.lower(t.models.c.title).like(words, escape="\\"),
                )
            )
        if gated is not None:
            open_tiers = [tier.code for tier in self.tiers if tier.is_open]
            inside = t.models.c.tier.in_(open_tiers)
            query = query.where(~inside if gated else inside)
        return self._models(_in_order(query, order, after).limit(limit))

    def refs(self, model_id: ModelId) -> list[Ref]:
        """Return branches and tags, 'main' first."""
        rows = self._c.execute(
            select(t.refs)
            .where(t.refs.c.model_id == model_id)
            .order_by(t.refs.c.name != "main", t.refs.c.name)
        )
        return [Ref(RefKind(r.kind), r.name, RevisionId(r.revision_id)) for r in rows]

    def revision(self, model_id: ModelId, name: str) -> Revision | None:
        """Return the revision a branch, a tag or a full commit id names, within its model."""
        revision_id: str | None = name
        if not is_commit_id(name):
            revision_id = self._c.execute(
                select(t.refs.c.revision_id).where(
                    t.refs.c.model_id == model_id, t.refs.c.name == name
                )
            ).scalar_one_or_none()
        row = self._c.execute(
            _REVISIONS.where(t.revisions.c.id == revision_id, t.revisions.c.model_id == model_id)
        ).one_or_none()
        return _revision(row) if row is not None else None

    def history(self, model_id: ModelId, head: RevisionId, limit: int = 100) -> list[Revision]:
        """Return the line of revisions that ends at `head`, newest first."""
        rows = self._c.execute(
            _REVISIONS.where(t.revisions.c.model_id == model_id)
            .order_by(t.revisions.c.created_at.desc(), t.revisions.c.id)
            .limit(1000)
        ).all()
        by_id = {row.id: _revision(row) for row in rows}
        line: list[Revision] = []
        step: str | None = head
        while step in by_id and len(line) < limit:
            line.append(by_id[step])
            step = by_id[step].parent_id
        return line

    def files(self, revision_id: RevisionId) -> list[File]:
        """Return the files of a revision by path."""
        rows = self._c.execute(
            select(t.files).where(t.files.c.revision_id == revision_id).order_by(t.files.c.path)
        )
        return [_file(row) for row in rows]

    def file(self, revision_id: RevisionId, path: str) -> File | None:
        """Return one file of a revision."""
        row = self._c.execute(
            select(t.files).where(t.files.c.revision_id == revision_id, t.files.c.path == path)
        ).one_or_none()
        return _file(row) if row is not None else None

    def sizes(self, model_ids: Collection[ModelId]) -> dict[ModelId, tuple[int, int]]:
        """Return (number of files, bytes) of each model's main branch, in one query."""
        if not model_ids:
            return {}
        rows = self._c.execute(
            select(t.refs.c.model_id, func.count(), func.sum(t.files.c.size_bytes))
            .join(t.files, t.files.c.revision_id == t.refs.c.revision_id)
            .where(t.refs.c.name == "main", t.refs.c.model_id.in_(model_ids))
            .group_by(t.refs.c.model_id)
        )
        return {ModelId(m): (count, int(size)) for m, count, size in rows}

    def blobs(self, after: str = "", limit: int = 1000) -> list[tuple[str, int]]:
        """Return (sha256, bytes) of every blob a revision names, by digest, after one (fsck)."""
        rows = self._c.execute(
            select(t.files.c.sha256, func.max(t.files.c.size_bytes))
            .where(t.files.c.sha256 > after)
            .group_by(t.files.c.sha256)
            .order_by(t.files.c.sha256)
            .limit(limit)
        )
        return [(sha256, size) for sha256, size in rows]

    def _models(self, query: Select[Any]) -> list[Model]:
        return [self._model(row) for row in self._c.execute(query)]

    def _model(self, row: Row[Any]) -> Model:
        return Model(
            id=ModelId(row.id),
            namespace=row.namespace,
            name=row.name,
            title=row.title,
            release_id=ReleaseId(row.release_id),
            release_name=row.release_name,
            tier=self.tiers[row.tier],
            visibility=Visibility(row.visibility),
            availability=Availability(row.availability),
            agreements=tuple(AgreementId(a) for a in json.loads(row.agreements)),
            form_sha256=row.form_sha256,
            open_files=frozenset(json.loads(row.open_files)),
            created_at=row.created_at,
            changed_at=row.changed_at,
        )


_TIMES = {ModelOrder.CHANGED: t.models.c.changed_at, ModelOrder.CREATED: t.models.c.created_at}


def place_of(model: Model, order: ModelOrder) -> tuple[str, ...]:
    """Return where a model stands in an order: (namespace, name), behind the time if it counts."""
    name = (model.namespace, model.name)
    match order:
        case ModelOrder.NAME:
            return name
        case ModelOrder.CHANGED:
            return (model.changed_at.isoformat(), *name)
        case ModelOrder.CREATED:
            return (model.created_at.isoformat(), *name)


def _in_order(query: Select[Any], order: ModelOrder, after: tuple[str, ...] | None) -> Select[Any]:
    names = (t.models.c.namespace, t.models.c.name)
    time = _TIMES.get(order)
    if time is None:
        query = query.order_by(*names)
        return query if after is None else query.where(tuple_(*names) > tuple_(*after))
    query = query.order_by(time.desc(), *names)
    if after is None:
        return query
    at, then = datetime.fromisoformat(after[0]), tuple_(*names) > tuple_(*after[1:])
    return query.where(or_(time < at, and_(time == at, then)))


def _perhaps_visible(person_id: PersonId | None) -> Any:
    public = t.models.c.visibility == str(Visibility.PUBLIC)
    if person_id is None:
        return public
    member = t.models.c.namespace.in_(
        select(t.members.c.namespace).where(t.members.c.person_id == person_id)
    )
    holder = t.models.c.id.in_(
        select(t.grant_models.c.model_id)
        .join(t.grants, t.grants.c.id == t.grant_models.c.grant_id)
        .where(t.grants.c.person_id == person_id)
    )
    return or_(public, member, holder)


_REVISIONS = (
    select(
        t.revisions,
        t.contents.c.body.label("message"),
        t.persons.c.username_value.label("author"),
    )
    .outerjoin(t.contents, t.contents.c.sha256 == t.revisions.c.message_sha256)
    .outerjoin(t.persons, t.persons.c.id == t.revisions.c.author_id)
)


def _revision(row: Row[Any]) -> Revision:
    return Revision(
        id=RevisionId(row.id),
        model_id=ModelId(row.model_id),
        parent_id=RevisionId(row.parent_id) if row.parent_id else None,
        manifest_sha256=row.manifest_sha256,
        message=row.message or "",
        author=row.author or "operator",
        created_at=row.created_at,
    )


def _release(row: Row[Any]) -> Release:
    return Release(
        id=ReleaseId(row.id),
        namespace=row.namespace,
        name=row.name,
        title=row.title,
        content_sha256=row.content_sha256,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )


def _file(row: Row[Any]) -> File:
    return File(row.path, row.size_bytes, row.sha256, row.git_oid, row.lfs)
