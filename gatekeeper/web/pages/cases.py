"""One's own applications: the list, one of them, and what its applicant does; put up by apply.

Staff read cases at /review; here everybody but the applicant is answered as if there were none.
Not here: what the pages say (case_page).
"""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.access import Refused
from gatekeeper.domain.applications import ApplicationId, Hat
from gatekeeper.domain.errors import Conflict, Invalid, NotFound
from gatekeeper.services.applications import decisions, drafts, reading
from gatekeeper.services.applications.drafts import MAX_MESSAGE_CHARS, Submission, Typed
from gatekeeper.services.applications.reading import Dossier
from gatekeeper.web import wording
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import case_page
from gatekeeper.web.pages.application_form import answers_of, number, one
from gatekeeper.web.pages.case_page import Kept
from gatekeeper.web.pages.frame import notify, page, see, signed_in
from gatekeeper.web.pages.wrongs import Wrong, Wrongs, wrongs
from gatekeeper.web.wiring import house


@signed_in
def applications() -> ResponseReturnValue:
    """List one's drafts and applications."""
    mine = reading.mine(house(), session_context())
    return page("apply/applications.html", **case_page.listed(mine))


@signed_in
def application(case_id: str) -> ResponseReturnValue:
    """Show one's own application; a draft is shown as its form."""
    try:
        return _page(_own(case_id))
    except NotFound:
        _, models = reading.draft(house(), session_context(), ApplicationId(case_id))
        return see(f"/apply/{models[0].full_name}")


@signed_in
def write(case_id: str) -> ResponseReturnValue:
    """Write in the thread."""
    dossier, text = _own(case_id), one(_posted(), "text")
    case, ctx = dossier.application.id, session_context()
    try:
        decisions.post_message(house(), ctx, case, text, internal=False)
    except Invalid as error:
        wrong = wrongs(error, {"text": "Write a message"})
        return _page(dossier, wrong, Kept(text=text)), 422
    return see(f"/applications/{case}#thread")


@signed_in
def answer(case_id: str) -> ResponseReturnValue:
    """Answer the reviewer's question: changed answers, a message, and back to review."""
    dossier = _own(case_id)
    fields, posted = case_page.asked_fields(dossier), _posted()
    kept = Kept(answers_of(posted, fields), one(posted, "message"))
    if len(kept.message) > MAX_MESSAGE_CHARS:
        said = f"At most {MAX_MESSAGE_CHARS:,} characters; this has {len(kept.message):,}."
        return _page(dossier, Wrongs((Wrong("message", "Your message", said),)), kept), 422
    try:
        _send_back(dossier, kept, number(posted, "version"))
    except Invalid as error:
        labels = {f.name: f.label for f in fields}
        return _page(dossier, wrongs(error, labels, "answer"), kept), 422
    except Refused as error:
        step = wording.step(error)
        notify("warn", step.said, f"{step.do} What you typed is kept.")
        return _page(_own(case_id), kept=kept), 403
    except Conflict as error:
        return _stale(case_id, error, kept)
    notify("ok", "Sent back.", "The reviewers have your answer.")
    return see(f"/applications/{case_id}")


def _send_back(dossier: Dossier, kept: Kept, seen: int) -> None:
    case, ctx = dossier.application.id, session_context()
    answers = {**case_page.answers_now(dossier), **(kept.answers or {})}
    drafts.save(house(), ctx, case, Typed(answers=answers), seen)
    drafts.submit(house(), ctx, case, Submission(seen, message=kept.message))


@signed_in
def withdraw(case_id: str) -> ResponseReturnValue:
    """Take the application back."""
    case = _own(case_id).application.id
    try:
        drafts.withdraw(house(), session_context(), case, number(_posted(), "version"))
    except Conflict as error:
        return _stale(case_id, error, Kept())
    notify("info", "Withdrawn.", "Nobody decides on it any more.")
    return see(f"/applications/{case}")


def _own(case_id: str) -> Dossier:
    dossier = reading.open_case(house(), session_context(), ApplicationId(case_id))
    if Hat.LEAD not in dossier.hats:
        raise NotFound("no such application")
    return dossier


def _posted() -> dict[str, list[str]]:
    return request.form.to_dict(flat=False)


def _stale(case_id: str, error: Conflict, kept: Kept) -> ResponseReturnValue:
    """Show the case as it stands now, with what was typed for the one before."""
    notify("warn", "It changed meanwhile.", f"This is how it stands now ({error}).")
    dossier = _own(case_id)
    return _page(dossier, kept=Kept(kept.answers, kept.message, text=kept.message)), 409


def _page(dossier: Dossier, wrong: Wrongs | None = None, kept: Kept | None = None) -> str:
    values = case_page.values(
        house(), session_context(), dossier, wrong or Wrongs(), kept or Kept()
    )
    return page("apply/application.html", **values)


ADDRESSES = (
    ("/applications", applications, "GET"),
    ("/applications/<case_id>", application, "GET"),
    ("/applications/<case_id>/message", write, "POST"),
    ("/applications/<case_id>/answer", answer, "POST"),
    ("/applications/<case_id>/withdraw", withdraw, "POST"),
)
