"""What staff do with a case: claim, ask, approve, return, reject, reopen; and the thread.

Every verb checks the version that was seen: of two approvers at once one gets Conflict.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gatekeeper.db.readers import Readers
from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.applications import (
    Application,
    ApplicationId,
    ApplicationState,
    Command,
    Decider,
    Hat,
    Outcome,
    RejectReason,
    check_command,
    check_conflict_of_interest,
    check_end,
    check_second_approver,
    check_version,
    check_way_back,
)
from gatekeeper.domain.catalogue import Model, ModelId
from gatekeeper.domain.errors import NotAllowed, NotFound, invalid
from gatekeeper.domain.facts import applications as f
from gatekeeper.domain.people import Context, Person, Role, Scope, SiteRole
from gatekeeper.domain.sealed import Sealed
from gatekeeper.services.applications import granting, reopening
from gatekeeper.services.applications.conditions import forms_of
from gatekeeper.services.applications.drafts import MAX_MESSAGE_CHARS, message_of
from gatekeeper.services.grants import end_of
from gatekeeper.services.people import current, need_scope
from gatekeeper.services.ports import House


class VerdictKind(StrEnum):
    """What a decision says."""

    APPROVE = "approve"
    REJECT = "reject"
    ASK = "ask"
    RETURN = "return"
    REOPEN = "reopen"


_COMMANDS = {
    VerdictKind.APPROVE: Command.APPROVE,
    VerdictKind.REJECT: Command.REJECT,
    VerdictKind.ASK: Command.ASK,
    VerdictKind.RETURN: Command.RETURN,
    VerdictKind.REOPEN: Command.REOPEN,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision as it was typed. `note` is what the applicant reads (staff, for `return`)."""

    verdict: VerdictKind
    version: int
    note: str = ""
    reason: RejectReason | None = None
    outcome: Outcome = Outcome.FIXABLE
    after_on: date | None = None
    ends_on: date | None = None
    override_note: str = ""
    fields: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    application: Application
    lead: Person
    models: Sequence[Model]
    decider: Decider


def hats_of(read: Readers, person: Person, application: Application) -> frozenset[Hat]:
    """Return what a person is towards a case."""
    hats = {Hat.LEAD} if application.lead_id == person.id else set()
    return frozenset(hats | hats_around(read, person, application.models))


def hats_around(read: Readers, person: Person, models: Collection[ModelId]) -> frozenset[Hat]:
    """Return what a person is around models; compliance never approves, whatever else they are."""
    hats = set()
    is_compliance = SiteRole.COMPLIANCE in person.site_roles
    if is_compliance:
        hats.add(Hat.COMPLIANCE)
    memberships = read.people.memberships(person.id)
    for model in read.catalogue.models_by_id(models).values():
        roles = memberships.get(model.namespace, frozenset())
        hats |= {_HATS[role] for role in roles if role in _HATS}
    return frozenset(hats - ({Hat.APPROVER} if is_compliance else set()))


_HATS = {
    Role.HANDLER: Hat.HANDLER,
    Role.REVIEWER: Hat.REVIEWER,
    Role.APPROVER: Hat.APPROVER,
}


def claim(house: House, ctx: Context, application_id: ApplicationId, version: int) -> Application:
    """Become the assignee; raises Conflict when it changed since it was seen."""
    need_scope(ctx, Scope.REVIEW)
    with house.db.acting(ctx) as act:
        case = _open(act, ctx, application_id)
        check_command(Command.CLAIM, case.application, case.decider.hats)
        check_version(case.application, version)
        if case.lead.id == case.decider.person.id:
            check_conflict_of_interest(case.lead, case.decider, frozenset())
        act.record(f.ApplicationClaimed(application_id, case.decider.person.id))
        return _again(act, application_id)


def post_message(
    house: House, ctx: Context, application_id: ApplicationId, text: str, *, internal: bool
) -> Application:
    """Write in the thread; `internal` is a note for staff alone. No version is needed."""
    if not text.strip() or len(text) > MAX_MESSAGE_CHARS:
        raise invalid("text", f"write 1 to {MAX_MESSAGE_CHARS} characters")
    with house.db.acting(ctx) as act:
        case = _open(act, ctx, application_id)
        if internal and Hat.LEAD in case.decider.hats:
            raise NotAllowed("G-conflict", "nobody writes notes for staff in their own case")
        command = Command.NOTE if internal else Command.MESSAGE
        check_command(command, case.application, case.decider.hats)
        if Hat.LEAD not in case.decider.hats or internal:
            need_scope(ctx, Scope.REVIEW)
        act.record(message_of(ctx, application_id, case.decider.person, text, internal=internal))
        return _again(act, application_id)


def decide(
    house: House, ctx: Context, application_id: ApplicationId, decision: Decision
) -> Application:
    """Decide a case; deciding a submitted one claims it in the same act.

    Raises: NotFound, NotAllowed (G-role, G-conflict, G-two), Conflict (version or state; carries
    the current ones), Invalid (reason, note, fields, end date, override note).
    """
    with house.db.acting(ctx) as act:
        return decide_within(house, act, ctx, application_id, decision)


def decide_within(
    house: House, act: Act, ctx: Context, application_id: ApplicationId, decision: Decision
) -> Application:
    """Decide a case inside an act, as `decide`."""
    need_scope(ctx, Scope.REVIEW)
    if len(decision.note) > MAX_MESSAGE_CHARS or len(decision.override_note) > MAX_MESSAGE_CHARS:
        raise invalid("note", f"at most {MAX_MESSAGE_CHARS} characters")
    case = _open(act, ctx, application_id, override_note=decision.override_note)
    if case.decider.person.id == case.lead.id:
        check_conflict_of_interest(case.lead, case.decider, frozenset())
    check_command(_COMMANDS[decision.verdict], case.application, case.decider.hats)
    check_version(case.application, decision.version)
    domains = house.policy.public_mail_domains
    override = check_conflict_of_interest(case.lead, case.decider, domains)
    if case.application.state is ApplicationState.SUBMITTED:
        act.record(f.ApplicationClaimed(application_id, case.decider.person.id))
    if override:
        _note_override(act, ctx, case)
    _DECIDE[decision.verdict](act, ctx, case, decision, override)
    return _again(act, application_id)


def _approve(act: Act, ctx: Context, case: _Case, decision: Decision, override: bool) -> None:
    application, me = case.application, case.decider.person.id
    _check_lead(case)
    longest = granting.longest_days(case.models)
    ends_on = decision.ends_on or application.proposed_ends_on or end_of(ctx, longest).date()
    check_end(ends_on, ctx.now.date(), longest)
    needs_two = max(m.tier.approvals for m in case.models) > 1
    if needs_two and application.state is not ApplicationState.SECOND_APPROVAL:
        first = f.ApplicationApprovedFirst(
            application.id, me, ends_on, override, *_note(ctx, decision)
        )
        act.record(first)
        return
    check_second_approver(application, case.decider)
    act.record(f.ApplicationApproved(application.id, me, ends_on, override, *_note(ctx, decision)))
    granting.create_grant(act, ctx, application.id, ends_on)


def _check_lead(case: _Case) -> None:
    if not case.lead.is_verified:
        raise Refused(Reason.EMAIL_UNVERIFIED, application_id=case.application.id)
    if case.lead.suspended:
        raise Refused(Reason.BLOCKLISTED, application_id=case.application.id)


def _note(ctx: Context, decision: Decision) -> tuple[str | None, Sealed | None]:
    """Return id and sealed text of what the decision says to the applicant, if anything."""
    if not decision.note.strip():
        return None, None
    return ctx.new_id("msg"), ctx.sealed("text", decision.note.strip())


def _reject(act: Act, ctx: Context, case: _Case, decision: Decision, _override: bool) -> None:
    if decision.reason is None:
        raise invalid("reason", "choose why: one of " + ", ".join(RejectReason))
    check_way_back(decision.outcome, decision.after_on, ctx.now.date())
    act.record(
        f.ApplicationRejected(
            application_id=case.application.id,
            approver_id=case.decider.person.id,
            reason=decision.reason,
            outcome=decision.outcome,
            after_on=decision.after_on,
            message_id=ctx.new_id("msg"),
            text=ctx.sealed("text", _needed(decision, "say to the applicant why")),
        )
    )


def _ask(act: Act, ctx: Context, case: _Case, decision: Decision, _override: bool) -> None:
    act.record(
        f.InformationRequested(
            application_id=case.application.id,
            message_id=ctx.new_id("msg"),
            author_id=case.decider.person.id,
            text=ctx.sealed("text", _needed(decision, "write the question")),
            fields=_asked_fields(act, case, decision),
        )
    )


def _asked_fields(act: Act, case: _Case, decision: Decision) -> tuple[str, ...]:
    """Return the form's fields that are asked about: an entry holds names of those and no text."""
    form = forms_of(act, case.models, case.application)
    known = {field.name for field in form.fields} if form is not None else set()
    if not known.issuperset(decision.fields):
        raise invalid("fields", "name fields of the form this application was made with")
    return tuple(dict.fromkeys(decision.fields))


def _return(act: Act, ctx: Context, case: _Case, decision: Decision, _override: bool) -> None:
    check_second_approver(case.application, case.decider)
    act.record(
        f.ApplicationReturned(
            application_id=case.application.id,
            approver_id=case.decider.person.id,
            message_id=ctx.new_id("msg"),
            text=ctx.sealed("text", _needed(decision, "tell the first approver why")),
        )
    )


def _reopen(act: Act, ctx: Context, case: _Case, decision: Decision, _override: bool) -> None:
    text = _needed(decision, "say to the applicant why")
    reopening.reopen(act, ctx, case.application, case.decider.person.id, text)


_DECIDE = {
    VerdictKind.APPROVE: _approve,
    VerdictKind.REJECT: _reject,
    VerdictKind.ASK: _ask,
    VerdictKind.RETURN: _return,
    VerdictKind.REOPEN: _reopen,
}


def _needed(decision: Decision, detail: str) -> str:
    if not decision.note.strip():
        raise invalid("note", detail)
    return decision.note.strip()


def _note_override(act: Act, ctx: Context, case: _Case) -> None:
    text = f"Same mail domain as the applicant. {case.decider.override_note.strip()}"
    act.record(message_of(ctx, case.application.id, case.decider.person, text, internal=True))


def _open(
    act: Act, ctx: Context, application_id: ApplicationId, *, override_note: str = ""
) -> _Case:
    """Lock lead and case, in that order, and return them for somebody who may know of them."""
    person = current(act, ctx)
    found = act.applications.by_id(application_id)
    lead = act.people.by_id(found.lead_id, lock=True) if found is not None else None
    application = act.applications.by_id(application_id, lock=True)
    if application is None or lead is None:
        raise NotFound("no such application")
    hats = hats_of(act, person, application)
    if not hats:
        raise NotFound("no such application")
    models = list(act.catalogue.models_by_id(application.models).values())
    return _Case(application, lead, models, Decider(person, hats, override_note))


def _again(act: Act, application_id: ApplicationId) -> Application:
    application = act.applications.by_id(application_id)
    assert application is not None  # noqa: S101  it was recorded just now
    return application
