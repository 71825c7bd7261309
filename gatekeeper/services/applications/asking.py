"""Asking for access in one call, as the Hub's web form does: answers by label, and no draft left.

Whoever already asked, holds or was refused is answered like somebody who asks for the first time,
and nothing changes. Terms are never accepted by silence: a body that names an agreement's id with
the SHA-256 of its text accepts that text, whole, under the person's own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gatekeeper.db.readers import Readers
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.agreements import TermsState
from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.errors import FieldError, Invalid
from gatekeeper.domain.forms import FieldType, Form
from gatekeeper.domain.people import Context, Person
from gatekeeper.services import access, agreements
from gatekeeper.services.access import Judged
from gatekeeper.services.agreements import Signing
from gatekeeper.services.applications import drafts
from gatekeeper.services.applications.conditions import forms_of
from gatekeeper.services.applications.drafts import Submission, Typed
from gatekeeper.services.applications.listing import PURPOSE
from gatekeeper.services.applications.requests import check_gated, request_of
from gatekeeper.services.people import current
from gatekeeper.services.ports import House

SUMMARY = "For the public"
_TICKED = frozenset({"yes", "true", "on", "1"})
_DUE = {TermsState.MISSING: Reason.TERMS_MISSING, TermsState.OUTDATED: Reason.TERMS_OUTDATED}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was sent, taken apart: texts of the application, answers by name, terms accepted."""

    texts: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    signings: dict[AgreementId, Signing] = field(default_factory=dict)


def ask(house: House, ctx: Context, name: tuple[str, str], sent: Mapping[str, str]) -> None:
    """Ask for a model: by its agreements alone where its tier needs no more, else by applying.

    `sent` is by label or name of the form's questions; `Purpose` is always one of them, and answers
    a question of that label too. Raises: NotFound, NotGated, Refused (no_account, terms_missing,
    terms_outdated and the like), TermsOutdated, Invalid, which names the question by its label.
    Nothing is kept then.
    """
    with house.db.reading() as read:
        judged = access.find_model(read, ctx, *name)
        person = current(read, ctx)
        check_gated(judged.model)
        is_known = request_of(read, judged.model, person.id, ctx.now) is not None
        form = forms_of(read, [judged.model])
        asked = _taken_apart(read, person, judged, form, sent)
    if is_known or judged.verdict.allowed:
        return
    if judged.model.tier.is_granted and not judged.model.tier.is_reviewed and form is None:
        _accept(house, ctx, judged, asked)
    else:
        _apply(house, ctx, name, asked, form)


def _taken_apart(
    read: Readers, person: Person, judged: Judged, form: Form | None, sent: Mapping[str, str]
) -> _Asked:
    """Sort what was sent; raises Invalid for what nobody asked."""
    fields = form.fields if form is not None else ()
    names = {f.name: f.name for f in fields} | {f.label: f.name for f in fields}
    boxes = {f.name for f in fields if f.type is FieldType.CHECKBOX}
    texts = read.agreements.current_of(judged.model.agreements)
    ours = {key: sent[key] for key in (PURPOSE, SUMMARY) if key in sent}
    asked, unknown = _Asked(ours), []
    for key, value in {**ours, **sent}.items():  # ours first: a question's name outdoes its label
        if key in names:
            is_ticked = names[key] in boxes and value.lower() in _TICKED
            asked.answers[names[key]] = "yes" if is_ticked else value
        elif (agreement := texts.get(AgreementId(key))) is not None:
            clauses = [clause.id for clause in agreement.clauses]
            asked.signings[agreement.id] = Signing(value, clauses, person.name)
        elif key not in ours:
            unknown.append(FieldError(key[:80], "there is no such question"))
    if unknown:
        raise Invalid(*unknown)
    return asked


def _accept(house: House, ctx: Context, judged: Judged, asked: _Asked) -> None:
    """Accept what the body names; raises Refused where that leaves an agreement out."""
    model, terms = judged.model, judged.standing.terms or {}
    left = [terms.get(a, TermsState.MISSING) for a in model.agreements if a not in asked.signings]
    if due := [_DUE[state] for state in left if state in _DUE]:
        raise Refused(due[0], model=model.full_name)
    agreements.accept_for(house, ctx, (model.namespace, model.name), asked.signings)


def _apply(
    house: House, ctx: Context, name: tuple[str, str], asked: _Asked, form: Form | None
) -> None:
    typed = Typed(asked.texts.get(PURPOSE, ""), asked.answers, asked.texts.get(SUMMARY, ""))
    try:
        with house.db.acting(ctx) as act:
            draft = drafts.start_within(house, act, ctx, [name], typed)
            submission = Submission(draft.version, asked.signings)
            drafts.submit_within(house, act, ctx, draft.application_id, submission)
    except Invalid as error:
        raise _labelled(error, form) from error


def _labelled(error: Invalid, form: Form | None) -> Invalid:
    """Return what is wrong by the labels that were sent, and not by the names of the form."""
    labels = {f.name: f.label for f in form.fields} if form is not None else {}
    labels |= {"purpose": PURPOSE, "public_summary": SUMMARY}
    return Invalid(*(FieldError(labels.get(e.field, e.field), e.detail) for e in error.errors))
