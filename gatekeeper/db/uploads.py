"""Uploads that are not published yet: rows that end by themselves. What they hold nobody sees.

Not audited: only the revision that is published from them is a fact (services/publishing).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, or_, select, update

from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.domain.catalogue import ModelId
from gatekeeper.domain.people import PersonId
from gatekeeper.domain.uploads import BLOBS, XORBS, Staging, Upload, UploadId, UploadState


def _begins(folder: str) -> ColumnElement[bool]:
    # No LIKE: on SQLite it takes `.GIT` for `.git`.
    return func.substr(t.uploads.c.path, 1, len(folder)) == folder


_IS_XORB = _begins(XORBS)


class Uploads:
    """Reads and writes of uploads over one connection; an expired one is as good as gone."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

    def by_id(self, upload_id: str, person_id: PersonId, now: datetime) -> Upload | None:
        """Return a person's own upload."""
        c = t.uploads.c
        return self._one(c.id == upload_id, c.person_id == person_id, c.expires_at > now)

    def at(self, person_id: PersonId, model_id: ModelId, path: str, now: datetime) -> Upload | None:
        """Return a person's upload for a path of a model."""
        c = t.uploads.c
        mine = (c.person_id == person_id, c.model_id == model_id, c.path == path)
        return self._one(*mine, c.expires_at > now)

    def of(
        self, person_id: PersonId, now: datetime, model_id: ModelId | None = None
    ) -> list[Upload]:
        """Return a person's uploads of files, all of them or one model's, by path.

        Not those that come before a commit names them: they have no path of a file.
        """
        c = t.uploads.c
        mine = [c.person_id == person_id, c.expires_at > now, ~_begins(".git/")]
        if model_id is not None:
            mine.append(c.model_id == model_id)
        rows = self._c.execute(select(t.uploads).where(*mine).order_by(c.path, c.id))
        return [_upload(row) for row in rows]

    def of_model(self, model_id: ModelId) -> list[Upload]:
        """Return everybody's uploads for a model."""
        rows = self._c.execute(select(t.uploads).where(t.uploads.c.model_id == model_id))
        return [_upload(row) for row in rows]

    def within(
        self, person_id: PersonId, model_id: ModelId, folder: str, now: datetime
    ) -> list[Upload]:
        """Return a person's uploads into a folder of a model, whose name ends in a slash."""
        c = t.uploads.c
        mine = (c.person_id == person_id, c.model_id == model_id, c.expires_at > now)
        rows = self._c.execute(select(t.uploads).where(*mine, _begins(folder)))
        return [_upload(row) for row in rows]

    def held(
        self, person_id: PersonId, digests: Collection[str], now: datetime
    ) -> dict[str, Upload]:
        """Return a person's uploads of these very bytes, read and hashed, for whatever model."""
        c = t.uploads.c
        mine = (c.person_id == person_id, c.sha256.in_(digests), c.state == UploadState.READY)
        rows = self._c.execute(select(t.uploads).where(*mine, c.expires_at > now).order_by(c.id))
        return {row.sha256: _upload(row) for row in rows}

    def total(self, person_id: PersonId, now: datetime, *, xorbs: bool = False) -> tuple[int, int]:
        """Return how many uploads a person has, xorbs or the others, and the bytes of them all."""
        c = t.uploads.c
        counted = func.count().filter(_IS_XORB if xorbs else ~_IS_XORB)
        row = self._c.execute(
            select(counted, func.coalesce(func.sum(c.size_bytes), 0)).where(
                c.person_id == person_id, c.expires_at > now
            )
        ).one()
        return int(row[0]), int(row[1])

    def active(self, now: datetime) -> frozenset[UploadId]:
        """Return the ids of all that somebody may still go on with."""
        c = t.uploads.c
        rows = self._c.execute(select(c.id).where(c.expires_at > now))
        return frozenset(UploadId(row.id) for row in rows)

    def expired(self, now: datetime, limit: int = 200) -> list[Upload]:
        """Return uploads that nobody came back to in time, some of them."""
        c = t.uploads.c
        rows = self._c.execute(select(t.uploads).where(c.expires_at <= now).limit(limit))
        return [_upload(row) for row in rows]

    def waits(self, now: datetime) -> bool:
        """Say whether an upload waits to be verified."""
        return self._c.execute(_waiting(now)).one_or_none() is not None

    @writes
    def add(self, upload: Upload) -> None:
        """Keep a new upload, in the place of what the person had for this path of the model."""
        c = t.uploads.c
        mine = (c.person_id == upload.person_id, c.model_id == upload.model_id)
        self._c.execute(delete(t.uploads).where(*mine, c.path == upload.path))
        values = {name: getattr(upload, name) for name in Upload.__slots__ if name != "staging"}
        values |= {name: getattr(upload.staging, name) for name in Staging.__slots__}
        self._c.execute(insert(t.uploads).values(**values))

    @writes
    def keep_until(self, upload_ids: Sequence[UploadId], expires_at: datetime) -> None:
        """Let uploads live longer, or no longer than that."""
        where = t.uploads.c.id.in_(upload_ids)
        self._c.execute(update(t.uploads).where(where).values(expires_at=expires_at))

    @writes
    def move(
        self,
        upload_id: UploadId,
        old: UploadState,
        new: UploadState,
        expires_at: datetime,
        *,
        leased_until: datetime | None = None,
        found: Mapping[str, str] | None = None,
    ) -> bool:
        """Move an upload on, with what was found; False when it is not in the state `old`."""
        c = t.uploads.c
        values = {"state": new, "expires_at": expires_at, "leased_until": leased_until}
        values |= found or {}
        moved = self._c.execute(
            update(t.uploads).where(c.id == upload_id, c.state == old).values(**values)
        )
        return bool(moved.rowcount)

    @writes
    def claim(self, now: datetime, until: datetime) -> Upload | None:
        """Take one upload that waits to be verified; nobody else does before `until`."""
        found = self._c.execute(_waiting(now).with_for_update(skip_locked=True))
        row = found.one_or_none()
        if row is None:
            return None
        where = t.uploads.c.id == row.id
        self._c.execute(update(t.uploads).where(where).values(leased_until=until))
        return _upload(row)

    @writes
    def renew(self, upload_id: UploadId, until: datetime) -> None:
        """Keep a claimed upload for longer."""
        where = t.uploads.c.id == upload_id
        self._c.execute(update(t.uploads).where(where).values(leased_until=until))

    @writes
    def drop(self, upload_ids: Sequence[UploadId]) -> None:
        """Forget uploads."""
        self._c.execute(delete(t.uploads).where(t.uploads.c.id.in_(upload_ids)))

    @writes
    def drop_blobs(self, person_id: PersonId, model_id: ModelId, digests: Collection[str]) -> None:
        """Forget a person's uploads of blobs that a commit to a model has named."""
        c = t.uploads.c
        mine = (c.person_id == person_id, c.model_id == model_id, c.state == UploadState.READY)
        named = c.path.in_([BLOBS + sha256 for sha256 in digests])
        self._c.execute(delete(t.uploads).where(*mine, named))

    def _one(self, *where: Any) -> Upload | None:
        row = self._c.execute(select(t.uploads).where(*where)).one_or_none()
        return _upload(row) if row is not None else None


def _waiting(now: datetime) -> Select[Any]:
    c = t.uploads.c
    is_free = or_(c.leased_until.is_(None), c.leased_until <= now)
    where = (c.state == UploadState.VERIFYING, is_free)
    return select(t.uploads).where(*where).order_by(c.created_at).limit(1)


def _upload(row: Any) -> Upload:
    staging = Staging(*(getattr(row, name) for name in Staging.__slots__))
    names = [name for name in Upload.__slots__ if name != "staging"]
    values = {name: getattr(row, name) for name in names}
    values["state"] = UploadState(values["state"])
    return Upload(staging=staging, **values)
