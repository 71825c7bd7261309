"""What is shown of applications: a lead's own ones, the queue, and the dossier of one case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gatekeeper.db.readers import Readers
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.agreements import TermsState
from gatekeeper.domain.applications import (
    Application,
    ApplicationId,
    ApplicationState,
    Command,
    Draft,
    Hat,
    Message,
    QueueFilter,
    commands_for,
    share_domain,
)
from gatekeeper.domain.catalogue import Model, ModelId, Visibility
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.forms import Form
from gatekeeper.domain.grants import Grant, GrantCommand, grant_commands
from gatekeeper.domain.ledger import Entry, EntryFilter
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import Context, Person, PersonId, Role, Scope, SiteRole
from gatekeeper.services import grants
from gatekeeper.services.applications.conditions import forms_of
from gatekeeper.services.applications.decisions import hats_of
from gatekeeper.services.people import current, need_scope
from gatekeeper.services.ports import House


class CheckState(StrEnum):
    """How a check of a dossier came out; a person decides what follows."""

    OK = "ok"
    WATCH = "watch"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One signal for the reviewer, with where it comes from."""

    title: str
    state: CheckState
    detail: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """One case as its reader may see it; staff see notes, checks and the lead's history.

    `named` are the models of that history which this reader may know of. `shares_domain` asks for a
    note with every decision; `grant_commands` is what the reader may do to each grant.
    """

    application: Application
    lead: Person
    models: Sequence[Model]
    form: Form | None
    messages: Sequence[Message]
    history: Sequence[Entry]
    grants: Sequence[Grant]
    people: Mapping[PersonId, Person]
    hats: frozenset[Hat]
    commands: frozenset[Command]
    approvals_needed: int
    checks: Sequence[Check] = ()
    earlier: Sequence[Application] = ()
    holds: Sequence[Grant] = ()
    named: Mapping[ModelId, Model] = field(default_factory=dict)
    shares_domain: bool = False
    grant_commands: Mapping[GrantId, frozenset[GrantCommand]] = field(default_factory=dict)
    draft: Draft | None = None

    @property
    def is_staff(self) -> bool:
        """Say whether the reader is more than the lead."""
        return bool(self.hats - {Hat.LEAD})


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One case in the queue."""

    application: Application
    lead: Person
    models: Sequence[Model]
    assignee: Person | None


@dataclass(frozen=True, slots=True)
class Mine:
    """A lead's drafts not yet sent and applications, with the models and assignees they name."""

    drafts: Sequence[Draft]
    applications: Sequence[Application]
    models: Mapping[ModelId, Model]
    people: Mapping[PersonId, Person]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who is signed in, and how many open cases they may read (None: they are no staff)."""

    person: Person
    queue_open: int | None


def desk(house: House, ctx: Context) -> Desk | None:
    """Return what every page shows of the actor; None for anybody not signed in."""
    with house.db.reading() as read:
        person = read.people.by_id(ctx.actor.person_id) if ctx.actor.person_id else None
        if person is None:
            return None
        try:
            namespaces = staff_namespaces(read, person)
        except Refused:
            return Desk(person, None)
        return Desk(person, read.applications.count(QueueFilter(namespaces)))


def mine(house: House, ctx: Context) -> Mine:
    """Return the actor's drafts and applications."""
    with house.db.reading() as read:
        person = current(read, ctx)
        applications = read.applications.of_lead(person.id)
        sent = {a.id for a in applications}
        drafts = [d for d in read.ephemeral.drafts_of(person.id) if d.application_id not in sent]
        ids = {m for a in applications for m in a.models} | {m for d in drafts for m in d.models}
        people = read.people.many({a.assignee_id for a in applications if a.assignee_id})
        return Mine(drafts, applications, read.catalogue.models_by_id(ids), people)


def draft(house: House, ctx: Context, application_id: ApplicationId) -> tuple[Draft, list[Model]]:
    """Return the actor's own draft and its models; raises NotFound."""
    with house.db.reading() as read:
        person = current(read, ctx)
        found = read.ephemeral.draft(application_id)
        if found is None or found.lead_id != person.id:
            raise NotFound("no such application")
        return found, list(read.catalogue.models_by_id(found.models).values())


def open_case(house: House, ctx: Context, application_id: ApplicationId) -> Dossier:
    """Return a case to its lead or to staff around its models; raises NotFound to anybody else.

    Who leads a case reads it as its lead, whatever else they are: no notes, no checks.
    """
    with house.db.reading() as read:
        person = current(read, ctx)
        application = read.applications.by_id(application_id)
        hats = hats_of(read, person, application) if application is not None else frozenset()
        if application is None or not hats:
            raise NotFound("no such application")
        if Hat.LEAD in hats:
            hats = frozenset({Hat.LEAD})
        else:
            need_scope(ctx, Scope.REVIEW)
        dossier = _dossier(read, application, hats)
        return _for_staff(house, read, ctx, person, dossier) if dossier.is_staff else dossier


def staff_namespaces(read: Readers, person: Person) -> frozenset[str] | None:
    """Return the namespaces whose cases a person may read; None is all of them (compliance).

    Raises: Refused when there are none.
    """
    if SiteRole.COMPLIANCE in person.site_roles:
        return None
    staff = {Role.HANDLER, Role.REVIEWER, Role.APPROVER}
    memberships = read.people.memberships(person.id)
    found = frozenset(name for name, roles in memberships.items() if roles & staff)
    if not found:
        raise Refused(Reason.WRONG_SCOPE)
    return found


def queue(house: House, ctx: Context, want: QueueFilter) -> tuple[list[QueueRow], int]:
    """Return the cases the actor may work on, oldest first, and how many the filter holds.

    Raises: Refused for somebody who is no staff, or through a token that was not made for it.
    """
    need_scope(ctx, Scope.REVIEW)
    with house.db.reading() as read:
        person = current(read, ctx)
        want = replace(want, namespaces=staff_namespaces(read, person))
        cases = read.applications.queue(want)
        count = read.applications.count(want)
        models = read.catalogue.models_by_id({m for a in cases for m in a.models})
        people = read.people.many(
            {a.lead_id for a in cases} | {a.assignee_id for a in cases if a.assignee_id}
        )
    rows = [
        QueueRow(
            application=a,
            lead=people[a.lead_id],
            models=[models[m] for m in a.models],
            assignee=people.get(a.assignee_id) if a.assignee_id else None,
        )
        for a in cases
    ]
    return rows, count


def counts(house: House, ctx: Context, wants: Sequence[QueueFilter]) -> list[int]:
    """Return how many cases each filter holds, of those the actor may read."""
    need_scope(ctx, Scope.REVIEW)
    with house.db.reading() as read:
        namespaces = staff_namespaces(read, current(read, ctx))
        return [read.applications.count(replace(w, namespaces=namespaces)) for w in wants]


def _dossier(read: Readers, application: Application, hats: frozenset[Hat]) -> Dossier:
    is_staff = bool(hats - {Hat.LEAD})
    lead = read.people.by_id(application.lead_id)
    if lead is None:
        raise NotFound("no such application")
    models = list(read.catalogue.models_by_id(application.models).values())
    messages = read.applications.messages(application.id, internal=is_staff)
    history = list(reversed(read.audit.search(EntryFilter(subjects=[application.id], limit=200))))
    if not is_staff:
        history = [e for e in history if e.data.get("internal") is not True]
    ids = {m.author_id for m in messages if m.author_id}
    ids |= {PersonId(e.actor_id) for e in history if e.actor_id}
    return Dossier(
        application=application,
        lead=lead,
        models=models,
        form=forms_of(read, models, application),
        messages=messages,
        history=history,
        grants=read.grants.of_application(application.id),
        people=read.people.many(
            ids | {lead.id} | ({application.assignee_id} if application.assignee_id else set())
        ),
        hats=hats,
        commands=commands_for(application, hats),
        approvals_needed=max((m.tier.approvals for m in models), default=0),
        draft=read.ephemeral.draft(application.id) if Hat.LEAD in hats else None,
    )


def _for_staff(
    house: House, read: Readers, ctx: Context, person: Person, dossier: Dossier
) -> Dossier:
    lead, models = dossier.lead, dossier.models
    own = dossier.application.id
    earlier = [a for a in read.applications.of_lead(lead.id) if a.id != own]
    holds = read.grants.of_person(lead.id)
    ids = {m for a in earlier for m in a.models} | {m for g in holds for m in g.models}
    here = {m.namespace for m in models}
    named = read.catalogue.models_by_id(ids)
    return replace(
        dossier,
        earlier=earlier,
        holds=holds,
        checks=_checks(house, read, lead, models, earlier),
        named={
            i: m
            for i, m in named.items()
            if m.visibility is Visibility.PUBLIC or m.namespace in here
        },
        shares_domain=share_domain(lead, person, house.policy.public_mail_domains),
        grant_commands={
            g.id: grant_commands(g, grants.hats_for(read, ctx, g), ctx.now) for g in dossier.grants
        },
    )


def _checks(
    house: House,
    read: Readers,
    lead: Person,
    models: Sequence[Model],
    earlier: Sequence[Application],
) -> list[Check]:
    ok, watch, bad = CheckState.OK, CheckState.WATCH, CheckState.BAD
    public = lead.mail_domain in house.policy.public_mail_domains
    terms = read.agreements.terms_of(lead.id, {a for m in models for a in m.agreements})
    accepted = all(state is TermsState.ACCEPTED for state in terms.values())
    refused = [a for a in earlier if a.state is ApplicationState.REJECTED]
    return [
        Check("Address", ok, "verified") if lead.is_verified else Check("Address", bad, "unproven"),
        Check("Mail domain", watch if public else ok,
              f"{lead.mail_domain}, a public provider" if public else lead.mail_domain),
        Check("Affiliation", ok if lead.affiliation else watch, lead.affiliation or "none given"),
        Check("Terms", ok if accepted else watch, "accepted" if accepted else "a version is due"),
        Check("Account", bad if lead.suspended else ok,
              "suspended" if lead.suspended else "in good standing"),
        Check("Earlier refusals", watch if refused else ok, str(len(refused))),
    ]  # fmt: skip
