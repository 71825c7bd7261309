"""What is answered about people, releases, models and agreements. Times are ISO 8601 in UTC.

Not here: applications, grants, links and entries (cases), and how shapes are filled (present).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Generic, TypeVar

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


# --- me


class Account(Person):
    """The caller's own account."""

    email: str
    affiliation: str
    verified: bool


class Roles(Answer):
    """What the caller may be: for the whole site, and by namespace."""

    site: tuple[str, ...]
    namespaces: Mapping[str, tuple[str, ...]]


class Token(Answer):
    """The access token the call was made with."""

    name: str
    scope: str
    hint: str
    expires_at: datetime


class Me(Answer):
    """Who calls; `scopes` is everything the token may do."""

    person: Account
    roles: Roles
    scopes: tuple[str, ...]
    token: Token | None


# --- catalogue


class Clause(Answer):
    """One requirement of a model's tier, judged for the caller."""

    requirement: str
    title: str
    state: str
    detail: str


class Access(Answer):
    """Whether the caller may fetch; if not, the first reason and what to do about it."""

    allowed: bool
    reason: str | None
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
    type: str
    label: str
    help: str
    required: bool
    options: tuple[str, ...]
    max_chars: int


class Form(Answer):
    """The questions a model's owner asks."""

    title: str
    intro: str
    fields: tuple[FormField, ...]


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
    visibility: str
    changed_at: datetime
    access: Access


class Ref(Answer):
    """A branch or a tag."""

    kind: str
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
    change: str
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
