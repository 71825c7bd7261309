"""Releases, models and agreements as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable

from gatekeeper.domain import agreements as terms
from gatekeeper.domain import catalogue, forms
from gatekeeper.domain.agreements import TermsState
from gatekeeper.services.access import Judged, refusal
from gatekeeper.services.catalogue import ModelView, ReleaseView
from gatekeeper.services.contents import Contents
from gatekeeper.services.publishing.cards import Import
from gatekeeper.web import wording
from gatekeeper.web.api.wire import answers as a
from gatekeeper.web.api.wire import cards
from gatekeeper.web.api.wire.problems import NextStep


def access(judged: Judged) -> a.Access:
    """Show the verdict on fetching a model."""
    verdict = judged.verdict
    step = wording.step(refusal(judged)) if verdict.reason is not None else None
    return a.Access(
        allowed=verdict.allowed,
        reason=verdict.reason,
        detail=step.said if step is not None else "You may fetch its files.",
        next_step=NextStep(text=step.do, page=step.page) if step is not None else None,
    )


def model_row(judged: Judged) -> a.ModelRow:
    """Show a model in a list."""
    model = judged.model
    return a.ModelRow(
        id=model.full_name,
        title=model.title,
        release=f"{model.namespace}/{model.release_name}",
        tier=model.tier.code,
        tier_word=model.tier.word,
        gated=not model.tier.is_open,
        visibility=model.visibility,
        changed_at=model.changed_at,
        access=access(judged),
    )


def model(view: ModelView) -> a.Model:
    """Show one model."""
    sibling = view.open_sibling
    return a.Model(
        **dict(model_row(view.judged)),
        clauses=tuple(
            a.Clause(requirement=c.requirement, title=c.title, state=c.state, detail=c.detail)
            for c in view.judged.verdict.clauses
        ),
        agreements=tuple(_asked(agreement, view.judged) for agreement in view.agreements),
        form=form(view.form, view.judged.model.form_sha256) if view.form is not None else None,
        revision=view.revision.id if view.revision is not None else None,
        refs=tuple(a.Ref(kind=r.kind, name=r.name, revision=r.revision_id) for r in view.refs),
        files=files(view.files),
        open_sibling=sibling.full_name if sibling is not None else None,
    )


def contents(found: Contents) -> a.Files:
    """Show the files of a revision."""
    revision = found.revision.id if found.revision is not None else ""
    return a.Files(model=found.model.full_name, revision=revision, items=files(found.files))


def files(found: Iterable[catalogue.File]) -> tuple[a.File, ...]:
    """Show files by path."""
    return tuple(a.File(path=f.path, size_bytes=f.size_bytes, sha256=f.sha256) for f in found)


def form(found: forms.Form, sha256: str | None) -> a.Form:
    """Show the questions of a form."""
    fields = tuple(
        a.FormField(
            name=f.name,
            type=f.type,
            label=f.label,
            help=f.help,
            required=f.required,
            options=f.options,
            max_chars=f.max_chars,
        )
        for f in found.fields
    )
    return a.Form(title=found.title, intro=found.intro, fields=fields, sha256=sha256)


def release_row(view: ReleaseView) -> a.ReleaseRow:
    """Show a release in a list."""
    return a.ReleaseRow(
        id=view.release.full_name,
        title=view.release.title,
        tagline=view.content.about.tagline,
        changed_at=view.release.changed_at,
        models=tuple(model_row(judged) for judged in view.models),
    )


def release(view: ReleaseView) -> a.Release:
    """Show one release with the content of its page."""
    return a.Release(**dict(release_row(view)), content=view.content)


def card_import(done: Import, *, dry_run: bool) -> cards.Import:
    """Show what the import of a card changed, or would."""
    asked = done.terms
    agreement_ = (
        cards.ImportedTerms(
            id=asked.id,
            version=asked.version,
            title=asked.title,
            intro=asked.intro,
            clauses=_clauses(asked.clauses),
            is_new=asked.is_new,
        )
        if asked is not None
        else None
    )
    return cards.Import(
        model=done.model.full_name,
        revision=done.revision_id,
        dry_run=dry_run,
        changed=done.is_change and not dry_run,
        tier_before=done.model.tier.code,
        tier=done.tier.code,
        agreement=agreement_,
        form=form(done.form, done.form_sha256) if done.form is not None else None,
        notes=tuple(done.notes),
    )


def agreement(found: terms.Agreement) -> a.Agreement:
    """Show the version in force."""
    return a.Agreement(
        id=found.id,
        version=found.version,
        title=found.title,
        intro=found.intro,
        sha256=found.sha256,
        change=found.change,
        published_at=found.published_at,
        clauses=_clauses(found.clauses),
    )


def _clauses(found: Iterable[terms.TermsClause]) -> tuple[a.TermsClause, ...]:
    return tuple(a.TermsClause(id=c.id, title=c.title, text=c.text) for c in found)


def acceptance(made: terms.Acceptance) -> a.Acceptance:
    """Show evidence of an acceptance."""
    return a.Acceptance(
        id=made.id,
        agreement=made.agreement_id,
        version=made.version,
        sha256=made.sha256,
        clauses=made.clauses,
        typed_name=made.typed_name,
        accepted_at=made.accepted_at,
    )


def _asked(agreement: terms.Agreement, judged: Judged) -> a.AskedAgreement:
    state = (judged.standing.terms or {}).get(agreement.id)
    return a.AskedAgreement(
        id=agreement.id,
        title=agreement.title,
        version=agreement.version,
        sha256=agreement.sha256,
        accepted=state is TermsState.ACCEPTED,
    )
