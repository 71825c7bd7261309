"""Rows of namespaces, releases, models, revisions, files and refs."""

from __future__ import annotations

import json
from typing import assert_never

from sqlalchemy import Connection, delete, insert, select, tuple_

from gatekeeper.db import tables as t
from gatekeeper.db.changes.rows import add, change, keep
from gatekeeper.db.ledger import Stamp
from gatekeeper.domain.catalogue import Availability, ModelId, RefKind
from gatekeeper.domain.facts import CatalogueFact
from gatekeeper.domain.facts import catalogue as f


def apply(connection: Connection, stamp: Stamp, fact: CatalogueFact) -> None:  # noqa: C901  a match
    """Write what one fact about the catalogue changed."""
    match fact:
        case f.NamespaceAdded():
            add(
                connection, t.namespaces, name=fact.namespace, title=fact.title,
                created_at=stamp.context.now, new_model_tier="", event_id=stamp.event_id,
            )  # fmt: skip
        case f.NewModelTierChosen():
            default = {"new_model_tier": fact.tier, "event_id": stamp.event_id}
            change(connection, t.namespaces, t.namespaces.c.name == fact.namespace, default)
        case f.ReleaseCreated() | f.ReleaseContentChanged():
            _release(connection, stamp, fact)
        case f.TierLeftOpen() | f.TierChosen() | f.ModelTightened():
            _choose(connection, stamp, fact)
        case f.ModelCreated() | f.ModelTermsChanged():
            _model(connection, stamp, fact)
        case f.ModelMoved():
            _move(connection, stamp, fact)
        case f.ModelDeleted():
            _delete(connection, fact.model_id)
        case f.RevisionPublished():
            _publish(connection, stamp, fact)
        case f.RefSet():
            _set_ref(connection, stamp, fact)
        case f.RefRemoved():
            _remove_ref(connection, fact)
            _touch(connection, stamp, fact.model_id)
        case _:
            assert_never(fact)


def _release(
    connection: Connection, stamp: Stamp, fact: f.ReleaseCreated | f.ReleaseContentChanged
) -> None:
    now = stamp.context.now
    row = {
        "title": fact.title,
        "content_sha256": keep(connection, fact.content),
        "changed_at": now,
        "event_id": stamp.event_id,
    }
    if isinstance(fact, f.ReleaseContentChanged):
        change(connection, t.releases, t.releases.c.id == fact.release_id, row)
        return
    add(
        connection, t.releases, id=fact.release_id, namespace=fact.namespace, name=fact.name,
        created_at=now, **row,
    )  # fmt: skip


def _choose(
    connection: Connection, stamp: Stamp, fact: f.TierLeftOpen | f.TierChosen | f.ModelTightened
) -> None:
    row: dict[str, object] = {"is_decided": not isinstance(fact, f.TierLeftOpen)}
    if not isinstance(fact, f.TierLeftOpen):
        row["tier"] = fact.tier
    change(connection, t.models, t.models.c.id == fact.model_id, row)
    _touch(connection, stamp, fact.model_id)


def _model(
    connection: Connection, stamp: Stamp, fact: f.ModelCreated | f.ModelTermsChanged
) -> None:
    row: dict[str, object] = {
        "changed_at": stamp.context.now,
        "event_id": stamp.event_id,
        "title": fact.title,
        "visibility": str(fact.visibility),
        "agreements": json.dumps(list(fact.agreements)),
        "form_sha256": keep(connection, fact.form) if fact.form is not None else None,
        "open_files": json.dumps(list(fact.open_files)),
    }
    if isinstance(fact, f.ModelTermsChanged):
        change(connection, t.models, t.models.c.id == fact.model_id, row)
        return
    add(
        connection, t.models, id=fact.model_id, release_id=fact.release_id,
        namespace=fact.namespace, name=fact.name, tier=fact.tier,
        availability=str(Availability.PUBLISHED), created_at=stamp.context.now,
        is_decided=True, **row,
    )  # fmt: skip


def _move(connection: Connection, stamp: Stamp, fact: f.ModelMoved) -> None:
    m, old = t.models.c, t.former_names.c
    was = connection.execute(select(m.namespace, m.name).where(m.id == fact.model_id)).one()
    names = [(was.namespace, was.name), (fact.namespace, fact.name)]
    connection.execute(delete(t.former_names).where(tuple_(old.namespace, old.name).in_(names)))
    add(
        connection, t.former_names, namespace=was.namespace, name=was.name,
        model_id=fact.model_id, event_id=stamp.event_id,
    )  # fmt: skip
    row = {"release_id": fact.release_id, "namespace": fact.namespace, "name": fact.name}
    change(connection, t.models, m.id == fact.model_id, row)
    _touch(connection, stamp, fact.model_id)


def _delete(connection: Connection, model_id: ModelId) -> None:
    own = select(t.revisions.c.id).where(t.revisions.c.model_id == model_id)
    connection.execute(delete(t.files).where(t.files.c.revision_id.in_(own)))
    for table in (t.refs, t.revisions, t.former_names):
        connection.execute(delete(table).where(table.c.model_id == model_id))
    connection.execute(delete(t.models).where(t.models.c.id == model_id))


def _publish(connection: Connection, stamp: Stamp, fact: f.RevisionPublished) -> None:
    add(
        connection,
        t.revisions,
        id=fact.revision_id,
        model_id=fact.model_id,
        parent_id=fact.parent_id,
        manifest_sha256=keep(connection, fact.manifest),
        message_sha256=keep(connection, fact.message),
        author_id=stamp.context.actor.person_id,
        created_at=stamp.context.now,
        event_id=stamp.event_id,
    )
    manifest = connection.execute(
        select(t.contents.c.body).where(t.contents.c.sha256 == fact.manifest.sha256)
    ).scalar_one()
    rows = [{"revision_id": fact.revision_id, **json.loads(line)} for line in manifest.splitlines()]
    if rows:
        connection.execute(insert(t.files), rows)
    ref = f.RefSet(fact.model_id, RefKind.BRANCH, fact.branch, fact.revision_id)
    _set_ref(connection, stamp, ref)


def _set_ref(connection: Connection, stamp: Stamp, fact: f.RefSet) -> None:
    _remove_ref(connection, fact)
    add(
        connection, t.refs, model_id=fact.model_id, name=fact.name, kind=str(fact.kind),
        revision_id=fact.revision_id, event_id=stamp.event_id,
    )  # fmt: skip
    _touch(connection, stamp, fact.model_id)


def _remove_ref(connection: Connection, fact: f.RefSet | f.RefRemoved) -> None:
    connection.execute(
        delete(t.refs).where(t.refs.c.model_id == fact.model_id, t.refs.c.name == fact.name)
    )


def _touch(connection: Connection, stamp: Stamp, model_id: ModelId) -> None:
    row = {"changed_at": stamp.context.now, "event_id": stamp.event_id}
    change(connection, t.models, t.models.c.id == model_id, row)
