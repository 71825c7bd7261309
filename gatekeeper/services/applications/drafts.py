"""What the lead does: save a draft, submit it, write in the thread, withdraw.

A draft is ephemeral and may break every rule of its form; `submit` seals its snapshot into a fact.
After a question the lead may change the answers in a draft of the same id and submit again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.applications import (
    Application,
    ApplicationId,
    ApplicationState,
    Command,
    Draft,
    Hat,
    check_command,
    check_version,
)
from gatekeeper.domain.catalogue import AgreementId, Model
from gatekeeper.domain.errors import Conflict, FieldError, Invalid, NotFound, invalid
from gatekeeper.domain.facts import applications as f
from gatekeeper.domain.people import Context, Person
from gatekeeper.services import access, agreements
from gatekeeper.services.agreements import Signing
from gatekeeper.services.applications import conditions, granting
from gatekeeper.services.people import current
from gatekeeper.services.ports import House

MAX_DRAFTS = 20
MAX_PURPOSE_CHARS = 4000
MAX_SUMMARY_CHARS = 1000
MAX_MESSAGE_CHARS = 8000
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Typed:
    """What the lead typed; None leaves a part as it is."""

    purpose: str | None = None
    answers: Mapping[str, str] | None = None
    public_summary: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission: the version seen, the terms signed with it (by agreement id), and a message.

    The message stands in the thread, for both sides; an empty one is none.
    """

    version: int | None = None
    signings: Mapping[AgreementId, Signing] = field(default_factory=dict)
    message: str = ""


def start(house: House, ctx: Context, models: Sequence[tuple[str, str]], typed: Typed) -> Draft:
    """Begin a draft for models of one namespace that ask the same form.

    Raises: NotFound for a model the person may not see, Invalid, Refused(no_account).
    """
    with house.db.acting(ctx) as act:
        return start_within(house, act, ctx, models, typed)


def start_within(
    house: House, act: Act, ctx: Context, models: Sequence[tuple[str, str]], typed: Typed
) -> Draft:
    """Begin a draft within an act; see `start`."""
    person = current(act, ctx)
    if len(act.ephemeral.drafts_of(person.id)) >= MAX_DRAFTS:
        raise invalid("models", f"you have {MAX_DRAFTS} drafts; discard one first")
    found = [access.find_model(act, ctx, *name).model for name in models]
    conditions.check_models(found)
    conditions.check_one_form(found)
    draft = Draft(
        application_id=_new_id(ctx),
        lead_id=person.id,
        models=tuple(sorted({m.id for m in found})),
        purpose="",
        answers={},
        public_summary="",
        version=1,
        created_at=ctx.now,
        saved_at=ctx.now,
    )
    draft = _typed_into(house, draft, typed)
    act.ephemeral.save_draft(draft)
    return draft


def save(
    house: House, ctx: Context, application_id: ApplicationId, typed: Typed, version: int | None
) -> Draft:
    """Save a draft; what is wrong with the answers is no reason to refuse saving them.

    `version` None lets the last writer win (autosave). Raises: NotFound, Conflict, Invalid for a
    text over its limit.
    """
    with house.db.acting(ctx) as act:
        draft = _open_draft(act, ctx, application_id, version)
        changed = _typed_into(house, draft, typed)
        saved = replace(changed, version=draft.version + 1, saved_at=ctx.now)
        act.ephemeral.save_draft(saved)
    return saved


def submit(
    house: House,
    ctx: Context,
    application_id: ApplicationId,
    submission: Submission,
) -> Application:
    """Seal and send the draft; when it is refused, the draft is kept as it is.

    Raises: Invalid (form), Refused (email_unverified, terms_missing, terms_outdated, rejected),
    Conflict (another open application, or a newer version), NotFound.
    """
    with house.db.acting(ctx) as act:
        return submit_within(house, act, ctx, application_id, submission)


def submit_within(
    house: House,
    act: Act,
    ctx: Context,
    application_id: ApplicationId,
    submission: Submission,
) -> Application:
    """Seal and send the draft within an act; see `submit`."""
    if len(submission.message) > MAX_MESSAGE_CHARS:
        raise invalid("message", f"at most {MAX_MESSAGE_CHARS} characters")
    person = current(act, ctx)
    person = act.people.by_id(person.id, lock=True) or person
    application = act.applications.by_id(application_id, lock=True)
    draft = _open_draft(act, ctx, application_id, submission.version)
    models = list(act.catalogue.models_by_id(draft.models).values())
    for agreement_id, signing in submission.signings.items():
        agreements.sign(act, ctx, person, agreement_id, signing, models[0])
    conditions.check_submission(house, act, ctx, person, models, draft, application)
    asked = (application or models[0]).form_sha256
    _record_submission(act, ctx, person, models, draft, asked)
    if submission.message.strip():
        act.record(message_of(ctx, application_id, person, submission.message))
    submitted = act.applications.by_id(application_id)
    assert submitted is not None  # noqa: S101  it was recorded just now
    return submitted


def message_of(
    ctx: Context,
    application_id: ApplicationId,
    author: Person,
    text: str,
    *,
    internal: bool = False,
) -> f.MessagePosted:
    """Return the fact of a message in the thread."""
    sealed = ctx.sealed("text", text.strip())
    return f.MessagePosted(application_id, ctx.new_id("msg"), author.id, sealed, internal)


def withdraw(
    house: House, ctx: Context, application_id: ApplicationId, version: int | None
) -> Application | None:
    """Take an application back; a draft is simply discarded (None).

    Raises: NotFound, Conflict.
    """
    with house.db.acting(ctx) as act:
        person = current(act, ctx)
        application = act.applications.by_id(application_id, lock=True)
        draft = act.ephemeral.draft(application_id)
        if application is None:
            if draft is None or draft.lead_id != person.id:
                raise NotFound("no such application")
            _check_draft(draft, version)
            act.ephemeral.delete_draft(application_id)
            return None
        if application.lead_id != person.id:
            raise NotFound("no such application")
        if version is not None:
            check_version(application, version)
        check_command(Command.WITHDRAW, application, frozenset({Hat.LEAD}))
        act.record(f.ApplicationWithdrawn(application_id, person.id))
        act.ephemeral.delete_draft(application_id)
        return act.applications.by_id(application_id)


def _open_draft(
    act: Act, ctx: Context, application_id: ApplicationId, version: int | None
) -> Draft:
    """Return the lead's draft; after a question it begins as a copy of what was submitted."""
    person = current(act, ctx)
    draft = act.ephemeral.draft(application_id)
    application = act.applications.by_id(application_id)
    owner = application.lead_id if application is not None else draft.lead_id if draft else None
    if owner != person.id:
        raise NotFound("no such application")
    if application is not None:
        if version is not None:
            check_version(application, version)
        check_command(Command.SUBMIT, application, frozenset({Hat.LEAD}))
        return draft or _copy(application, ctx)
    assert draft is not None  # noqa: S101  somebody owns it
    _check_draft(draft, version)
    return draft


def _check_draft(draft: Draft, version: int | None) -> None:
    if version is not None and version != draft.version:
        raise Conflict(
            "this draft was saved elsewhere meanwhile",
            state=ApplicationState.DRAFT,
            version=draft.version,
        )


def _copy(application: Application, ctx: Context) -> Draft:
    return Draft(
        application_id=application.id,
        lead_id=application.lead_id,
        models=application.models,
        purpose=application.purpose,
        answers=application.answers,
        public_summary=application.public_summary,
        version=application.version,
        created_at=ctx.now,
        saved_at=ctx.now,
    )


def _typed_into(house: House, draft: Draft, typed: Typed) -> Draft:
    limit = house.policy.max_answer_chars
    errors = [
        FieldError(name[:80], f"at most {limit} characters")
        for name, answer in (typed.answers or {}).items()
        if len(answer) > limit or len(name) > 80
    ]
    if len(typed.answers or {}) > 100:
        errors.append(FieldError("answers", "at most 100 answers"))
    if typed.purpose is not None and len(typed.purpose) > MAX_PURPOSE_CHARS:
        errors.append(FieldError("purpose", f"at most {MAX_PURPOSE_CHARS} characters"))
    if typed.public_summary is not None and len(typed.public_summary) > MAX_SUMMARY_CHARS:
        errors.append(FieldError("public_summary", f"at most {MAX_SUMMARY_CHARS} characters"))
    if errors:
        raise Invalid(*errors)
    return replace(
        draft,
        purpose=draft.purpose if typed.purpose is None else typed.purpose,
        answers=draft.answers if typed.answers is None else dict(typed.answers),
        public_summary=(
            draft.public_summary if typed.public_summary is None else typed.public_summary
        ),
    )


def _record_submission(
    act: Act,
    ctx: Context,
    person: Person,
    models: Sequence[Model],
    draft: Draft,
    form_sha256: str | None,
) -> None:
    answers = json.dumps(dict(draft.answers), sort_keys=True, ensure_ascii=False)
    awaits_review = any(m.tier.is_reviewed for m in models)
    act.record(
        f.ApplicationSubmitted(
            application_id=draft.application_id,
            person_id=person.id,
            models=tuple(sorted(m.id for m in models)),
            form_sha256=form_sha256,
            purpose=ctx.sealed("purpose", draft.purpose.strip()),
            answers=ctx.sealed("answers", answers),
            public_summary=ctx.sealed("public_summary", draft.public_summary.strip()),
            awaits_review=awaits_review,
        )
    )
    act.ephemeral.delete_draft(draft.application_id)
    if not awaits_review:
        granting.auto_approve(act, ctx, draft.application_id, models)


def _new_id(ctx: Context) -> ApplicationId:
    number = int.from_bytes(ctx.fresh(5), "big")
    digits = "".join(_CROCKFORD[(number >> (5 * i)) & 31] for i in range(7))
    return ApplicationId(f"GK-{digits}")
