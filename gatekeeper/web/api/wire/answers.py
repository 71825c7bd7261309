"""What is answered about people, releases, models and agreements. Times are ISO 8601 in UTC.

Not here: applications, grants, links and entries (cases), and how shapes are filled (present).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict

from gatekeeper.domain.access import ClauseState, Reason
from gatekeeper.domain.agreements import Change
from gatekeeper.domain.catalogue import RefKind, Visibility
from gatekeeper.domain.forms import FieldType
from gatekeeper.domain.people import Role, Scope, SiteRole
from gatekeeper.services.publishing.folder import ReleaseContent
from gatekeeper.web.api.wire.problems import NextStep
from gatekeeper.web.api.wire.shapes import Answer

T = TypeVar("T")


class Page(Answer, Generic[T]):
    """A list; `next` is the cursor of the page that follows, null at the end."""

    items: tuple[T, ...]
    next: str | None = None


class Person(Answer):
    """Somebody, as others see them."""

    id: str
    username: str
    name: str


class Document(Answer):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")

    openapi: str
    info: Mapping[str, Any]
    paths: Mapping[str, Any]


# --- me


class Account(Person):
    """The caller's own account."""

    email: str
    affiliation: str
    verified: bool


class Roles(Answer):
    """What the caller may be: for the whole site, and by namespace."""

    site: tuple[SiteRole, ...]
    namespaces: Mapping[str, tuple[Role, ...]]


class Token(Answer):
    """An access token; `hint` is the end of its text, which nobody is shown twice."""

    id: str
    name: str
    scope: Scope
    hint: str
    expires_at: datetime


class TokenRow(Token):
    """An access token in a list; one that has expired or was revoked opens nothing."""

    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class Session(Answer):
    """A browser that is signed in; its `id` opens nothing."""

    id: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class Me(Answer):
    """Who calls; `scopes` is everything the token may do."""

    person: Account
    roles: Roles
    scopes: tuple[Scope, ...]
    token: Token | None


# --- catalogue


class Clause(Answer):
    """One requirement of a model's tier, judged for the caller."""

    requirement: str
    title: str
    state: ClauseState
    detail: str


class Access(Answer):
    """Whether the caller may fetch; if not, the first reason and what to do about it."""

    allowed: bool
    reason: Reason | None
    detail: str
    next_step: NextStep | None


class AskedAgreement(Answer):
    """An agreement a model asks, in the version in force."""

    id: str
    title: str
    version: int
    sha256: str
    accepted: bool


class FormField(Answer):
    """One question of an application form."""

    name: str
    type: FieldType
    label: str
    help: str
    required: bool
    options: tuple[str, ...]
    max_chars: int


class Form(Answer):
    """The questions a model's owner asks; `sha256` names exactly these."""

    title: str
    intro: str
    fields: tuple[FormField, ...]
    sha256: str | None


class File(Answer):
    """A file of a revision."""

    path: str
    size_bytes: int
    sha256: str


class ModelRow(Answer):
    """A model in a list."""

    id: str
    title: str
    release: str
    tier: str
    tier_word: str
    gated: bool
    visibility: Visibility
    changed_at: datetime
    access: Access


class Ref(Answer):
    """A branch or a tag."""

    kind: RefKind
    name: str
    revision: str


class Model(ModelRow):
    """One model with what it asks and what it holds, on its main branch.

    `clauses` is everything its tier asks, with how the caller stands towards each.
    """

    clauses: tuple[Clause, ...]
    agreements: tuple[AskedAgreement, ...]
    form: Form | None
    revision: str | None
    refs: tuple[Ref, ...]
    files: tuple[File, ...]
    open_sibling: str | None


class Files(Answer):
    """The files of one revision; `revision` is its 40-hex id."""

    model: str
    revision: str
    items: tuple[File, ...]
    next: None = None


class Namespace(Answer):
    """What models' names begin with; `new_model_tier` is null where each is decided about."""

    name: str
    new_model_tier: str | None


class ReleaseRow(Answer):
    """A release in a list, with the models the caller may see."""

    id: str
    title: str
    tagline: str
    changed_at: datetime
    models: tuple[ModelRow, ...]


class Release(ReleaseRow):
    """One release with everything its page says: risks, detection guide, stage plan."""

    content: ReleaseContent


# --- agreements


class TermsClause(Answer):
    """One clause, ticked by itself."""

    id: str
    title: str
    text: str


class Agreement(Answer):
    """The version of an agreement that is in force; `sha256` names its exact text."""

    id: str
    version: int
    title: str
    intro: str
    sha256: str
    change: Change
    published_at: datetime
    clauses: tuple[TermsClause, ...]


class Acceptance(Answer):
    """Evidence that the caller accepted one version."""

    id: str
    agreement: str
    version: int
    sha256: str
    clauses: tuple[str, ...]
    typed_name: str
    accepted_at: datetime
