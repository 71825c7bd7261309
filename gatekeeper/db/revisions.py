"""Reads what lies in models: revisions, files, branches and tags.

Not here: the models themselves (db/catalogue, whose reader is one of these).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, literal, or_, select

from gatekeeper.db import tables as t
from gatekeeper.db.statements import Prepared
from gatekeeper.db.visible import perhaps_visible
from gatekeeper.domain.catalogue import (
    File,
    ModelId,
    Ref,
    RefKind,
    Revision,
    RevisionId,
    is_commit_id,
)
from gatekeeper.domain.people import PersonId

_REVISIONS = (
    select(
        t.revisions,
        t.contents.c.body.label("message"),
        t.persons.c.username_value.label("author"),
    )
    .outerjoin(t.contents, t.contents.c.sha256 == t.revisions.c.message_sha256)
    .outerjoin(t.persons, t.persons.c.id == t.revisions.c.author_id)
)
_WITHIN = _REVISIONS.where(t.revisions.c.model_id == bindparam("model_id"))
_BY_ID = Prepared(_WITHIN.where(t.revisions.c.id == bindparam("name")))
_BY_REF = Prepared(
    _WITHIN.join(
        t.refs,
        and_(t.refs.c.revision_id == t.revisions.c.id, t.refs.c.model_id == t.revisions.c.model_id),
    ).where(t.refs.c.name == bindparam("name"))
)
_FILE = Prepared(
    select(t.files).where(
        t.files.c.revision_id == bindparam("revision_id"), t.files.c.path == bindparam("path")
    )
)


class RevisionReader:
    """Revisions, files and refs over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

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
        named = _BY_ID if is_commit_id(name) else _BY_REF
        row = named.first(self._c, model_id=model_id, name=name)
        return _revision(row) if row is not None else None

    def heads(self, model_ids: Collection[ModelId]) -> dict[ModelId, Revision]:
        """Return the revision that each model's main branch is at, in one query however many."""
        rows = self._c.execute(
            _REVISIONS.join(t.refs, t.refs.c.revision_id == t.revisions.c.id).where(
                t.refs.c.name == "main", t.refs.c.model_id.in_(model_ids)
            )
        )
        return {ModelId(row.model_id): _revision(row) for row in rows}

    def history(self, model_id: ModelId, head: RevisionId, limit: int = 100) -> list[Revision]:
        """Return the line of revisions that ends at `head`, newest first."""
        c = t.revisions.c
        first = select(c.id, c.parent_id, literal(1).label("steps"))
        line = first.where(c.id == head, c.model_id == model_id).cte(recursive=True)
        older = select(c.id, c.parent_id, line.c.steps + 1)
        line = line.union_all(older.where(c.id == line.c.parent_id, line.c.steps < limit))
        rows = self._c.execute(_REVISIONS.join(line, c.id == line.c.id).order_by(line.c.steps))
        return [_revision(row) for row in rows]

    def files(self, revision_id: RevisionId) -> list[File]:
        """Return the files of a revision by path."""
        return self.files_of([revision_id]).get(revision_id, [])

    def files_of(
        self, revision_ids: Collection[RevisionId], path: str | None = None
    ) -> dict[RevisionId, list[File]]:
        """Return the files of several revisions by path, or of each the one at `path`."""
        query = select(t.files).where(t.files.c.revision_id.in_(revision_ids))
        if path is not None:
            query = query.where(t.files.c.path == path)
        found: dict[RevisionId, list[File]] = {}
        for row in self._c.execute(query.order_by(t.files.c.path)):
            found.setdefault(RevisionId(row.revision_id), []).append(_file(row))
        return found

    def file(self, revision_id: RevisionId, path: str) -> File | None:
        """Return one file of a revision."""
        row = _FILE.first(self._c, revision_id=revision_id, path=path)
        return _file(row) if row is not None else None

    def places(
        self, person_id: PersonId, digests: Collection[str], first: ModelId, limit: int
    ) -> list[tuple[ModelId, File]]:
        """Return in which models blobs are files, one file each, the model `first` first.

        Of the models only that this person perhaps may know of.
        """
        if not digests:
            return []
        f, model_id = t.files.c, t.revisions.c.model_id
        same = (f.sha256, f.size_bytes, f.git_oid, f.lfs)
        rows = self._c.execute(
            select(model_id, func.min(f.path).label("path"), *same)
            .join(t.files, f.revision_id == t.revisions.c.id)
            .join(t.models, t.models.c.id == model_id)
            .where(f.sha256.in_(digests), perhaps_visible(person_id))
            .group_by(model_id, *same)
            .order_by(model_id != first, model_id)
            .limit(limit)
        )
        return [(ModelId(row.model_id), _file(row)) for row in rows]

    def largest_file(self, model_id: ModelId) -> File | None:
        """Return the largest file on a model's main branch, the first by path of several."""
        row = self._c.execute(
            select(t.files)
            .join(t.refs, t.refs.c.revision_id == t.files.c.revision_id)
            .where(t.refs.c.name == "main", t.refs.c.model_id == model_id)
            .order_by(t.files.c.size_bytes.desc(), t.files.c.path)
            .limit(1)
        ).one_or_none()
        return _file(row) if row is not None else None

    def sizes(self, model_ids: Collection[ModelId]) -> dict[ModelId, tuple[int, int]]:
        """Return (number of files, bytes) of each model's main branch, in one query."""
        rows = self._c.execute(
            select(t.refs.c.model_id, func.count(), func.sum(t.files.c.size_bytes))
            .join(t.files, t.files.c.revision_id == t.refs.c.revision_id)
            .where(t.refs.c.name == "main", t.refs.c.model_id.in_(model_ids))
            .group_by(t.refs.c.model_id)
        )
        return {ModelId(m): (count, int(size)) for m, count, size in rows}

    def endings(
        self, model_ids: Collection[ModelId], asked: Sequence[str]
    ) -> dict[ModelId, list[str]]:
        """Return which of these endings the files on each model's main branch have."""
        path = func.lower(t.files.c.path)
        has = [func.max(case((path.like(f"%.{ending}"), 1), else_=0)) for ending in asked]
        rows = self._c.execute(
            select(t.refs.c.model_id, *has)
            .join(t.files, t.files.c.revision_id == t.refs.c.revision_id)
            .where(t.refs.c.name == "main", t.refs.c.model_id.in_(model_ids))
            .group_by(t.refs.c.model_id)
        )
        return {
            ModelId(m): [ending for ending, yes in zip(asked, found, strict=True) if yes]
            for m, *found in rows
        }

    def changes(self, head: RevisionId, line: Sequence[RevisionId]) -> dict[str, RevisionId]:
        """Return which revision of a line that ends at `head` gave each file its present bytes.

        A file that has had them since before the line has none. Files times revisions are compared.
        """
        last, now, old = t.files.alias(), t.files.alias(), t.files.alias()
        rows = self._c.execute(
            select(last.c.path, now.c.revision_id)
            .join(now, and_(now.c.path == last.c.path, now.c.revision_id.in_(line)))
            .join(t.revisions, t.revisions.c.id == now.c.revision_id)
            .outerjoin(
                old,
                and_(old.c.revision_id == t.revisions.c.parent_id, old.c.path == now.c.path),
            )
            .where(last.c.revision_id == head, now.c.sha256 == last.c.sha256)
            .where(or_(old.c.sha256.is_(None), old.c.sha256 != now.c.sha256))
        )
        place = {revision_id: n for n, revision_id in enumerate(line)}
        oldest_first = sorted(rows, key=lambda row: -place[row.revision_id])
        return {path: RevisionId(revision_id) for path, revision_id in oldest_first}

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


def _revision(row: Any) -> Revision:
    return Revision(
        id=RevisionId(row.id),
        model_id=ModelId(row.model_id),
        parent_id=RevisionId(row.parent_id) if row.parent_id else None,
        manifest_sha256=row.manifest_sha256,
        message=row.message or "",
        author=row.author or "operator",
        created_at=row.created_at,
    )


def _file(row: Any) -> File:
    return File(row.path, row.size_bytes, row.sha256, row.git_oid, row.lfs)
