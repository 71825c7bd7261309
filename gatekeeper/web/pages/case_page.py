"""One application as its applicant sees it: where it stands, what waits for them, the thread.

Not here: what staff see (desk), addresses (apply).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from markupsafe import Markup

from gatekeeper.domain.applications import (
    Application,
    ApplicationState,
    Command,
    Draft,
    Outcome,
    may_reapply,
)
from gatekeeper.domain.catalogue import Model
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.forms import Field
from gatekeeper.domain.ledger import Entry
from gatekeeper.domain.people import Context
from gatekeeper.services import catalogue
from gatekeeper.services.applications.drafts import MAX_MESSAGE_CHARS
from gatekeeper.services.applications.reading import Dossier, Mine
from gatekeeper.services.ports import House
from gatekeeper.web.pages import desk, entries, reasons, standing
from gatekeeper.web.pages.application_form import questions
from gatekeeper.web.pages.filters import day
from gatekeeper.web.pages.parts import Action, Pill, Step
from gatekeeper.web.pages.wrongs import Wrongs

_S = ApplicationState
# What the applicant reads: pill, one sentence, and what they can do.
_WORDS: Mapping[ApplicationState, tuple[Pill, str, str]] = {
    _S.DRAFT: (Pill("", "Draft"), "Not sent yet.", "Finish it and send it."),
    _S.SUBMITTED: (
        Pill("info", "Sent"),
        "It waits for a reviewer.",
        "Nothing is needed from you. You may write below at any time.",
    ),
    _S.IN_REVIEW: (
        Pill("info", "In review"),
        "A reviewer is working on it.",
        "Nothing is needed from you. You may write to them below.",
    ),
    _S.INFO_REQUESTED: (
        Pill("warn", "Question for you"),
        "A reviewer asked you a question.",
        "Answer it below and send it back; the clock stands still until then.",
    ),
    _S.SECOND_APPROVAL: (
        Pill("info", "1 of 2 approved"),
        "One of two approvers has approved.",
        "Another person decides after them. Nothing is needed from you.",
    ),
    _S.APPROVED: (Pill("ok", "Approved"), "It was approved.", ""),
    _S.REJECTED: (
        Pill("bad", "Refused"), "It was refused.", "The reason and the way back stand below."
    ),
    _S.WITHDRAWN: (
        Pill("", "Withdrawn"), "You withdrew it.", "Nobody decides on it. You may apply again."
    ),
}  # fmt: skip
_BACK = {
    Outcome.FIXABLE: "Mend what is missing and apply again; your answers are filled in.",
    Outcome.APPEALABLE: "You may ask for another look below, or apply again and say why.",
    Outcome.FINAL: "This decision is final.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One draft or application in the list."""

    href: str
    id: str
    title: str
    purpose: str
    pill: Pill
    detail: str
    changed_at: datetime
    action: Action | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What was typed into the page before a refusal."""

    answers: Mapping[str, str] | None = None
    message: str = ""
    text: str = ""


def listed(mine: Mine) -> dict[str, Any]:
    """Return what apply/applications.html shows."""
    rows = [(case.is_open, _row(mine, case)) for case in mine.applications]
    return {
        "open": [_draft(mine, d) for d in mine.drafts] + [row for is_open, row in rows if is_open],
        "closed": [row for is_open, row in rows if not is_open],
    }


def _draft(mine: Mine, draft: Draft) -> Row:
    models = [mine.models[m] for m in draft.models]
    href = f"/apply/{models[0].full_name}"
    pill, sentence, _ = _WORDS[_S.DRAFT]
    return Row(
        href, draft.application_id, desk.title_of(models), draft.purpose, pill, sentence,
        draft.saved_at, Action(href, "Go on"),
    )  # fmt: skip


def _row(mine: Mine, case: Application) -> Row:
    href = f"/applications/{case.id}"
    pill, sentence, _ = _WORDS[case.state]
    return Row(
        href, case.id, desk.title_of([mine.models[m] for m in case.models]), case.purpose, pill,
        sentence, case.changed_at,
        Action(f"{href}#question", "Answer") if case.state is _S.INFO_REQUESTED else None,
    )  # fmt: skip


def values(
    house: House, ctx: Context, dossier: Dossier, wrong: Wrongs, kept: Kept
) -> dict[str, Any]:
    """Return what apply/application.html shows; `kept` is what was typed before a refusal."""
    case, may = dossier.application, dossier.commands
    pill, headline, meaning = _WORDS[case.state]
    action, until = _opened(house, ctx, dossier)
    return {
        "case": case,
        "title": desk.title_of(dossier.models),
        "pill": pill,
        "headline": headline,
        "meaning": until or meaning,
        "stages": _stages(dossier),
        "primary": action,
        "refusal": _refusal(dossier, ctx) if case.state is _S.REJECTED else None,
        "again": _again(dossier.models[0], case) if case.state is _S.WITHDRAWN else None,
        "question": _question(house, dossier, wrong, kept),
        "thread": _thread(dossier),
        "message_chars": MAX_MESSAGE_CHARS,
        "may_write": Command.MESSAGE in may and case.state is not _S.INFO_REQUESTED,
        "may_withdraw": Command.WITHDRAW in may,
        "kept": kept,
        "wrong": wrong,
        "answers": desk.answers(dossier, house.policy.countries),
        "models": dossier.models,
        "facts": _facts(dossier),
        "history": _history(dossier),
    }


def asked_fields(dossier: Dossier) -> Sequence[Field]:
    """Return the questions the reviewer wants answered anew; all of them when none were named."""
    return _named(dossier) or (dossier.form.fields if dossier.form is not None else ())


def _named(dossier: Dossier) -> Sequence[Field]:
    entry = _last(dossier, "InformationRequested")
    names = entry.data.get("fields") if entry is not None else None
    fields = dossier.form.fields if dossier.form is not None else ()
    return [f for f in fields if isinstance(names, list) and f.name in names]


def answers_now(dossier: Dossier) -> Mapping[str, str]:
    """Return the answers as last saved: changed after a question, or as they were sent."""
    draft = dossier.draft
    return draft.answers if draft is not None else dossier.application.answers


def _opened(house: House, ctx: Context, dossier: Dossier) -> tuple[Action | None, str]:
    """Return what an approved application leads to today, and until when."""
    if dossier.application.state is not _S.APPROVED or not dossier.grants:
        return None, ""
    grant, model = dossier.grants[-1], dossier.models[0]
    state = reasons.GRANT_PILLS[grant.state(ctx.now)].text
    until = Markup("Access: {}, until {}.").format(state.lower(), day(standing.last_day(grant)))
    try:
        judged = catalogue.find(house, ctx, model.namespace, model.name)
    except NotFound:
        return None, until
    return standing.next_step(judged), until


def _stages(dossier: Dossier) -> list[Step]:
    """Return the line of steps: what was reached with its day, what is now, what comes."""
    case = dossier.application
    at = [case.submitted_at, *map(_at(dossier), ("ApplicationClaimed", "ApplicationApprovedFirst"))]
    names = ["Sent", "In review", "Second approval"]
    now = {_S.SUBMITTED: 0, _S.SECOND_APPROVAL: 2}.get(case.state, 1)
    if not case.is_open:
        reached = [(n, a) for n, a in zip(names, at, strict=True) if a is not None]
        done = [Step("done", name, when=day(a)) for name, a in reached]
        return [*done, Step("done", _WORDS[case.state][0].text, when=day(_decided(dossier)))]
    steps = [
        Step(
            "done" if i < now else "now" if i == now else "next",
            name,
            when=day(a) if a is not None and i <= now else "",
        )
        for i, (name, a) in enumerate(zip(names, at, strict=True))
        if i < 2 or dossier.approvals_needed > 1
    ]
    if case.state is _S.INFO_REQUESTED:
        steps[1] = Step("held", "Waits for your answer", when=steps[1].when)
    due = desk.due_at(case, dossier.models)
    aim = Markup("The aim: {}").format(day(due)) if due is not None else ""
    return [*steps, Step("next", "Decision", when=aim)]


def _at(dossier: Dossier) -> Any:
    def first(kind: str) -> datetime | None:
        return next((e.at for e in dossier.history if e.kind == kind), None)

    return first


def _last(dossier: Dossier, *kinds: str) -> Entry | None:
    return next((e for e in reversed(dossier.history) if e.kind in kinds), None)


def _decided(dossier: Dossier) -> datetime:
    entry = _last(
        dossier, "ApplicationApproved", "ApplicationAutoApproved", "ApplicationRejected",
        "ApplicationWithdrawn",
    )  # fmt: skip
    return entry.at if entry is not None else dossier.application.changed_at


def _said(dossier: Dossier, kind: str) -> str:
    """Return the message that came with the last act of a kind."""
    entry = _last(dossier, kind)
    wanted = entry.data.get("message_id") if entry is not None else None
    return next((m.text for m in dossier.messages if m.id == wanted), "")


def _refusal(dossier: Dossier, ctx: Context) -> dict[str, Any]:
    case = dossier.application
    back = _BACK.get(case.outcome or Outcome.FIXABLE, "")
    if case.outcome is Outcome.AFTER and case.after_on is not None:
        back = Markup("You may apply again after {}.").format(day(case.after_on))
    may = may_reapply(case, ctx.now.date())
    return {
        "reason": reasons.REJECTED[case.reject_reason] if case.reject_reason is not None else "",
        "note": _said(dossier, "ApplicationRejected"),
        "way_back": back,
        "again": _again(dossier.models[0], case) if may else None,
    }


def _again(model: Model, case: Application) -> Action:
    href = f"/apply/{model.full_name}?copy={case.id}"
    return Action(href, "Apply again with these answers")


def _question(house: House, dossier: Dossier, wrong: Wrongs, kept: Kept) -> dict[str, Any] | None:
    if dossier.application.state is not _S.INFO_REQUESTED:
        return None
    answers = {**answers_now(dossier), **(kept.answers or {})}
    return {
        "text": _said(dossier, "InformationRequested"),
        "fields": questions(house, asked_fields(dossier), answers, wrong),
        "is_named": bool(_named(dossier)),
    }


def _thread(dossier: Dossier) -> list[desk.Post]:
    return [
        replace(post, who="You") if message.author_id == dossier.lead.id else post
        for message, post in zip(dossier.messages, desk.thread(dossier), strict=True)
    ]


def _facts(dossier: Dossier) -> list[tuple[str, str]]:
    case = dossier.application
    facts = [("Number", str(case.id))]
    if case.submitted_at is not None:
        facts.append(("Sent", day(case.submitted_at)))
    if case.assignee_id is not None:
        facts.append(("With", desk.name_of(dossier, case.assignee_id)))
    return facts


def _history(dossier: Dossier) -> list[Step]:
    names = {**{i: p.name for i, p in dossier.people.items()}, dossier.lead.id: "You"}
    return [
        Step(
            "done",
            entries.title_of(entry.kind),
            Markup("{}, {}").format(entries.name_of(entry, names), day(entry.at)),
        )
        for entry in dossier.history
    ]
