"""What is answered about applications, grants, links and entries of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from gatekeeper.domain.applications import ApplicationState, Command, RejectReason
from gatekeeper.domain.grants import EndReason, GrantState
from gatekeeper.domain.people import ActorKind
from gatekeeper.services.applications.reading import CheckState
from gatekeeper.web.api.wire.answers import Person
from gatekeeper.web.api.wire.shapes import Answer


class Lead(Person):
    """The person who applies, as they and the staff see them."""

    email: str
    affiliation: str


class Message(Answer):
    """A message of the thread; `internal` ones are shown to staff alone."""

    id: str
    author: Person | None
    text: str
    internal: bool
    at: datetime


class Event(Answer):
    """One entry of the ledger about a case."""

    kind: str
    at: datetime
    actor: Person | None


class Check(Answer):
    """One signal for the reviewer."""

    title: str
    state: CheckState
    detail: str


class Unsent(Answer):
    """What the lead typed after a question and did not send yet."""

    purpose: str
    answers: Mapping[str, str]
    public_summary: str


class ApplicationRow(Answer):
    """An application in a list."""

    id: str
    state: ApplicationState
    version: int
    models: tuple[str, ...]
    lead: Lead
    assignee: Person | None
    submitted_at: datetime | None
    changed_at: datetime


class Application(ApplicationRow):
    """One case as its reader may see it; `commands` is what they may ask of it now.

    `outcome` of a refusal is `fixable`, `after:<date>`, `appealable` or `final`; `checks` are for
    staff; `grants` are the ids of what came of it.
    """

    purpose: str
    answers: Mapping[str, str]
    public_summary: str
    members: tuple[Person, ...]
    messages: tuple[Message, ...]
    history: tuple[Event, ...]
    draft: Unsent | None
    approvals_needed: int
    ends_on: date | None
    reason: RejectReason | None
    outcome: str | None
    commands: tuple[Command, ...]
    grants: tuple[str, ...]
    checks: tuple[Check, ...] | None


class Grant(Answer):
    """The right of one person to fetch models for one purpose."""

    id: str
    person: Person
    models: tuple[str, ...]
    purpose: str
    state: GrantState
    reason: EndReason | None
    application: str | None
    agreement: str | None
    starts_at: datetime
    ends_at: datetime


class Link(Answer):
    """A signed address: a secret for one file until `expires_at`; it needs no sign-in."""

    url: str
    expires_at: datetime
    size_bytes: int
    sha256: str


class DeadLetter(Answer):
    """A mail that will not be tried again; `error` is what the mail server last said."""

    id: int
    kind: str
    person: str
    owed_at: datetime
    tries: int
    error: str


class Retried(Answer):
    """How many mails are tried again."""

    retried: int


class EntryActor(Answer):
    """Who did it: a person, the operator or the system itself."""

    kind: ActorKind
    id: str | None
    name: str | None


class Entry(Answer):
    """A fact as stored; `index` is its leaf in the tree, null until it has one."""

    index: int | None
    event: str
    kind: str
    at: datetime
    actor: EntryActor
    data: Mapping[str, Any]
