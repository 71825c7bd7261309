"""Addresses of applying: the form and its draft; one's cases (cases) and the terms (terms) as well.

Every form works without JavaScript, and what was typed is never lost: a refusal shows it again.
Not here: what the page says (apply_page), what was typed (application_form).
"""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.applications import Application, Draft, may_reapply
from gatekeeper.domain.errors import Conflict, Invalid, TermsOutdated
from gatekeeper.domain.people import Person
from gatekeeper.services.applications import drafts
from gatekeeper.services.applications.drafts import Submission
from gatekeeper.services.catalogue import ModelView
from gatekeeper.web import wording
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import application_form as forms
from gatekeeper.web.pages import apply_page, cases, terms
from gatekeeper.web.pages.application_form import Filled, Target
from gatekeeper.web.pages.catalogue import find
from gatekeeper.web.pages.frame import notify, page, see, signed_in, viewer
from gatekeeper.web.pages.parts import Action, Note
from gatekeeper.web.pages.standing import is_accepted, next_step
from gatekeeper.web.pages.wrongs import Wrongs, wrongs
from gatekeeper.web.wiring import house

blueprint = Blueprint("apply", __name__)
for address, view, methods in (*cases.ADDRESSES, *terms.ADDRESSES):
    blueprint.add_url_rule(address, view_func=view, methods=[methods])

# What no form opens: said as a whole page.
_CLOSED = frozenset(
    {Reason.MODEL_WITHHELD, Reason.MODEL_WITHDRAWN, Reason.RELEASE_FROZEN, Reason.BLOCKLISTED}
)


@blueprint.get("/apply/<owner>/<name>")
@signed_in
def form(owner: str, name: str) -> ResponseReturnValue:
    """Show the form, or send on whoever needs none: to the terms, the case or the files."""
    view = find(owner, name)
    if (elsewhere := _elsewhere(view)) is not None:
        if elsewhere.title:
            notify(elsewhere.kind, elsewhere.title, elsewhere.text)
        return see(_href(elsewhere))
    target = forms.target(house(), session_context(), view)
    filled, copied = forms.kept(target, request.args.get("copy", ""))
    return _form(target, filled, Wrongs(), _copied(copied))


@blueprint.post("/apply/<owner>/<name>")
@signed_in
def send(owner: str, name: str) -> ResponseReturnValue:
    """Save, discard, or sign and submit; whatever is refused, the typed text is shown again."""
    view = find(owner, name)
    target = forms.target(house(), session_context(), view)
    act = request.form.get("act", "save")
    if act == "discard":
        return _discard(target)
    filled = forms.of_request(request.form.to_dict(flat=False), target.fields, target.due)
    try:
        _check_door(view)
        draft = _save(target, filled)
        if act == "submit":
            return _submit(replace(target, draft=draft), filled)
    except (Conflict, Invalid, Refused, TermsOutdated) as error:
        return _refused(forms.target(house(), session_context(), view), filled, error)
    notify("ok", "Your draft is saved.", "You find it here; nobody else reads it.")
    return see("/applications")


@blueprint.post("/apply/<owner>/<name>/draft")
@signed_in
def autosave(owner: str, name: str) -> ResponseReturnValue:
    """Save the draft as it is typed; answers its version, or 409 when it changed elsewhere."""
    target = forms.target(house(), session_context(), find(owner, name))
    filled = forms.of_request(request.form.to_dict(flat=False), target.fields, ())
    try:
        _check_door(target.view)
        return jsonify(version=_save(target, filled).version)
    except Conflict as error:
        return jsonify(version=error.version), 409
    except Invalid:
        return jsonify(version=filled.version), 422


def _elsewhere(view: ModelView) -> Note | None:
    """Return where somebody belongs who has no form to fill in here, and why; None: it is theirs.

    Raises: Refused where nobody may apply.
    """
    verdict, case, title = view.judged.verdict, view.judged.standing.application, view.model.title
    if verdict.reason in _CLOSED:
        raise Refused(verdict.reason, model=view.model.full_name)
    step = next_step(view.judged)
    if verdict.allowed:
        return Note("info", f"{title} is open to you.", "No application is needed.", step)
    if verdict.reason in {Reason.PENDING, Reason.RETURNED}:
        return Note("info", "You have applied already.", "This is how it stands.", step)
    if verdict.reason is Reason.GRANT_SUSPENDED:
        return Note(
            "warn", "Your access is suspended.", "A new application does not lift it.", step
        )
    if verdict.reason is Reason.REJECTED and case is not None and not _may(case):
        return Note("info", "You cannot apply again yet.", "The reason stands below.", step)
    if is_accepted(view.model):
        due = forms.unsigned(view.agreements, view.judged) or view.agreements
        href = f"/agreements/{due[0].id}?model={view.model.full_name}" if due else ""
        return Note("info", "", action=Action(href or f"/{view.model.full_name}", ""))
    if verdict.reason in {Reason.TERMS_MISSING, Reason.TERMS_OUTDATED} or not _has_form(view):
        return Note("info", "", action=step)
    return None


def _may(case: Application) -> bool:
    return may_reapply(case, session_context().now.date())


def _has_form(view: ModelView) -> bool:
    return view.model.tier.is_reviewed or view.model.form_sha256 is not None


def _href(note: Note) -> str:
    return note.action.href if note.action is not None else "/"


def _copied(case: Application | None) -> Note | None:
    if case is None:
        return None
    return Note(
        "info", f"Filled in from {case.id}.", "Look it through, and change what is different now."
    )


def _check_door(view: ModelView) -> None:
    """Raise Conflict when there is nothing to fill in here any more (another window was faster)."""
    elsewhere = _elsewhere(view)
    if elsewhere is not None:
        raise Conflict(f"{elsewhere.title or 'Nothing is applied for here.'} {elsewhere.text}")


def _save(target: Target, filled: Filled) -> Draft:
    """Keep what was typed; raises Conflict when the draft says something else than was shown."""
    ctx, draft = session_context(), target.draft
    if draft is None:
        models = [(judged.model.namespace, judged.model.name) for judged in target.models]
        return drafts.start(house(), ctx, models, filled.typed)
    if filled.says(draft):
        return draft  # the same words from another window, or saved a moment ago as they were typed
    return drafts.save(house(), ctx, draft.application_id, filled.typed, filled.version)


def _submit(target: Target, filled: Filled) -> ResponseReturnValue:
    assert target.draft is not None  # noqa: S101  it was saved just now
    wrong = forms.faults(house(), target, filled, _me())
    if wrong.errors:
        kept = replace(filled, version=target.draft.version)
        return _form(target, kept, wrong), 422
    submission = Submission(target.draft.version, filled.signings)
    sent = drafts.submit(house(), session_context(), target.draft.application_id, submission)
    notify("ok", "Sent.", "A receipt is on its way by mail.")
    return see(f"/applications/{sent.id}")


def _discard(target: Target) -> ResponseReturnValue:
    if target.draft is not None:
        drafts.withdraw(house(), session_context(), target.draft.application_id, None)
    notify("info", "Your draft is discarded.")
    return see(f"/{target.view.model.full_name}")


def _refused(
    target: Target, filled: Filled, error: Conflict | Invalid | Refused | TermsOutdated
) -> ResponseReturnValue:
    """Show the form again with what was typed, and why it did not go."""
    kept = replace(filled, version=target.draft.version if target.draft is not None else 0)
    match error:
        case Invalid():
            return _form(target, kept, _limits(target, error)), 422
        case Conflict():
            way = "save it to keep it instead" if error.version else "copy what you still need"
            said = str(error).rstrip(". ")
            text = f"{said[:1].upper()}{said[1:]}. What you typed stands below: {way}."
            return _form(target, kept, Wrongs(), Note("warn", "Not saved.", text)), 409
        case TermsOutdated():
            note = Note("warn", "The terms have changed.", "Read them below, and tick them again.")
            return _form(target, kept, Wrongs(), note), 409
        case Refused():
            step = wording.step(error)
            note = Note("warn", step.said, step.do, Action(step.page, "Go there"))
            return _form(target, kept, Wrongs(), note), 403


def _limits(target: Target, error: Invalid) -> Wrongs:
    """Put what a draft cannot keep, or a sent one may not say, beside its field if it has one."""
    ours = {"purpose": forms.PURPOSE, "public_summary": forms.SUMMARY}
    at = {**{name: f"answer-{name}" for name in target.labels}, **{name: name for name in ours}}
    found = wrongs(error, {**target.labels, **ours})
    return Wrongs(tuple(replace(w, field=at.get(w.field, "")) for w in found.errors))


def _form(target: Target, filled: Filled, wrong: Wrongs, warning: Note | None = None) -> str:
    values = apply_page.values(house(), session_context(), _me(), target, filled, wrong, warning)
    return page("apply/apply.html", **values)


def _me() -> Person:
    me = viewer()
    assert me is not None  # noqa: S101  every view that asks is behind `signed_in`
    return me.person
