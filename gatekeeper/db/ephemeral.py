"""The named exception to "the fact is the write": what may be lost without changing a verdict.

Sessions, unsubmitted drafts, counters, idempotency keys, last use of tokens, publish marks, and
kept letters. Nothing here is read by the one rule.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import itemgetter

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gatekeeper.db import outbox
from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.db.statements import Prepared
from gatekeeper.domain.applications import ApplicationId, Draft
from gatekeeper.domain.catalogue import ModelId
from gatekeeper.domain.errors import MailFailed
from gatekeeper.domain.notices import DeadLetter
from gatekeeper.domain.people import PersonId


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A browser session; `digest` is SHA-256 of the cookie, `payload` JSON of the site's own."""

    digest: str
    person_id: PersonId | None
    payload: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Count:
    """Requests answered and bytes offered for one file, by one person ('' anybody), in one hour."""

    person_id: str
    model_id: ModelId
    sha256: str
    hour: datetime
    requests: int
    bytes_offered: int


@dataclass(frozen=True, slots=True)
class IdempotentAnswer:
    """What an earlier request with the same key asked and got (`status` None: still running)."""

    request_sha256: str
    status: int | None
    answer: str | None


class Ephemeral:
    """Reads and writes of rows that may be lost, over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

    # --- sessions

    def session(self, digest: str, now: datetime) -> SessionRow | None:
        """Return a live session."""
        row = self._c.execute(
            select(t.sessions).where(t.sessions.c.digest == digest, t.sessions.c.expires_at > now)
        ).one_or_none()
        return _session(row) if row is not None else None

    def sessions_of(self, person_id: PersonId, now: datetime) -> list[SessionRow]:
        """Return a person's live sessions, newest first."""
        rows = self._c.execute(
            select(t.sessions)
            .where(t.sessions.c.person_id == person_id, t.sessions.c.expires_at > now)
            .order_by(t.sessions.c.seen_at.desc())
        )
        return [_session(row) for row in rows]

    @writes
    def begin_session(self, session: SessionRow) -> None:
        """Insert a session."""
        row = {name: getattr(session, name) for name in SessionRow.__slots__}
        self._c.execute(insert(t.sessions).values(**row))

    @writes
    def keep_session(self, session: SessionRow) -> None:
        """Write a session's payload and times; one that was ended meanwhile stays ended."""
        s = t.sessions.c
        self._c.execute(
            update(t.sessions)
            .where(s.digest == session.digest)
            .values(
                payload=session.payload,
                seen_at=session.seen_at,
                expires_at=session.expires_at,
            )
        )

    @writes
    def end_session(self, digest: str) -> None:
        """Delete one session; the cookie opens nothing from the next request on."""
        self._c.execute(delete(t.sessions).where(t.sessions.c.digest == digest))

    @writes
    def end_sessions_of(self, person_id: PersonId, but: str = "") -> None:
        """Delete a person's sessions, except the one with the digest `but`."""
        self._c.execute(
            delete(t.sessions).where(
                t.sessions.c.person_id == person_id, t.sessions.c.digest != but
            )
        )

    @writes
    def sweep(self, now: datetime, day_ago: datetime) -> None:
        """Delete what has ended: sessions past their time, idempotency keys past a day."""
        self._c.execute(delete(t.sessions).where(t.sessions.c.expires_at <= now))
        self._c.execute(delete(t.idempotency_keys).where(t.idempotency_keys.c.at <= day_ago))

    # --- drafts

    def draft(self, application_id: ApplicationId) -> Draft | None:
        """Return a draft."""
        row = self._c.execute(
            select(t.drafts).where(t.drafts.c.application_id == application_id)
        ).one_or_none()
        return _draft(row) if row is not None else None

    def drafts_of(self, lead_id: PersonId) -> list[Draft]:
        """Return a person's drafts, newest first."""
        rows = self._c.execute(
            select(t.drafts)
            .where(t.drafts.c.lead_id == lead_id)
            .order_by(t.drafts.c.saved_at.desc())
        )
        return [_draft(row) for row in rows]

    @writes
    def save_draft(self, draft: Draft) -> None:
        """Insert or replace a draft."""
        row = {name: getattr(draft, name) for name in Draft.__slots__}
        row["models"] = json.dumps(list(draft.models))
        row["answers"] = json.dumps(dict(draft.answers), ensure_ascii=False)
        _upsert(self._c, t.drafts, ["application_id"], row)

    @writes
    def delete_draft(self, application_id: ApplicationId) -> None:
        """Delete a draft; nothing else knew of it."""
        self._c.execute(delete(t.drafts).where(t.drafts.c.application_id == application_id))

    @writes
    def delete_drafts_for(self, model_id: ModelId) -> None:
        """Delete every draft that names a model."""
        named = t.drafts.c.models.contains(json.dumps(model_id), autoescape=True)
        self._c.execute(delete(t.drafts).where(named))

    # --- tokens, counters

    @writes
    def note_token_use(self, token_id: str, now: datetime) -> None:
        """Note that a token was used."""
        _upsert(self._c, t.token_uses, ["token_id"], {"token_id": token_id, "used_at": now})

    @writes
    def add_counts(self, counts: Sequence[Count]) -> None:
        """Add to the counters."""
        keys = ["person_id", "model_id", "sha256", "hour"]
        rows = [{name: getattr(count, name) for name in Count.__slots__} for count in counts]
        rows.sort(key=itemgetter(*keys))  # two servers that add at once wait, and do not deadlock
        _upsert(self._c, t.counters, keys, *rows, add=("requests", "bytes_offered"))

    @writes
    def take_counts(self, before: datetime, limit: int = 50) -> list[Count]:
        """Take identified people's counters of hours before `before` out, for the roll-up.

        Of several takers at once each gets its own.
        """
        c = t.counters.c
        rows = self._c.execute(
            select(t.counters)
            .where(c.hour < before, c.person_id != "")
            .order_by(c.hour, c.person_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        for r in rows:
            self._c.execute(
                delete(t.counters).where(
                    c.person_id == r.person_id,
                    c.model_id == r.model_id,
                    c.sha256 == r.sha256,
                    c.hour == r.hour,
                )
            )
        return [Count(*r) for r in rows]

    # --- idempotency keys

    @writes
    def claim_key(
        self, person_id: PersonId, key: str, request_sha256: str, now: datetime, since: datetime
    ) -> IdempotentAnswer | None:
        """Claim a key for a request; return what an earlier one, later than `since`, asked and got.

        The caller serialises claims of one key.
        """
        k = t.idempotency_keys.c
        where = (k.person_id == person_id, k.key == key)
        row = self._c.execute(select(t.idempotency_keys).where(*where, k.at > since)).one_or_none()
        if row is not None:
            return IdempotentAnswer(row.request_sha256, row.status, row.answer)
        self._c.execute(delete(t.idempotency_keys).where(*where))
        self._c.execute(
            insert(t.idempotency_keys).values(
                person_id=person_id, key=key, request_sha256=request_sha256, at=now
            )
        )
        return None

    @writes
    def keep_answer(self, person_id: PersonId, key: str, status: int, answer: str) -> None:
        """Keep the answer a key replays."""
        self._c.execute(
            update(t.idempotency_keys)
            .where(t.idempotency_keys.c.person_id == person_id, t.idempotency_keys.c.key == key)
            .values(status=status, answer=answer)
        )

    @writes
    def release_key(self, person_id: PersonId, key: str) -> None:
        """Give a key back after a request that changed nothing."""
        self._c.execute(
            delete(t.idempotency_keys).where(
                t.idempotency_keys.c.person_id == person_id, t.idempotency_keys.c.key == key
            )
        )

    # --- publishing, letters

    def publish_mark(self, source: str) -> tuple[str, str, int] | None:
        """Return (sha256, git SHA-1, bytes) of a source file hashed before."""
        m = t.publish_marks.c
        row = self._c.execute(
            select(m.sha256, m.git_sha1, m.size_bytes).where(m.source == source)
        ).one_or_none()
        return (row.sha256, row.git_sha1, row.size_bytes) if row is not None else None

    @writes
    def keep_publish_mark(
        self, source: str, sha256: str, git_sha1: str, size_bytes: int, now: datetime
    ) -> None:
        """Keep what a source file hashed to."""
        _upsert(
            self._c,
            t.publish_marks,
            ["source"],
            {"source": source, "sha256": sha256, "git_sha1": git_sha1, "size_bytes": size_bytes,
             "at": now},
        )  # fmt: skip

    def letters(self, limit: int = 100) -> list[tuple[str, str, str, datetime]]:
        """Return kept letters, newest first: address, subject, text, when."""
        rows = self._c.execute(select(t.letters).order_by(t.letters.c.id.desc()).limit(limit))
        return [(r.to_address, r.subject, r.text, r.sent_at) for r in rows]

    # --- the outbox as the sender needs it

    def claim_mail(self, now: datetime, lease_seconds: int) -> list[outbox.OwedMail]:
        """Take mails whose next try has come; nobody else does for the lease."""
        return outbox.claim_due(self._c, now, lease_seconds)

    def mail_backlog(self) -> outbox.Backlog:
        """Return how many mails wait or are dead."""
        return outbox.backlog(self._c)

    def dead_mail(self, before: int | None, limit: int) -> list[DeadLetter]:
        """Return mails that will not be tried again, the newest first."""
        return outbox.dead(self._c, before, limit)

    def retry_mail(self, ids: Collection[int] | None, now: datetime) -> int:
        """Let mails that were given up be tried again; return how many."""
        return outbox.retry(self._c, ids, now)

    def mail_sent(self, mail_id: int, now: datetime) -> None:
        """Note that a mail left."""
        outbox.mark_sent(self._c, mail_id, now)

    def mail_failed(self, mail: outbox.OwedMail, error: MailFailed, now: datetime) -> None:
        """Note that a mail could not be sent."""
        outbox.mark_failed(self._c, mail, error, now)

    def keep_letter(self, to_address: str, subject: str, body: str, now: datetime) -> None:
        """Keep a letter for /dev/mail."""
        outbox.keep_letter(self._c, to_address, subject, body, now)


def _upsert(
    connection: Connection,
    table: Table,
    keys: Sequence[str],
    *rows: Mapping[str, object],
    add: Sequence[str] = (),
) -> None:
    """Insert rows or change those with the same keys; `add` names what is added to."""
    if rows:
        dialect, columns = connection.dialect.name, tuple(rows[0])
        _upserting(dialect, table, tuple(keys), columns, tuple(add)).run(connection, *rows)


@cache
def _upserting(
    dialect: str, table: Table, keys: Sequence[str], columns: Sequence[str], add: Sequence[str]
) -> Prepared:
    builder = sqlite if dialect == "sqlite" else postgresql
    statement = builder.insert(table).values({name: bindparam(name) for name in columns})
    new = statement.excluded
    changed = {
        name: table.c[name] + new[name] if name in add else new[name]
        for name in columns
        if name not in keys
    }
    return Prepared(statement.on_conflict_do_update(index_elements=list(keys), set_=changed))


def _session(row: object) -> SessionRow:
    return SessionRow(*(getattr(row, name) for name in SessionRow.__slots__))


def _draft(row: object) -> Draft:
    values = {name: getattr(row, name) for name in Draft.__slots__}
    values["models"] = tuple(json.loads(values["models"]))
    values["answers"] = json.loads(values["answers"])
    return Draft(**values)
