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
from gatekeeper.domain.errors import FieldError, GatekeeperError, Invalid
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

    `sent` is by label or name of the form's questions; `Purpose` is always one of them. Raises:
    NotFound, NotGated, Refused (no_account, terms_missing, terms_outdated and the like),
    TermsOutdated, Invalid, which names the question by its label. Nothing is kept then.
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
    """Sort what was sent. What was accepted before is signed again, which records nothing anew."""
    fields = form.fields if form is not None else ()
    names = {f.name: f.name for f in fields} | {f.label: f.name for f in fields}
    boxes = {f.name for f in fields if f.type is FieldType.CHECKBOX}
    texts = read.agreements.current_of(judged.model.agreements)
    terms = judged.standing.terms or {}
    done = {a: text.sha256 for a, text in texts.items() if terms.get(a) is TermsState.ACCEPTED}
    asked, unknown, named = _Asked(), [], dict[AgreementId, str](done)
    for key, value in sent.items():
        if key in names:
            is_ticked = names[key] in boxes and value.lower() in _TICKED
            asked.answers[names[key]] = "yes" if is_ticked else value
        elif key in texts:
            named[AgreementId(key)] = value
        elif key in {PURPOSE, SUMMARY}:
            asked.texts[key] = value
        else:
            unknown.append(FieldError(key[:80], "there is no such question"))
    if unknown:
        raise Invalid(*unknown)
    for agreement_id, sha256 in named.items():
        clauses = [clause.id for clause in texts[agreement_id].clauses]
        asked.signings[agreement_id] = Signing(sha256, clauses, person.name)
    return asked


def _accept(house: House, ctx: Context, judged: Judged, asked: _Asked) -> None:
    """Accept what the body names; the last acceptance that was missing grants."""
    model, terms = judged.model, judged.standing.terms or {}
    due = [terms.get(a, TermsState.MISSING) for a in model.agreements if a not in asked.signings]
    if due or not asked.signings:
        reason = _DUE.get(due[0] if due else TermsState.MISSING, Reason.TERMS_MISSING)
        raise Refused(reason, model=model.full_name)
    for agreement_id, signing in asked.signings.items():
        agreements.accept(house, ctx, agreement_id, signing, (model.namespace, model.name))


def _apply(
    house: House, ctx: Context, name: tuple[str, str], asked: _Asked, form: Form | None
) -> None:
    typed = Typed(asked.texts.get(PURPOSE, ""), asked.answers, asked.texts.get(SUMMARY, ""))
    draft = None
    try:
        draft = drafts.start(house, ctx, [name], typed)
        submission = Submission(draft.version, asked.signings)
        drafts.submit(house, ctx, draft.application_id, submission)
    except GatekeeperError as error:
        if draft is not None:
            drafts.withdraw(house, ctx, draft.application_id, None)
        raise _labelled(error, form) from error


def _labelled(error: GatekeeperError, form: Form | None) -> GatekeeperError:
    """Return what is wrong by the labels that were sent, and not by the names of the form."""
    if not isinstance(error, Invalid):
        return error
    labels = {f.name: f.label for f in form.fields} if form is not None else {}
    labels |= {"purpose": PURPOSE, "public_summary": SUMMARY}
    return Invalid(*(FieldError(labels.get(e.field, e.field), e.detail) for e in error.errors))
