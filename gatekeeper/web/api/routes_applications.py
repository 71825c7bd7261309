"""Applications: the lead's calls, the thread, and what staff decide."""

from __future__ import annotations

from functools import partial

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.applications import ApplicationId, ApplicationState
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.people import Context, Scope
from gatekeeper.services import profile
from gatekeeper.services.applications import decisions, drafts, reading, searching
from gatekeeper.services.applications.decisions import Decision
from gatekeeper.services.applications.drafts import Submission, Typed
from gatekeeper.web.api.calls import Noun
from gatekeeper.web.api.exchange import caller, text_of
from gatekeeper.web.api.once import Done
from gatekeeper.web.api.present import cases as present
from gatekeeper.web.api.wire import bodies, cases, queries
from gatekeeper.web.api.wire.answers import Page
from gatekeeper.web.api.wire.shapes import parts
from gatekeeper.web.wiring import house

noun = Noun("applications", "Asking for models, and deciding: drafts, the queue, the thread.")


@noun.get("/applications", fails=(404,))
def list_applications(ctx: Context, asked: queries.Applications) -> Page[cases.ApplicationRow]:
    """Return the queue to staff and to everybody else their own applications."""
    if asked.mine:
        return _own(ctx, asked)
    try:
        return _queue(ctx, asked)
    except Refused as refused:
        asks_for_queue = asked.mine is False or asked.assignee or asked.older_than is not None
        if refused.reason is not Reason.WRONG_SCOPE or asks_for_queue:
            raise
    return _own(ctx, asked)


def _again(told: str) -> str:
    """Write a case anew for whoever may see it now; a discarded draft is told as it was."""
    return told if told.startswith("{") else text_of(_show(caller(), ApplicationId(told)))


@noun.post("/applications", scope=Scope.READ, statuses=(201,), fails=(404, 410), repeat=_again)
def start(ctx: Context, sent: bodies.NewApplication) -> Done[cases.Application]:
    """Begin a draft; it may be incomplete until it is submitted."""
    typed = Typed(sent.purpose, bodies.written(sent.answers), sent.public_summary)
    draft = drafts.start(house(), ctx, [parts(name) for name in sent.models], typed)
    return _shown(ctx, draft.application_id)


@noun.get("/applications/<application_id>")
def show_application(ctx: Context, application_id: ApplicationId) -> cases.Application:
    """Return one case to its lead, or to staff around its models."""
    return _show(ctx, application_id)


@noun.patch("/applications/<application_id>", scope=Scope.READ, fails=(409,))
def change(
    ctx: Context, application_id: ApplicationId, sent: bodies.ChangedApplication
) -> cases.Application:
    """Save what was typed into a draft, or after a question; nothing is sent by it."""
    typed = Typed(sent.purpose, bodies.written(sent.answers), sent.public_summary)
    drafts.save(house(), ctx, application_id, typed, sent.version)
    return _show(ctx, application_id)


@noun.post("/applications/<application_id>/submit", scope=Scope.READ, repeat=_again)
def submit(
    ctx: Context, application_id: ApplicationId, sent: bodies.Submission
) -> Done[cases.Application]:
    """Send the draft, or the answer to a question, to the reviewers.

    `message` stands in the thread, for both sides. The terms are accepted before, by themselves.
    """
    drafts.submit(house(), ctx, application_id, Submission(sent.version, message=sent.message))
    return _shown(ctx, application_id)


@noun.post("/applications/<application_id>/withdraw", scope=Scope.READ, repeat=_again)
def withdraw(
    ctx: Context, application_id: ApplicationId, sent: bodies.Seen
) -> Done[cases.Application]:
    """Take an application back; a draft is discarded and shown for the last time."""
    before = _show(ctx, application_id)
    withdrawn = drafts.withdraw(house(), ctx, application_id, sent.version)
    if withdrawn is not None:
        return _shown(ctx, application_id)
    gone = {"state": ApplicationState.WITHDRAWN, "commands": ()}
    return Done(lambda: before.model_copy(update=gone))


@noun.post("/applications/<application_id>/claim", scope=Scope.REVIEW, repeat=_again)
def claim(
    ctx: Context, application_id: ApplicationId, sent: bodies.Seen
) -> Done[cases.Application]:
    """Become the assignee."""
    decisions.claim(house(), ctx, application_id, sent.version)
    return _shown(ctx, application_id)


@noun.post(
    "/applications/<application_id>/messages", scope=Scope.READ, statuses=(201,), repeat=_again
)
def post_message(
    ctx: Context, application_id: ApplicationId, sent: bodies.NewMessage
) -> Done[cases.Application]:
    """Write in the thread, or a note for staff alone.

    The lead writes through any token, staff through one for review.
    """
    decisions.post_message(house(), ctx, application_id, sent.text, internal=sent.internal)
    return _shown(ctx, application_id)


@noun.post("/applications/<application_id>/decisions", scope=Scope.REVIEW, repeat=_again)
def decide(
    ctx: Context, application_id: ApplicationId, sent: bodies.NewDecision
) -> Done[cases.Application]:
    """Approve, reject, ask, or return a case; a stale version is a conflict."""
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
    decisions.decide(house(), ctx, application_id, decision)
    return _shown(ctx, application_id)


def _shown(ctx: Context, case: ApplicationId) -> Done[cases.Application]:
    return Done(partial(_show, ctx, case), kept=case)


def _show(ctx: Context, case: ApplicationId) -> cases.Application:
    """Show a case as it stands, or the caller's own draft of that id."""
    try:
        return present.case(reading.open_case(house(), ctx, case))
    except NotFound:
        draft, models = reading.draft(house(), ctx, case)
        return present.draft(draft, models, profile.show(house(), ctx).person)


def _queue(ctx: Context, asked: queries.Applications) -> Page[cases.ApplicationRow]:
    wanted = searching.Wanted(
        states=asked.state,
        assignee=asked.assignee,
        model=parts(asked.model) if asked.model is not None else None,
        older_than=asked.older_than,
        after=asked.after,
        limit=asked.limit,
    )
    rows, place = searching.search(house(), ctx, wanted)
    items = [
        present.row(
            r.application, r.models, r.lead, {r.assignee.id: r.assignee} if r.assignee else {}
        )
        for r in rows
    ]
    cursor = queries.write_place(*place) if place is not None else None
    return Page[cases.ApplicationRow](items=tuple(items), next=cursor)


def _own(ctx: Context, asked: queries.Applications) -> Page[cases.ApplicationRow]:
    """Return the caller's drafts and applications: few enough for one page."""
    me = profile.show(house(), ctx).person
    mine = reading.mine(house(), ctx)
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
