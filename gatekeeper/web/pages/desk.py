"""What the review desk shows: the queue's segments and rows, and one case with what may be done.

Every answer here only words what the services say; a button that is missing has its reason in
`Bar.words`. Not here: routes and forms (review).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gatekeeper.domain.applications import (
    OPEN_STATES,
    Application,
    ApplicationState,
    Command,
    Hat,
    Message,
    QueueFilter,
)
from gatekeeper.domain.catalogue import Model, ModelId
from gatekeeper.domain.forms import Field, FieldType
from gatekeeper.domain.grants import Grant, GrantCommand
from gatekeeper.domain.people import Person, PersonId
from gatekeeper.services.applications import granting
from gatekeeper.services.applications.reading import CheckState, Dossier, QueueRow
from gatekeeper.web.pages import entries, filters, reasons
from gatekeeper.web.pages.parts import Pill

_S, _C = ApplicationState, Command

VIEWS: Mapping[str, tuple[str, frozenset[ApplicationState]]] = {
    "mine": ("Mine", OPEN_STATES),
    "all": ("All", OPEN_STATES),
    "waiting": ("With applicant", frozenset({_S.INFO_REQUESTED})),
    "second": ("Second approval", frozenset({_S.SECOND_APPROVAL})),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the queue."""

    id: str
    name: str
    title: str
    tier: str
    affiliation: str
    pill: Pill
    age: str
    is_late: bool


@dataclass(frozen=True, slots=True)
class Post:
    """One message of the thread; `internal` ones are for staff alone."""

    initials: str
    kind: str
    who: str
    at: datetime
    text: str
    internal: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A grant: of this case, with what may be done to it, or of the person's history."""

    id: str
    title: str
    pill: Pill
    ends_at: datetime
    why: str
    commands: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Bar:
    """The decision bar: who decides, in words, and what this person may do now."""

    words: str
    may: frozenset[str]
    approve: str
    ends_on: date
    latest_on: date
    shared_domain: str


def filter_of(view: str, me: Person) -> QueueFilter:
    """Return what a segment of the queue holds."""
    _, states = VIEWS[view]
    return QueueFilter(states=tuple(states), assignee_id=me.id if view == "mine" else None)


def item(row: QueueRow, now: datetime) -> Item:
    """Put one case of the queue into words."""
    case = row.application
    age, is_late = _age(case, row.models, now)
    return Item(
        id=case.id,
        name=row.lead.name or row.lead.id,
        title=title_of(row.models),
        tier=strictest(row.models).tier.code,
        affiliation=row.lead.affiliation,
        pill=_pill(row),
        age=age,
        is_late=is_late,
    )


def title_of(models: Sequence[Model]) -> str:
    """Return `Lyra 1558M`, or `Lyra 1558M and 2 more`."""
    first, *more = [model.title for model in models]
    return f"{first} and {len(more)} more" if more else first


def strictest(models: Sequence[Model]) -> Model:
    """Return the model whose tier asks most."""
    return max(models, key=lambda model: model.tier.rank)


def due_at(case: Application, models: Sequence[Model]) -> datetime | None:
    """Return when the tier's service time is over; None where none is promised."""
    days = max(model.tier.service_days for model in models)
    return case.submitted_at + timedelta(days=days) if days and case.submitted_at else None


def _age(case: Application, models: Sequence[Model], now: datetime) -> tuple[str, bool]:
    if case.submitted_at is None:
        return "", False
    due = due_at(case, models)
    is_late = due is not None and now > due and case.state is not _S.INFO_REQUESTED
    if due is not None and is_late:
        return f"{filters.days(now - due)} overdue", True
    return filters.days(now - case.submitted_at), False


def _pill(row: QueueRow) -> Pill:
    case = row.application
    if case.state is _S.IN_REVIEW and row.assignee is not None:
        return Pill("info", row.assignee.name or "In review")
    return reasons.CASE_PILLS[case.state]


def answers(dossier: Dossier, countries: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return every question and what was answered, in the order of the form."""
    case = dossier.application
    fields = dossier.form.fields if dossier.form is not None else ()
    known = {field.name for field in fields}
    rest = [(name, text) for name, text in case.answers.items() if name not in known]
    return [
        ("Purpose", case.purpose or "Erased"),
        *((f.label, _answer(f, case.answers.get(f.name, ""), countries)) for f in fields),
        *rest,
        ("For the public", case.public_summary or "Nothing"),
    ]


def _answer(field: Field, text: str, countries: Mapping[str, str]) -> str:
    if not text:
        return "Not answered"
    match field.type:
        case FieldType.CHECKBOX:
            return "Yes"
        case FieldType.COUNTRY:
            return countries.get(text, text)
        case FieldType.DATE:
            return _day(text)
        case _:
            return text


def _day(text: str) -> str:
    try:
        return filters.day(date.fromisoformat(text))
    except ValueError:
        return text  # the question was of another type when it was answered


def thread(dossier: Dossier) -> list[Post]:
    """Return the messages, oldest first, each with its author."""
    return [_post(dossier, message) for message in dossier.messages]


def _post(dossier: Dossier, message: Message) -> Post:
    name = name_of(dossier, message.author_id)
    return Post(
        initials=filters.initials(name),
        kind="warn" if message.author_id == dossier.lead.id else "info",
        who=name,
        at=message.at,
        text=message.text or "Erased",
        internal=message.internal,
    )


def name_of(dossier: Dossier, person_id: PersonId | None) -> str:
    """Return the name of somebody in a case."""
    if person_id is None:
        return "The server"
    person = dossier.people.get(person_id)
    return (person.name if person is not None else "") or person_id


_CHECK_ICONS = {CheckState.OK: "ok", CheckState.WATCH: "alert", CheckState.BAD: "no"}
_CHECK_KINDS = {CheckState.OK: "ok", CheckState.WATCH: "warn", CheckState.BAD: "bad"}


def checks(dossier: Dossier) -> list[tuple[str, str, str, str]]:
    """Return kind, icon, title and detail of each check."""
    return [
        (_CHECK_KINDS[check.state], _CHECK_ICONS[check.state], check.title, check.detail)
        for check in dossier.checks
    ]


def history(dossier: Dossier) -> list[tuple[str, str, datetime]]:
    """Return what happened to the case: what, by whom, when; newest first."""
    names = {i: p.name for i, p in dossier.people.items()}
    return [
        (entries.title_of(e.kind), entries.name_of(e, names), e.at)
        for e in reversed(dossier.history)
    ]


def earlier(dossier: Dossier) -> list[tuple[str, str, Pill, datetime]]:
    """Return id, models, state and time of the person's other applications, newest first."""
    return [
        (a.id, _named(dossier, a.models), reasons.CASE_PILLS[a.state], a.changed_at)
        for a in dossier.earlier
    ]


def holds(dossier: Dossier, now: datetime) -> list[Held]:
    """Return what the person holds or held apart from this case."""
    own = dossier.application.id
    return [_held(dossier, g, now) for g in dossier.holds if g.application_id != own]


def grants(dossier: Dossier, now: datetime) -> list[Held]:
    """Return what this case gave, with what may be done to it."""
    return [_held(dossier, grant, now) for grant in dossier.grants]


_GRANT_COMMANDS = {
    GrantCommand.SUSPEND: "Suspend",
    GrantCommand.REINSTATE: "Reinstate",
    GrantCommand.REVOKE: "Revoke",
}


def _held(dossier: Dossier, grant: Grant, now: datetime) -> Held:
    may = dossier.grant_commands.get(grant.id, frozenset())
    return Held(
        id=grant.id,
        title=_named(dossier, grant.models),
        pill=reasons.GRANT_PILLS[grant.state(now)],
        ends_at=grant.ends_at,
        why=reasons.ENDED[grant.reason] if grant.reason is not None else "",
        commands=[(c, words) for c, words in _GRANT_COMMANDS.items() if c in may],
    )


def _named(dossier: Dossier, ids: Sequence[ModelId]) -> str:
    known = {**dossier.named, **{m.id: m for m in dossier.models}}
    found = [known[i] for i in ids if i in known]
    return title_of(found) if found else "Another owner's model"


def bar(dossier: Dossier, me: Person, now: datetime) -> Bar:
    """Return what this person may decide, and in words why not the rest."""
    case = dossier.application
    latest = (now + timedelta(days=granting.longest_days(dossier.models))).date()
    is_second = case.state is _S.SECOND_APPROVAL
    may = dossier.commands & {_C.CLAIM, _C.APPROVE, _C.ASK, _C.RETURN, _C.REJECT, _C.REOPEN}
    if case.assignee_id == me.id:
        may -= {_C.CLAIM}
    if is_second and case.first_approver_id == me.id:
        may -= {_C.APPROVE, _C.RETURN}
    needs_two = dossier.approvals_needed > 1
    approve = "Approve (second of two)" if is_second else "Record first approval"
    return Bar(
        words=_who_decides(dossier, me),
        may=frozenset(str(command) for command in may),
        approve=approve if needs_two else "Approve",
        ends_on=min(case.proposed_ends_on or latest, latest),
        latest_on=latest,
        shared_domain=me.mail_domain if dossier.shares_domain else "",
    )


def _who_decides(dossier: Dossier, me: Person) -> str:
    case = dossier.application
    if not dossier.is_staff:
        return "This is your own application: nobody decides their own."
    if not case.is_open:
        return _decided(dossier)
    if case.state is _S.INFO_REQUESTED:
        return "The applicant was asked. Nothing is decided until they answer."
    if Hat.APPROVER in dossier.hats:
        return _approvals(dossier, me)
    if Hat.HANDLER in dossier.hats:
        return "You claim, ask and write. An approver decides."
    if Hat.COMPLIANCE in dossier.hats:
        return "Compliance reads every case and may stop a grant. It approves nothing."
    return "You advise: write a note. Handlers and approvers act."


def _approvals(dossier: Dossier, me: Person) -> str:
    case = dossier.application
    if dossier.approvals_needed < 2:
        return "One approval is needed."
    if case.state is not _S.SECOND_APPROVAL:
        return "Two approvals are needed. Yours would be the first."
    if case.first_approver_id == me.id:
        return "You gave the first approval. Another person gives the second."
    return f"First approval by {name_of(dossier, case.first_approver_id)}. Yours is the second."


def _decided(dossier: Dossier) -> str:
    case = dossier.application
    if case.state is _S.REJECTED and case.reject_reason is not None:
        return f"Declined: {reasons.REJECTED[case.reject_reason].lower()}."
    return f"{reasons.CASE_PILLS[case.state].text}. Nothing is left to decide."
