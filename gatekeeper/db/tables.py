"""Every table, without behaviour, in one file: the schema is read whole.

Columns named `*_value` and `*_salt` may be erased at any time.

Audited tables are projections of the ledger: only `changes` writes them, from a fact, and each row
points to the event that last changed it. Not audited: the last block (ephemeral, outbox).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime as microseconds since 1970: sorts and compares alike everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        """Turn an aware datetime into microseconds."""
        if value is None:
            return None
        delta = value - _EPOCH
        return delta.days * 86_400_000_000 + delta.seconds * 1_000_000 + delta.microseconds

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        """Turn microseconds into an aware UTC datetime."""
        if value is None:
            return None
        return _EPOCH + timedelta(microseconds=value)


Serial = BigInteger().with_variant(Integer, "sqlite")


def _sealed(name: str, *, nullable: bool = False) -> tuple[Column[Any], ...]:
    return (
        Column(f"{name}_value", Text),
        Column(f"{name}_salt", Text),
        Column(f"{name}_commitment", Text, nullable=nullable),
    )


def _id(name: str = "id") -> Column[Any]:
    return Column(name, Text, primary_key=True)


def _event() -> Column[Any]:
    return Column("event_id", Text, nullable=False)


# --- the ledger ---------------------------------------------------------------------------------

entries = Table(
    "entries",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Text),
    Column("body", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Index("ix_entries_kind_id", "kind", "id"),
    Index("ix_entries_at_id", "at", "id"),
)

leaves = Table(
    "leaves",
    metadata,
    Column("leaf_index", Serial, primary_key=True, autoincrement=False),
    Column("entry_id", BigInteger, ForeignKey("entries.id"), nullable=False, unique=True),
    Column("hash", LargeBinary, nullable=False),
)

# Which entries speak of whom: search by person, model, application or grant.
mentions = Table(
    "mentions",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("entry_id", BigInteger, ForeignKey("entries.id"), primary_key=True),
)

# Entries that wait for a leaf (Postgres); the sequencer empties it.
unsequenced = Table(
    "unsequenced", metadata, Column("entry_id", BigInteger, primary_key=True, autoincrement=False)
)

# The stored compact range: one row.
tree = Table(
    "tree",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
)

# --- projections ----------------------------------------------------------------------------------

# Public texts by digest: manifests, release contents, forms, agreement sources, paths.
contents = Table("contents", metadata, _id("sha256"), Column("body", Text))

persons = Table(
    "persons",
    metadata,
    _id(),
    *_sealed("username"),
    *_sealed("email"),
    *_sealed("name"),
    *_sealed("affiliation"),
    *_sealed("password"),
    Column("verified_at", Moment),
    Column("suspended", Boolean, nullable=False),
    *_sealed("note", nullable=True),
    Column("created_at", Moment, nullable=False),
    _event(),
    Index("uq_persons_username_value", "username_value", unique=True),
    Index("uq_persons_email_value", "email_value", unique=True),
)

site_roles = Table(
    "site_roles",
    metadata,
    Column("person_id", Text, ForeignKey("persons.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    _event(),
)

namespaces = Table(
    "namespaces",
    metadata,
    _id("name"),
    Column("title", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("new_model_tier", Text, nullable=False),
    _event(),
)

members = Table(
    "members",
    metadata,
    Column("namespace", Text, ForeignKey("namespaces.name"), primary_key=True),
    Column("person_id", Text, ForeignKey("persons.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    _event(),
    Index("ix_members_person_id", "person_id"),
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    Column("person_id", Text, ForeignKey("persons.id"), nullable=False),
    *_sealed("name"),
    Column("scope", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    _event(),
    Index("ix_tokens_person_id", "person_id"),
)

releases = Table(
    "releases",
    metadata,
    _id(),
    Column("namespace", Text, ForeignKey("namespaces.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("content_sha256", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    _event(),
    Index("uq_releases_namespace_name", "namespace", "name", unique=True),
    Index("ix_releases_changed_at_id", "changed_at", "id"),
)

models = Table(
    "models",
    metadata,
    _id(),
    Column("release_id", Text, ForeignKey("releases.id"), nullable=False),
    Column("namespace", Text, ForeignKey("namespaces.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    Column("availability", Text, nullable=False),
    Column("agreements", Text, nullable=False),
    Column("form_sha256", Text),
    Column("open_files", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("is_decided", Boolean, nullable=False),
    _event(),
    Index("uq_models_namespace_name", "namespace", "name", unique=True),
    Index("ix_models_release_id", "release_id"),
    Index("ix_models_changed_at", "changed_at", "namespace", "name"),
    Index("ix_models_created_at", "created_at", "namespace", "name"),
)

# Names that models had before; one that a model bears now is looked up there first.
former_names = Table(
    "former_names",
    metadata,
    Column("namespace", Text, ForeignKey("namespaces.name"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("model_id", Text, ForeignKey("models.id"), nullable=False),
    _event(),
    Index("ix_former_names_model_id", "model_id"),
)

revisions = Table(
    "revisions",
    metadata,
    _id(),
    Column("model_id", Text, ForeignKey("models.id"), nullable=False),
    Column("parent_id", Text),
    Column("manifest_sha256", Text, nullable=False),
    Column("message_sha256", Text, nullable=False),
    Column("author_id", Text),
    Column("created_at", Moment, nullable=False),
    _event(),
    Index("ix_revisions_model_id_created_at", "model_id", "created_at"),
)

# Derived from the manifest text when the revision is recorded.
files = Table(
    "files",
    metadata,
    Column("revision_id", Text, ForeignKey("revisions.id"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("git_oid", Text, nullable=False),
    Column("lfs", Boolean, nullable=False),
    Index("ix_files_sha256", "sha256"),
)

refs = Table(
    "refs",
    metadata,
    Column("model_id", Text, ForeignKey("models.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("revision_id", Text, ForeignKey("revisions.id"), nullable=False),
    _event(),
)

agreements = Table(
    "agreements",
    metadata,
    Column("agreement_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("change", Text, nullable=False),
    Column("source_sha256", Text, nullable=False),
    Column("text_sha256", Text, nullable=False),
    Column("published_at", Moment, nullable=False),
    _event(),
)

acceptances = Table(
    "acceptances",
    metadata,
    _id(),
    Column("person_id", Text, ForeignKey("persons.id"), nullable=False),
    Column("agreement_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("text_sha256", Text, nullable=False),
    Column("clauses", Text, nullable=False),
    *_sealed("typed_name"),
    Column("model_id", Text),
    Column("accepted_at", Moment, nullable=False),
    _event(),
    Index("ix_acceptances_person_id_agreement_id", "person_id", "agreement_id"),
    Index("ix_acceptances_agreement_id", "agreement_id"),
)

applications = Table(
    "applications",
    metadata,
    _id(),
    Column("lead_id", Text, ForeignKey("persons.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("assignee_id", Text),
    Column("form_sha256", Text),
    *_sealed("purpose"),
    *_sealed("answers"),
    *_sealed("public_summary"),
    Column("first_approver_id", Text),
    Column("proposed_ends_on", Text),
    Column("reject_reason", Text),
    Column("outcome", Text),
    Column("after_on", Text),
    Column("submitted_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    _event(),
    Index("ix_applications_lead_id", "lead_id"),
    Index("ix_applications_state_submitted_at_id", "state", "submitted_at", "id"),
)

application_models = Table(
    "application_models",
    metadata,
    Column("application_id", Text, ForeignKey("applications.id"), primary_key=True),
    Column("model_id", Text, ForeignKey("models.id"), primary_key=True),
    Index("ix_application_models_model_id", "model_id"),
)

messages = Table(
    "messages",
    metadata,
    _id(),
    Column("application_id", Text, ForeignKey("applications.id"), nullable=False),
    Column("author_id", Text),
    *_sealed("text"),
    Column("internal", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
    _event(),
    Index("ix_messages_application_id_at", "application_id", "at"),
)

grants = Table(
    "grants",
    metadata,
    _id(),
    Column("person_id", Text, ForeignKey("persons.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("application_id", Text),
    Column("agreement_id", Text),
    Column("reason", Text),
    *_sealed("note", nullable=True),
    Column("changed_at", Moment, nullable=False),
    _event(),
    Column("mac", LargeBinary, nullable=False),
    Index("ix_grants_person_id", "person_id"),
    Index("ix_grants_application_id", "application_id"),
)

grant_models = Table(
    "grant_models",
    metadata,
    Column("grant_id", Text, ForeignKey("grants.id"), primary_key=True),
    Column("model_id", Text, ForeignKey("models.id"), primary_key=True),
    Column("starts_at", Moment, nullable=False),  # the grant's own: a model's newest come in order
    Index("ix_grant_models_model_id", "model_id", "starts_at", "grant_id"),
)

links = Table(
    "links",
    metadata,
    _id(),
    Column("person_id", Text, nullable=False),
    Column("grant_id", Text),
    Column("model_id", Text, nullable=False),
    Column("revision_id", Text, nullable=False),
    Column("path_sha256", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("expires_at", Moment, nullable=False),
    _event(),
)

# Once per person, file and hour; `basis` says what the yes rested on.
servings = Table(
    "servings",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("grant_id", Text, primary_key=True),
    Column("model_id", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("hour", Moment, primary_key=True),
    _event(),
)

refusals = Table(
    "refusals",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("model_id", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("hour", Moment, primary_key=True),
    _event(),
)

# --- not audited: the outbox and what is ephemeral; nothing here may change a verdict -----------

outbox = Table(
    "outbox",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("page", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("owed_at", Moment, nullable=False),
    Column("next_try_at", Moment),
    Column("tries", Integer, nullable=False),
    Column("sent_at", Moment),
    Column("last_error", Text),
    Index("ix_outbox_next_try_at", "next_try_at"),
    Index("ix_outbox_sent_at_next_try_at", "sent_at", "next_try_at"),
    Index("uq_outbox_event_kind_person", "event_id", "kind", "person_id", unique=True),
)

# What the log backend "delivered", shown at /dev/mail in a demo.
letters = Table(
    "letters",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("to_address", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("sent_at", Moment, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    _id("digest"),
    Column("person_id", Text),
    Column("payload", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_sessions_person_id", "person_id"),
    Index("ix_sessions_expires_at", "expires_at"),
)

drafts = Table(
    "drafts",
    metadata,
    _id("application_id"),
    Column("lead_id", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("answers", Text, nullable=False),
    Column("public_summary", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("saved_at", Moment, nullable=False),
    Index("ix_drafts_lead_id", "lead_id"),
)

token_uses = Table(
    "token_uses", metadata, _id("token_id"), Column("used_at", Moment, nullable=False)
)

# Requests and bytes offered since the last roll-up; `person_id` is '' for anybody.
counters = Table(
    "counters",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("model_id", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("hour", Moment, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("bytes_offered", BigInteger, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_sha256", Text, nullable=False),
    Column("status", Integer),
    Column("answer", Text),
    Column("at", Moment, nullable=False),
    Index("ix_idempotency_keys_at", "at"),
)

# Who asked for an account and has not proven the address yet.
registrants = Table(
    "registrants",
    metadata,
    _id(),
    Column("email", Text, nullable=False, unique=True),
    Column("username", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("affiliation", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_registrants_username", "username"),
    Index("ix_registrants_expires_at", "expires_at"),
)

# Programs that wait for a person to let them in.
devices = Table(
    "devices",
    metadata,
    _id("digest"),
    Column("user_code", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("person_id", Text),
    Column("scope", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("polled_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_devices_user_code", "user_code"),
    Index("ix_devices_expires_at", "expires_at"),
)

# What `publish` already hashed: a re-run after a kill reads only what changed.
publish_marks = Table(
    "publish_marks",
    metadata,
    _id("source"),
    Column("sha256", Text, nullable=False),
    Column("git_sha1", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),
)

# One row with the number of the state that verdicts rest on (SQLite); triggers raise it.
generation = Table(
    "generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)

# Uploads in parts until they are published; `key` is the store's own word for the staging.
uploads = Table(
    "uploads",
    metadata,
    _id(),
    Column("person_id", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("part_bytes", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("mark", Text, nullable=False),
    Column("announced_sha256", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("git_sha1", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("leased_until", Moment),
    Index("uq_uploads_person_model_path", "person_id", "model_id", "path", unique=True),
    Index("ix_uploads_state", "state"),
    Index("ix_uploads_expires_at", "expires_at"),
)

EPHEMERAL = (
    generation,
    outbox,
    letters,
    sessions,
    drafts,
    token_uses,
    counters,
    idempotency_keys,
    registrants,
    devices,
    publish_marks,
    uploads,
)
LEDGER = (entries, leaves, mentions, unsequenced, tree)
PROJECTIONS = tuple(t for t in metadata.sorted_tables if t not in EPHEMERAL + LEDGER)
