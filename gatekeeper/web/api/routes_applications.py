"""Applications: the lead's calls, the thread, and what staff decide."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.applications import ApplicationId
from gatekeeper.domain.errors import NotFound
from gatekeeper.services import profile
from gatekeeper.services.applications import decisions, drafts, reading, searching
from gatekeeper.services.applications.decisions import Decision
from gatekeeper.services.applications.drafts import Submission, Typed
from gatekeeper.web.api.exchange import body, caller, person_calling, query, say
from gatekeeper.web.api.once import Done, once
from gatekeeper.web.api.present import cases as present
from gatekeeper.web.api.wire import bodies, cases, queries
from gatekeeper.web.api.wire.answers import Page
from gatekeeper.web.api.wire.shapes import parts
from gatekeeper.web.wiring import house

blueprint = Blueprint("applications", __name__)


@blueprint.get("/applications")
def list_applications() -> Response:
    """Return the queue to staff and to everybody else their own applications."""
    asked = query(queries.Applications)
    if asked.mine:
        return say(_own(asked))
    try:
        return say(_queue(asked))
    except Refused as refused:
        asks_for_queue = asked.mine is False or asked.assignee or asked.older_than is not None
        if refused.reason is not Reason.WRONG_SCOPE or asks_for_queue:
            raise
    return say(_own(asked))


@blueprint.post("/applications")
@once()
def start() -> Done:
    """Begin a draft (201)."""
    ctx, sent = caller(), body(bodies.NewApplication)
    typed = Typed(sent.purpose, bodies.written(sent.answers), sent.public_summary)
    draft = drafts.start(house(), ctx, [parts(name) for name in sent.models], typed)
    return Done(partial(_show, draft.application_id), 201)


@blueprint.get("/applications/<application_id>")
def show_application(application_id: str) -> Response:
    """Return one case to its lead, or to staff around its models."""
    query(queries.NoQuery)
    return say(_show(ApplicationId(application_id)))


@blueprint.patch("/applications/<application_id>")
def change(application_id: str) -> Response:
    """Save what was typed into a draft, or after a question; nothing is sent by it."""
    case, ctx, sent = (
        ApplicationId(application_id),
        person_calling(),
        body(bodies.ChangedApplication),
    )
    typed = Typed(sent.purpose, bodies.written(sent.answers), sent.public_summary)
    drafts.save(house(), ctx, case, typed, sent.version)
    return say(_show(case))


@blueprint.post("/applications/<application_id>/submit")
@once()
def submit(application_id: str) -> Done:
    """Send the draft, or the answer to a question, to the reviewers."""
    case, ctx, sent = ApplicationId(application_id), caller(), body(bodies.Seen)
    drafts.submit(house(), ctx, case, Submission(sent.version))
    return Done(partial(_show, case))


@blueprint.post("/applications/<application_id>/withdraw")
@once()
def withdraw(application_id: str) -> Done:
    """Take an application back; a draft is discarded and shown for the last time."""
    case, ctx, sent = ApplicationId(application_id), caller(), body(bodies.Seen)
    before = _show(case)
    withdrawn = drafts.withdraw(house(), ctx, case, sent.version)
    if withdrawn is not None:
        return Done(partial(_show, case))
    return Done(lambda: before.model_copy(update={"state": "withdrawn", "commands": ()}))


@blueprint.post("/applications/<application_id>/claim")
@once()
def claim(application_id: str) -> Done:
    """Become the assignee."""
    case, ctx, sent = ApplicationId(application_id), caller(), body(bodies.Seen)
    decisions.claim(house(), ctx, case, sent.version)
    return Done(partial(_show, case))


@blueprint.post("/applications/<application_id>/messages")
@once()
def post_message(application_id: str) -> Done:
    """Write in the thread (201); `internal` is a note for staff alone."""
    case, ctx, sent = ApplicationId(application_id), caller(), body(bodies.NewMessage)
    decisions.post_message(house(), ctx, case, sent.text, internal=sent.internal)
    return Done(partial(_show, case), 201)


@blueprint.post("/applications/<application_id>/decisions")
@once()
def decide(application_id: str) -> Done:
    """Approve, reject, ask, or return a case; a stale version is a conflict."""
    case, ctx, sent = ApplicationId(application_id), caller(), body(bodies.NewDecision)
    outcome, after_on = sent.way_back
    decision = Decision(
        verdict=sent.verdict,
        version=sent.version,
        note=sent.note,
        reason=sent.reason,
        outcome=outcome,
        after_on=after_on,
        ends_on=sent.ends_on,
        override_note=sent.override_note,
        fields=sent.fields,
    )
    decisions.decide(house(), ctx, case, decision)
    return Done(partial(_show, case))


def _show(case: ApplicationId) -> cases.Application:
    """Show a case as it stands, or the caller's own draft of that id."""
    ctx = caller()
    try:
        return present.case(reading.open_case(house(), ctx, case))
    except NotFound:
        draft, models = reading.draft(house(), ctx, case)
        return present.draft(draft, models, profile.show(house(), ctx).person)


def _queue(asked: queries.Applications) -> Page[cases.ApplicationRow]:
    wanted = searching.Wanted(
        states=asked.state,
        assignee=asked.assignee,
        model=parts(asked.model) if asked.model is not None else None,
        older_than=asked.older_than,
        after=asked.after,
        limit=asked.limit,
    )
    rows, place = searching.search(house(), caller(), wanted)
    items = [
        present.row(
            r.application, r.models, r.lead, {r.assignee.id: r.assignee} if r.assignee else {}
        )
        for r in rows
    ]
    cursor = queries.write_place(*place) if place is not None else None
    return Page[cases.ApplicationRow](items=tuple(items), next=cursor)


def _own(asked: queries.Applications) -> Page[cases.ApplicationRow]:
    """Return the caller's drafts and applications: few enough for one page."""
    me = profile.show(house(), caller()).person
    mine = reading.mine(house(), caller())
    models = mine.models
    rows = [
        *(present.draft_row(d, [models[m] for m in d.models], me) for d in mine.drafts),
        *(
            present.row(a, [models[m] for m in a.models], me, mine.people)
            for a in mine.applications
        ),
    ]
    items = tuple(
        row
        for row in rows
        if (not asked.state or row.state in asked.state)
        and (asked.model is None or asked.model in row.models)
    )
    return Page[cases.ApplicationRow](items=items)
