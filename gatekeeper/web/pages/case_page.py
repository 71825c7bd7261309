"""One application as its applicant sees it: where it stands, what waits for them, the thread.

Not here: what staff see (desk), addresses (apply).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatekeeper.domain.applications import Application, ApplicationState, Command, Outcome
from gatekeeper.services.applications.drafts import Typed
from gatekeeper.services.applications.reading import Dossier, Mine
from gatekeeper.services.ports import House
from gatekeeper.web.pages import application_form, desk, reasons
from gatekeeper.web.pages.filters import day
from gatekeeper.web.pages.parts import Action, Pill, Step
from gatekeeper.web.pages.wrongs import Wrongs

_S = ApplicationState
# What the applicant reads: pill, one sentence, and what they can do.
_WORDS: Mapping[ApplicationState, tuple[Pill, str, str]] = {
    _S.DRAFT: (Pill("", "Draft"), "Not sent yet.", "Finish it and send it."),
    _S.SUBMITTED: (
        Pill("warn", "Waits for review"),
        "We have your application.",
        "Nobody has taken it up yet. You may write below, or withdraw it.",
    ),
    _S.IN_REVIEW: (
        Pill("warn", "In review"),
        "Somebody is working on your application.",
        "You may write to them below, or withdraw it.",
    ),
    _S.INFO_REQUESTED: (
        Pill("warn", "Question for you"),
        "A reviewer asked you a question.",
        "The clock stands still until you answer it.",
    ),
    _S.SECOND_APPROVAL: (
        Pill("warn", "1 of 2 approved"),
        "One of two approvers has approved.",
        "Another person gives the second approval.",
    ),
    _S.APPROVED: (
        Pill("ok", "Approved"), "Your application was approved.", "You may download now."
    ),
    _S.REJECTED: (Pill("bad", "Refused"), "Your application was refused.", "The reason is below."),
    _S.WITHDRAWN: (
        Pill("", "Withdrawn"), "You withdrew this application.", "You may apply again."
    ),
}  # fmt: skip
_BACK = {
    Outcome.FIXABLE: "Mend what is missing and apply again; your answers are kept.",
    Outcome.APPEALABLE: "You may apply again and say why the decision was wrong.",
    Outcome.FINAL: "This decision is final.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One application in the list."""

    href: str
    id: str
    title: str
    purpose: str
    pill: Pill
    detail: str
    changed_at: Any
    action: Action | None


def listed(mine: Mine) -> dict[str, Any]:
    """Return what apply/applications.html shows."""
    drafts = [
        Row(
            href=f"/apply/{mine.models[d.models[0]].full_name}",
            id=d.application_id,
            title=desk.title_of([mine.models[m] for m in d.models]),
            purpose=d.purpose,
            pill=_WORDS[_S.DRAFT][0],
            detail=_WORDS[_S.DRAFT][1],
            changed_at=d.saved_at,
            action=Action(f"/apply/{mine.models[d.models[0]].full_name}", "Go on"),
        )
        for d in mine.drafts
    ]
    rows = [(a, _row(mine, a)) for a in mine.applications]
    return {
        "open": drafts + [row for a, row in rows if a.is_open],
        "closed": [row for a, row in rows if not a.is_open],
        "catalogue_href": "/",
    }


def _row(mine: Mine, case: Application) -> Row:
    models = [mine.models[m] for m in case.models]
    pill, sentence, _ = _WORDS[case.state]
    asks = case.state is _S.INFO_REQUESTED
    return Row(
        href=f"/applications/{case.id}",
        id=case.id,
        title=desk.title_of(models),
        purpose=case.purpose,
        pill=pill,
        detail=sentence,
        changed_at=case.changed_at,
        action=Action(f"/applications/{case.id}#question", "Answer") if asks else None,
    )


def values(
    house: House, dossier: Dossier, wrong: Wrongs, typed: Typed | None = None, message: str = ""
) -> dict[str, Any]:
    """Return what apply/application.html shows; `typed` and `message` are kept after a refusal."""
    case = dossier.application
    pill, headline, meaning = _WORDS[case.state]
    due = desk.due_at(case, dossier.models)
    facts = [("Number", case.id), ("Sent", day(case.submitted_at))] if case.submitted_at else []
    if case.is_open and due is not None:
        facts.append(("Decision due", day(due)))
    may = dossier.commands
    return {
        "application": _Case(
            case.id, case.version, pill, desk.title_of(dossier.models), headline, meaning
        ),
        "stages": _stages(dossier),
        "primary": _primary(dossier),
        "refusal": _refusal(dossier),
        "question": _question(house, dossier, wrong, typed),
        "thread": [_Post(p.initials, p.kind, p.who, p.at, p.text) for p in desk.thread(dossier)],
        "message": _Box(f"/applications/{case.id}/message", message, wrong.of("text"))
        if Command.MESSAGE in may
        else None,
        "withdraw": _Box(f"/applications/{case.id}/withdraw") if Command.WITHDRAW in may else None,
        "answers": [_Answer(*pair) for pair in desk.answers(dossier, house.policy.countries)],
        "models": [_Model(f"/{m.full_name}", m.title, m.tier.code) for m in dossier.models],
        "facts": facts,
        "history": [
            Step("done", what, f"{who}, {at:%d %b %Y}") for what, who, at in desk.history(dossier)
        ],
    }


@dataclass(frozen=True, slots=True)
class _Case:
    id: str
    version: int
    pill: Pill
    title: str
    headline: str
    state_text: str


@dataclass(frozen=True, slots=True)
class _Post:
    initials: str
    kind: str
    who: str
    at: Any
    text: str
    system: bool = False


@dataclass(frozen=True, slots=True)
class _Box:
    action: str
    value: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class _Model:
    href: str
    title: str
    tier: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    reason: str
    note: str
    way_back: str
    actions: Sequence[Action]


@dataclass(frozen=True, slots=True)
class _Question:
    text: str
    fields: Sequence[application_form.Asked]
    errors: Sequence[Any]
    action: str


def _stages(dossier: Dossier) -> list[Step]:
    state = dossier.application.state
    names = ["Sent", "In review"]
    names += ["Second approval"] if dossier.approvals_needed > 1 else []
    at = {_S.SUBMITTED: 1, _S.IN_REVIEW: 1, _S.INFO_REQUESTED: 1}.get(state, len(names))
    at = 2 if state is _S.SECOND_APPROVAL else at
    names.append(_WORDS[state][0].text if not dossier.application.is_open else "Decision")
    decided = not dossier.application.is_open
    return [
        Step("done" if decided or i < at else "now" if i == at else "next", name)
        for i, name in enumerate(names)
    ]


def _primary(dossier: Dossier) -> Action | None:
    name = dossier.models[0].full_name
    match dossier.application.state:
        case _S.APPROVED:
            return Action(f"/access/{name}", "Download")
        case _S.WITHDRAWN:
            return Action(f"/apply/{name}", "Apply again")
        case _:
            return None


def _refusal(dossier: Dossier) -> _Refusal | None:
    case = dossier.application
    if case.state is not _S.REJECTED or case.reject_reason is None:
        return None
    note = next((m.text for m in reversed(dossier.messages) if m.author_id != case.lead_id), "")
    again = [Action(f"/apply/{dossier.models[0].full_name}", "Apply again")]
    if case.outcome is Outcome.AFTER and case.after_on is not None:
        back = f"You may apply again after {case.after_on:%d %b %Y}."
    else:
        back = _BACK.get(case.outcome or Outcome.FIXABLE, "")
    return _Refusal(
        reason=reasons.REJECTED[case.reject_reason] + ".",
        note=note,
        way_back=back,
        actions=[] if case.outcome is Outcome.FINAL else again,
    )


def _question(
    house: House, dossier: Dossier, wrong: Wrongs, typed: Typed | None
) -> _Question | None:
    case = dossier.application
    if case.state is not _S.INFO_REQUESTED:
        return None
    asked = next((m.text for m in reversed(dossier.messages) if m.author_id != case.lead_id), "")
    draft = dossier.draft
    answers = draft.answers if draft is not None else case.answers
    fields = dossier.form.fields if dossier.form is not None else ()
    filled = typed or Typed(answers=answers)
    return _Question(
        text=asked,
        fields=application_form.questions(house, fields, filled, wrong),
        errors=wrong.errors,
        action=f"/applications/{case.id}/answer",
    )
