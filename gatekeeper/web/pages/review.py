"""The review desk: the queue, one case, and what staff decide about it and its grants.

A refused form comes back with everything that was typed, and a stale one with the case as it stands
now. Every act checks its guards in the service. Not here: what is shown of a case (desk)
and of the queue (cases_list).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.applications import (
    ApplicationId,
    Command,
    Outcome,
    RejectReason,
    check_command,
    check_version,
)
from gatekeeper.domain.errors import Conflict, Invalid, NotAllowed, NotFound, invalid
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.services import grants
from gatekeeper.services.applications import decisions, drafts, reading
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.applications.reading import Dossier
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import cases_list, desk, reasons
from gatekeeper.web.pages.frame import Viewer, notify, page, see, signed_in, viewer
from gatekeeper.web.pages.wrongs import Wrong, Wrongs, wrongs
from gatekeeper.web.wiring import house

blueprint = Blueprint("review", __name__)

_LABELS = {
    "note": "Text",
    "text": "Text",
    "reason": "Reason",
    "outcome": "Way back",
    "after_on": "Day",
    "ends_on": "Last day",
    "fields": "Answers to change",
    "override_note": "Why this is no conflict",
}
_SAID = {
    VerdictKind.APPROVE: "Your approval is recorded.",
    VerdictKind.REJECT: "Declined. The applicant gets the reason and the text.",
    VerdictKind.ASK: "The question is with the applicant.",
    VerdictKind.RETURN: "Returned to the first approver.",
    VerdictKind.REOPEN: "The case is in review again; what it gave has ended.",
}
# A refusal that is about the applicant, not about who decides.
_LEAD_LACKS = {
    Reason.EMAIL_UNVERIFIED: "The applicant's address is not verified: nothing can be granted yet.",
    Reason.BLOCKLISTED: "The applicant's account is suspended: nothing can be granted.",
}


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into one of the forms; `form` names it, '' when none was sent."""

    form: str = ""
    note: str = ""
    reason: str = ""
    outcome: str = ""
    after_on: str = ""
    ends_on: str = ""
    override_note: str = ""
    grant: str = ""
    fields: tuple[str, ...] = ()

    def of(self, form: str, grant: str = "") -> Typed:
        """Return what belongs into one form (of one grant): this, or nothing."""
        return self if (form, grant) == (self.form, self.grant) else Typed()


@blueprint.get("/review")
@signed_in
def index() -> ResponseReturnValue:
    """Show the queue."""
    return page("review/index.html", case=None, **cases_list.shown(_staff().person))


@blueprint.get("/review/<case_id>")
@signed_in
def show(case_id: str) -> ResponseReturnValue:
    """Show the queue with one case open."""
    return _show(_open(case_id))


@blueprint.post("/review/<case_id>/claim")
@signed_in
def claim(case_id: str) -> ResponseReturnValue:
    """Become the assignee."""
    dossier = _open_for_act(case_id)
    try:
        decisions.claim(house(), session_context(), dossier.application.id, _version())
    except Conflict:
        return _clashed(case_id, Typed("claim"))
    notify("ok", "This case is yours.")
    return _back(case_id)


@blueprint.post("/review/<case_id>/decision")
@signed_in
def decide(case_id: str) -> ResponseReturnValue:
    """Record a verdict: approve, reject, ask or return."""
    dossier = _open_for_act(case_id)
    form = request.form
    typed = Typed(
        form.get("verdict", ""),
        form.get("note", ""),
        form.get("reason", ""),
        form.get("outcome", ""),
        form.get("after_on", ""),
        form.get("ends_on", ""),
        form.get("override_note", ""),
        fields=tuple(form.getlist("fields")),
    )
    try:
        verdict = _verdict(typed)
        # The role first, then whether the page is stale, then what else may be wrong with it.
        check_command(Command(verdict), dossier.application, dossier.hats)
        check_version(dossier.application, _version())
        decision = _decision(typed, verdict)
        decisions.decide(house(), session_context(), dossier.application.id, decision)
    except Invalid as error:
        return _show(_open(case_id), typed, wrongs(error, _LABELS, typed.form)), 422
    except Conflict:
        return _clashed(case_id, typed)
    except Refused as error:
        if error.reason not in _LEAD_LACKS:
            raise
        lacks = Wrongs((Wrong("", "", _LEAD_LACKS[error.reason]),))
        return _show(_open(case_id), typed, lacks), 422
    notify("ok", _SAID[verdict])
    return _back(case_id)


@blueprint.post("/review/<case_id>/message")
@signed_in
def write(case_id: str) -> ResponseReturnValue:
    """Write to the applicant, or a note for staff."""
    dossier = _open_for_act(case_id)
    internal = request.form.get("to") != "applicant"
    typed = Typed("internal" if internal else "applicant", request.form.get("text", ""))
    try:
        decisions.post_message(
            house(), session_context(), dossier.application.id, typed.note, internal=internal
        )
    except Invalid as error:
        return _show(_open(case_id), typed, wrongs(error, _LABELS, typed.form)), 422
    notify("ok", "The note is kept." if internal else "The message is sent.")
    return _back(case_id)


@blueprint.post("/review/<case_id>/grant")
@signed_in
def change_grant(case_id: str) -> ResponseReturnValue:
    """Suspend, reinstate or revoke a grant of this case; in force before the answer."""
    dossier = _open_for_act(case_id)
    form = request.form
    grant = next((g for g in dossier.grants if g.id == form.get("grant")), None)
    if grant is None:
        raise NotFound("no such grant")
    typed = Typed(form.get("command", ""), form.get("note", ""), form.get("reason", ""),
                  grant=grant.id)  # fmt: skip
    command = next((c for c in GrantCommand if c == typed.form), None)
    reason = next((r for r in EndReason if r == typed.reason), None)
    try:
        if command is None:
            raise invalid("reason", "choose what to do with the grant")
        grants.change(house(), session_context(), grant.id, command, reason, typed.note)
    except Invalid as error:
        return _show(_open(case_id), typed, wrongs(error, _LABELS, typed.form)), 422
    except Conflict as error:
        return _clashed(case_id, typed, str(error))
    notify("ok", "It is in force for every request from now on.")
    return _back(case_id)


def _staff() -> Viewer:
    me = viewer()
    if me is None or not me.is_staff:
        raise NotAllowed("G-role", "the review desk is for those who handle applications here")
    return me


def _open(case_id: str) -> Dossier:
    me = viewer()
    if me is None or not me.is_staff:
        raise NotFound("no such application")
    return reading.open_case(house(), session_context(), ApplicationId(case_id))


def _open_for_act(case_id: str) -> Dossier:
    dossier = _open(case_id)
    if not dossier.is_staff:
        raise NotAllowed("G-conflict", "nobody decides their own application")
    return dossier


def _version() -> int:
    version = request.form.get("version", type=int)
    return -1 if version is None else version  # a form without one has seen no version


def _verdict(typed: Typed) -> VerdictKind:
    verdict = next((v for v in VerdictKind if v == typed.form), None)
    if verdict is None:
        raise invalid("verdict", "choose approve, reject, ask or return")
    return verdict


def _decision(typed: Typed, verdict: VerdictKind) -> Decision:
    outcome = next((o for o in Outcome if o == typed.outcome), None)
    if verdict is VerdictKind.REJECT and outcome is None:
        raise invalid("outcome", "choose the way back")
    return Decision(
        verdict=verdict,
        version=_version(),
        note=typed.note,
        reason=next((r for r in RejectReason if r == typed.reason), None),
        outcome=outcome or Outcome.FIXABLE,
        after_on=_day("after_on", typed.after_on) if outcome is Outcome.AFTER else None,
        ends_on=_day("ends_on", typed.ends_on),
        override_note=typed.override_note,
        fields=typed.fields,
    )


def _day(field: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise invalid(field, "write a day as YYYY-MM-DD") from None


def _back(case_id: str) -> ResponseReturnValue:
    return see(f"/review/{case_id}{cases_list.query()}")


def _clashed(case_id: str, typed: Typed, said: str = "") -> ResponseReturnValue:
    """Answer a stale form: who did what meanwhile, the case as it stands, and what was typed."""
    dossier = _open(case_id)
    what, who, _ = desk.history(dossier)[0]
    return _show(dossier, typed, clash=said or f"{what} by {who}"), 409


def _show(
    dossier: Dossier, typed: Typed | None = None, wrong: Wrongs | None = None, clash: str = ""
) -> str:
    now, me = session_context().now, _staff().person
    case, models = dossier.application, dossier.models
    assignee = desk.name_of(dossier, case.assignee_id) if case.assignee_id else ""
    return page(
        "review/index.html",
        case=case,
        pill=reasons.CASE_PILLS[case.state],
        lead=dossier.lead,
        models=models,
        tier=desk.strictest(models).tier.code,
        title=desk.title_of(models),
        due_at=desk.due_at(case, models) if case.is_open else None,
        assignee="you" if case.assignee_id == me.id else assignee,
        is_staff=dossier.is_staff,
        answers=desk.answers(dossier, house().policy.countries),
        questions=dossier.form.fields if dossier.form is not None else (),
        thread=desk.thread(dossier),
        may_write=[to for to in ("note", "message") if to in dossier.commands],
        checks=desk.checks(dossier),
        history=desk.history(dossier),
        earlier=desk.earlier(dossier),
        holds=desk.holds(dossier, now),
        grants=desk.grants(dossier, now),
        bar=desk.bar(dossier, me, now),
        reject_reasons=list(reasons.REJECTED.items()),
        outcomes=list(reasons.WAY_BACK.items()),
        end_reasons=list(reasons.ENDED.items()),
        most_chars=drafts.MAX_MESSAGE_CHARS,
        typed=typed or Typed(),
        wrong=wrong or Wrongs(),
        clash=clash,
        **cases_list.shown(me),
    )
