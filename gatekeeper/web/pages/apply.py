"""Addresses of applying: the form with its draft, one's applications, agreements and receipts.

Every form works without JavaScript, and what was typed is never lost: a refusal shows it again.
Not here: what the pages say (application_form, case_page, terms_page).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from flask import Blueprint, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.applications import ApplicationId, Draft
from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.errors import Conflict, Invalid, NotFound, TermsOutdated
from gatekeeper.domain.people import Person
from gatekeeper.services import agreements, catalogue
from gatekeeper.services.agreements import Signing
from gatekeeper.services.applications import decisions, drafts, reading
from gatekeeper.services.applications.drafts import Submission, Typed
from gatekeeper.services.catalogue import ModelView
from gatekeeper.web import wording
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import application_form, case_page, terms_page
from gatekeeper.web.pages.access_page import receipt_path
from gatekeeper.web.pages.application_form import Filled, unsigned
from gatekeeper.web.pages.catalogue import named
from gatekeeper.web.pages.frame import notify, page, see, signed_in, viewer
from gatekeeper.web.pages.parts import Note
from gatekeeper.web.pages.standing import is_accepted
from gatekeeper.web.pages.wrongs import Wrongs, wrongs
from gatekeeper.web.wiring import house

blueprint = Blueprint("apply", __name__)

_WAITING = {Reason.PENDING, Reason.RETURNED}


# --- the form ---


@blueprint.get("/apply/<owner>/<name>")
@signed_in
def form(owner: str, name: str) -> ResponseReturnValue:
    """Show the form, or send on whoever needs none: to the terms, the case or the files."""
    view = _find(owner, name)
    if (elsewhere := _elsewhere(view)) is not None:
        return redirect(elsewhere)
    draft = _draft(view)
    before = view.judged.standing.application
    filled = application_form.of_draft(draft, before.answers if before is not None else {})
    return _form(view, filled, "Kept in your drafts" if draft else "Not saved yet", Wrongs())


@blueprint.post("/apply/<owner>/<name>")
@signed_in
def send(owner: str, name: str) -> ResponseReturnValue:
    """Save, discard, or sign and submit; whatever is refused, the typed text is kept."""
    view = _find(owner, name)
    filled = application_form.of_request(
        request.form.to_dict(flat=False), view.form, unsigned(view)
    )
    act = request.form.get("act", "save")
    if act == "discard":
        return _discard(view)
    try:
        draft = _save(view, filled, filled.version)
        if act == "submit":
            return _submit(view, draft, filled)
    except (Conflict, Invalid, Refused, TermsOutdated) as error:
        return _refused(view, filled, error)
    notify("ok", "Your draft is saved.", "You find it under your applications.")
    return see("/applications")


@blueprint.post("/apply/<owner>/<name>/draft")
@signed_in
def autosave(owner: str, name: str) -> ResponseReturnValue:
    """Save the draft as it is typed; answers its version, or 409 when it changed elsewhere."""
    view = _find(owner, name)
    filled = application_form.of_request(request.form.to_dict(flat=False), view.form, ())
    try:
        saved = _save(view, filled, filled.version)
    except Conflict as error:
        return jsonify(version=error.version), 409
    except Invalid:
        return jsonify(version=filled.version), 422
    return jsonify(version=saved.version)


def _find(owner: str, name: str) -> ModelView:
    return catalogue.model(house(), session_context(), *named(owner, name))


def _elsewhere(view: ModelView) -> str | None:
    model, verdict = view.model, view.judged.verdict
    case = view.judged.standing.application
    if verdict.allowed:
        return f"/access/{model.full_name}"
    if verdict.reason in _WAITING and case is not None:
        return f"/applications/{case.id}"
    if is_accepted(model):
        due = unsigned(view) or list(view.agreements)
        return f"/agreements/{due[0].id}?model={model.full_name}" if due else f"/{model.full_name}"
    if not model.tier.is_granted:
        return f"/{model.full_name}"
    return None


def _draft(view: ModelView) -> Draft | None:
    mine = reading.mine(house(), session_context())
    return next((d for d in mine.drafts if view.model.id in d.models), None)


def _save(view: ModelView, filled: Filled, version: int) -> Draft:
    ctx, draft = session_context(), _draft(view)
    if draft is None:
        return drafts.start(house(), ctx, [(view.model.namespace, view.model.name)], filled.typed)
    return drafts.save(house(), ctx, draft.application_id, filled.typed, version or None)


def _submit(view: ModelView, draft: Draft, filled: Filled) -> ResponseReturnValue:
    wrong = application_form.faults(house(), filled, view.form, unsigned(view), _me())
    if wrong.errors:
        body = _form(view, _at(filled, draft), "Saved just now", wrong)
        return body, 422
    submission = Submission(None, filled.signings)
    sent = drafts.submit(house(), session_context(), draft.application_id, submission)
    notify("ok", "Sent.", f"Your application is {sent.id}. A receipt is on its way by mail.")
    return see(f"/applications/{sent.id}")


def _at(filled: Filled, draft: Draft) -> Filled:
    return Filled(filled.typed, filled.signings, draft.version)


def _discard(view: ModelView) -> ResponseReturnValue:
    draft = _draft(view)
    if draft is not None:
        drafts.withdraw(house(), session_context(), draft.application_id, None)
    notify("info", "Your draft is discarded.")
    return see(f"/{view.model.full_name}")


def _refused(
    view: ModelView, filled: Filled, error: Conflict | Invalid | Refused | TermsOutdated
) -> ResponseReturnValue:
    """Show the form again with what was typed, and why it did not go."""
    draft = _draft(view)
    kept = Filled(filled.typed, filled.signings, draft.version if draft is not None else 0)
    match error:
        case Invalid():
            labels = {f.name: f.label for f in view.form.fields} if view.form is not None else {}
            return _form(view, kept, "Not saved", wrongs(error, labels)), 422
        case Conflict():
            note = Note("warn", "This changed elsewhere.", f"{error}. Below is what you typed.")
            return _form(view, kept, "Not saved", Wrongs(), note), 409
        case TermsOutdated():
            note = Note("warn", "The terms changed.", f"{error}. Read them again below.")
            return _form(view, kept, "Saved just now", Wrongs(), note), 409
        case Refused():
            step = wording.step(error)
            note = Note("bad", step.said, step.do)
            return _form(view, kept, "Saved just now", Wrongs(), note), 403


def _form(
    view: ModelView, filled: Filled, saved: str, wrong: Wrongs, warning: Note | None = None
) -> str:
    values = application_form.values(
        house(), view, _me(), _accepted(), filled, saved, wrong, warning
    )
    return page("apply/apply.html", **values)


def _accepted() -> Mapping[tuple[AgreementId, int], datetime]:
    mine = agreements.mine(house(), session_context())
    return {(v.id, v.version): a.accepted_at for a, v in mine}


def _me() -> Person:
    me = viewer()
    assert me is not None  # noqa: S101  every view that asks is behind `signed_in`
    return me.person


# --- applications ---


@blueprint.get("/applications")
@signed_in
def applications() -> ResponseReturnValue:
    """List one's drafts and applications."""
    mine = reading.mine(house(), session_context())
    return page("apply/applications.html", **case_page.listed(mine))


@blueprint.get("/applications/<case_id>")
@signed_in
def application(case_id: str) -> ResponseReturnValue:
    """Show one's own application; staff read cases at /review."""
    return _case(case_id)


@blueprint.post("/applications/<case_id>/message")
@signed_in
def write(case_id: str) -> ResponseReturnValue:
    """Write in the thread."""
    text = request.form.get("text", "").replace("\r\n", "\n")
    _own(case_id)
    try:
        decisions.post_message(
            house(), session_context(), ApplicationId(case_id), text, internal=False
        )
    except Invalid as error:
        return _case(case_id, wrongs(error, {"text": "Write a message"}), message=text), 422
    return see(f"/applications/{case_id}#thread")


@blueprint.post("/applications/<case_id>/answer")
@signed_in
def answer(case_id: str) -> ResponseReturnValue:
    """Answer the reviewer's question: changed answers, a message, and back to review."""
    dossier = _own(case_id)
    fields = dossier.form.fields if dossier.form is not None else ()
    answers = {
        f.name: request.form.get(f"answer-{f.name}", "").replace("\r\n", "\n") for f in fields
    }
    typed = Typed(answers=answers)
    seen = request.form.get("version", 0, type=int)
    ctx, found = session_context(), ApplicationId(case_id)
    try:
        drafts.save(house(), ctx, found, typed, seen)
        drafts.submit(house(), ctx, found, Submission(seen))
    except Invalid as error:
        labels = {f.name: f.label for f in fields}
        return _case(case_id, wrongs(error, labels, "answer"), typed), 422
    except Conflict as error:
        notify("warn", "This changed meanwhile.", f"{error}.")
        return _case(case_id, typed=typed), 409
    if message := request.form.get("message", "").strip():
        decisions.post_message(house(), ctx, found, message[: drafts.MAX_MESSAGE_CHARS],
                               internal=False)  # fmt: skip
    notify("ok", "Sent back.", "The reviewers have your answer; the clock runs again.")
    return see(f"/applications/{case_id}")


@blueprint.post("/applications/<case_id>/withdraw")
@signed_in
def withdraw(case_id: str) -> ResponseReturnValue:
    """Take the application back."""
    _own(case_id)
    seen = request.form.get("version", 0, type=int)
    try:
        drafts.withdraw(house(), session_context(), ApplicationId(case_id), seen)
    except Conflict as error:
        notify("warn", "This changed meanwhile.", f"{error}.")
        return _case(case_id), 409
    notify("info", "Withdrawn.", "Nobody decides on it any more.")
    return see(f"/applications/{case_id}")


def _own(case_id: str) -> reading.Dossier:
    dossier = reading.open_case(house(), session_context(), ApplicationId(case_id))
    if dossier.application.lead_id != _me().id:
        raise NotFound("no such application")
    return dossier


def _case(
    case_id: str, wrong: Wrongs | None = None, typed: Typed | None = None, message: str = ""
) -> str:
    values = case_page.values(house(), _own(case_id), wrong or Wrongs(), typed, message)
    return page("apply/application.html", **values)


# --- agreements ---


@blueprint.get("/agreements/<agreement_id>")
def agreement(agreement_id: str) -> ResponseReturnValue:
    """Show an agreement, at `?version=` or the one in force; who is signed in may accept it."""
    version = request.args.get("version", type=int)
    shown = agreements.show(house(), AgreementId(agreement_id), version)
    model = _model_name(request.args.get("model", ""))
    values = terms_page.values(house(), session_context(), shown, model)
    return page("apply/agreement.html", **values)


@blueprint.post("/agreements/<agreement_id>")
@signed_in
def accept(agreement_id: str) -> ResponseReturnValue:
    """Accept the version in force; what needs nobody's decision is granted at once."""
    found, form, ctx = AgreementId(agreement_id), request.form, session_context()
    signing = Signing(
        form.get(f"sha256-{found}", ""), form.getlist(f"clause-{found}"), form.get("typed_name", "")
    )
    try:
        # Every visible model that asks no more than this is granted, not only the one asked for.
        accepted, _ = agreements.accept(house(), ctx, found, signing)
    except (Invalid, TermsOutdated) as error:
        shown = agreements.show(house(), found)
        labels = {"clauses": shown.title, "typed_name": application_form.NAME}
        wrong = wrongs(error, labels) if isinstance(error, Invalid) else Wrongs()
        if isinstance(error, TermsOutdated):
            notify("warn", "The text changed.", f"{error}. Read it again.")
        model = _model_name(form.get("model", ""))
        values = terms_page.values(house(), ctx, shown, model, signing, wrong)
        status = 422 if isinstance(error, Invalid) else 409
        return page("apply/agreement.html", **values), status
    return see(receipt_path(found, accepted.id))


@blueprint.get("/agreements/<agreement_id>/receipts/<acceptance_id>")
@signed_in
def receipt(agreement_id: str, acceptance_id: str) -> ResponseReturnValue:
    """Show the receipt of one's own acceptance, made to be printed."""
    values = terms_page.receipt(house(), session_context(), _me(), acceptance_id)
    if values is None or values["agreement"].id != agreement_id:
        raise NotFound("no such receipt")
    return page("apply/accepted.html", **values)


def _model_name(text: str) -> str:
    """Return `owner/name` of a model the viewer may see, '' for anything else."""
    owner, slash, name = text.partition("/")
    if not slash:
        return ""
    try:
        return _find(owner, name).model.full_name
    except NotFound:
        return ""
