"""Reads namespaces, releases and models, and of which there are pages.

Not here: what lies in a model (db/revisions), who may see it (domain/access).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from gatekeeper.db import tables as t
from gatekeeper.db.revisions import RevisionReader
from gatekeeper.db.statements import Prepared
from gatekeeper.db.visible import perhaps_visible
from gatekeeper.domain.catalogue import (
    AgreementId,
    Availability,
    Model,
    ModelId,
    ModelOrder,
    Namespace,
    Release,
    ReleaseId,
    Visibility,
)
from gatekeeper.domain.people import PersonId
from gatekeeper.domain.tiers import Tiers

_MODELS = select(t.models, t.releases.c.name.label("release_name")).join(
    t.releases, t.releases.c.id == t.models.c.release_id
)
_MODEL = Prepared(
    _MODELS.where(
        t.models.c.namespace == bindparam("namespace"), t.models.c.name == bindparam("name")
    )
)
_MODEL_BY_ID = Prepared(_MODELS.where(t.models.c.id == bindparam("id")))


class CatalogueReader(RevisionReader):
    """The catalogue over one connection."""

    def __init__(self, connection: Connection, tiers: Tiers) -> None:
        super().__init__(connection)
        self.tiers = tiers

    def namespace(self, name: str) -> Namespace | None:
        """Return a namespace."""
        return self.namespaces([name]).get(name)

    def namespaces(self, names: Collection[str]) -> dict[str, Namespace]:
        """Return namespaces by name, in one query however many."""
        rows = self._c.execute(select(t.namespaces).where(t.namespaces.c.name.in_(names)))
        return {row.name: Namespace(row.name, row.title, row.new_model_tier) for row in rows}

    def release(self, namespace: str, name: str) -> Release | None:
        """Return a release by its full name."""
        where = (t.releases.c.namespace == namespace, t.releases.c.name == name)
        row = self._c.execute(select(t.releases).where(*where)).one_or_none()
        return _release(row) if row is not None else None

    def release_by_id(self, release_id: ReleaseId) -> Release | None:
        """Return a release by id."""
        row = self._c.execute(select(t.releases).where(t.releases.c.id == release_id)).one_or_none()
        return _release(row) if row is not None else None

    def releases(
        self,
        person_id: PersonId | None,
        *,
        after: tuple[datetime, str] | None = None,
        limit: int = 100,
    ) -> list[Release]:
        """Return releases, last changed first, after a (changed_at, id).

        Each has a model that this person may perhaps see, as `list_models` says it.
        """
        r = t.releases.c
        query = select(t.releases).where(
            exists().where(t.models.c.release_id == r.id, perhaps_visible(person_id))
        )
        if after is not None:
            place = tuple_(literal(after[0], t.Moment()), after[1])
            query = query.where(tuple_(r.changed_at, r.id) < place)
        rows = self._c.execute(query.order_by(r.changed_at.desc(), r.id.desc()).limit(limit))
        return [_release(row) for row in rows]

    def content(self, sha256: str) -> str:
        """Return a public text by its digest, '' when it is gone."""
        return self.contents([sha256]).get(sha256, "")

    def contents(self, digests: Collection[str]) -> dict[str, str]:
        """Return public texts by digest, in one query however many; none for one that is gone."""
        c = t.contents.c
        rows = self._c.execute(select(c.sha256, c.body).where(c.sha256.in_(digests)))
        return {sha256: body for sha256, body in rows if body is not None}

    def model(self, namespace: str, name: str) -> Model | None:
        """Return a model by its full name."""
        row = _MODEL.first(self._c, namespace=namespace, name=name)
        return self._model(row) if row is not None else None

    def formerly(self, namespace: str, name: str) -> Model | None:
        """Return the model that had this name before."""
        old = t.former_names.c
        had = select(old.model_id).where(old.namespace == namespace, old.name == name)
        return next(iter(self._models(_MODELS.where(t.models.c.id.in_(had)))), None)

    def is_somebodys(self, model_id: ModelId) -> bool:
        """Say whether anybody was ever granted a model, or applied for it."""
        granted, applied = t.grant_models.c, t.application_models.c
        found = select(
            or_(
                exists().where(granted.model_id == model_id),
                exists().where(applied.model_id == model_id),
            )
        )
        return bool(self._c.execute(found).scalar_one())

    def model_by_id(self, model_id: ModelId) -> Model | None:
        """Return a model by id."""
        row = _MODEL_BY_ID.first(self._c, id=model_id)
        return self._model(row) if row is not None else None

    def models_by_id(self, ids: Collection[ModelId]) -> dict[ModelId, Model]:
        """Return models by id, in one query however many."""
        if not ids:
            return {}
        return {m.id: m for m in self._models(_MODELS.where(t.models.c.id.in_(ids)))}

    def models_of_release(self, release_id: ReleaseId) -> list[Model]:
        """Return a release's models, in the order they were made."""
        return self.models_of_releases([release_id])

    def models_of_releases(self, release_ids: Collection[ReleaseId]) -> list[Model]:
        """Return the models of several releases, in the order they were made."""
        inside = t.models.c.release_id.in_(release_ids)
        return self._models(_MODELS.where(inside).order_by(t.models.c.created_at, t.models.c.name))

    def models_of_tier(self, code: str) -> list[Model]:
        """Return the models of one tier."""
        return self._models(_MODELS.where(t.models.c.tier == code).order_by(t.models.c.name))

    def list_models(
        self,
        person_id: PersonId | None,
        *,
        author: str | None = None,
        search: Collection[str] = (),
        gated: bool | None = None,
        asking: AgreementId | None = None,
        order: ModelOrder = ModelOrder.NAME,
        after: tuple[str, ...] | None = None,
        limit: int = 100,
    ) -> list[Model]:
        """Return models that this person may perhaps see, after a `place_of` one of them.

        The visibility filter is a superset of `access.decide(See)`; the caller still asks it.
        Each text of `search` is in the name or the title. `asking` narrows to the models that ask
        for an agreement.
        """
        query = _MODELS.where(perhaps_visible(person_id))
        if author:
            query = query.where(t.models.c.namespace == author)
        if asking is not None:
            query = query.where(t.models.c.agreements.contains(json.dumps(asking), autoescape=True))
        for each in search:
            words = "%" + each.lower().replace("%", "").replace("_", r"\_") + "%"
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

    def _models(self, query: Select[Any]) -> list[Model]:
        return [self._model(row) for row in self._c.execute(query)]

    def _model(self, row: Any) -> Model:
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
            is_decided=row.is_decided,
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
    query = query.order_by(time.desc(), *(name.desc() for name in names))
    if after is None:
        return query
    at = literal(datetime.fromisoformat(after[0]), t.Moment())
    return query.where(tuple_(time, *names) < tuple_(at, *after[1:]))


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
