"""How the viewer stands towards a model, in the words of every page: pill, clauses, next step.

The verdict is the rule's (domain/access). Not here: refusals as whole pages (errors, wording).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from urllib.parse import quote

from markupsafe import Markup

from gatekeeper.domain.access import Basis, Clause, ClauseState, Reason
from gatekeeper.domain.agreements import Agreement, TermsState
from gatekeeper.domain.catalogue import Model
from gatekeeper.domain.grants import Grant
from gatekeeper.services.access import Judged
from gatekeeper.web.pages.filters import day
from gatekeeper.web.pages.parts import Action, Pill, Step

_R = Reason
_REFUSED: Mapping[Reason, Pill] = {
    _R.NO_ACCOUNT: Pill("", "Gated"),
    _R.EMAIL_UNVERIFIED: Pill("warn", "Address not verified"),
    _R.NO_APPLICATION: Pill("", "Not applied"),
    _R.PENDING: Pill("warn", "Under review"),
    _R.RETURNED: Pill("warn", "Question for you"),
    _R.REJECTED: Pill("bad", "Refused"),
    _R.TERMS_MISSING: Pill("", "Terms to accept"),
    _R.TERMS_OUTDATED: Pill("warn", "Terms changed"),
    _R.GRANT_EXPIRED: Pill("", "Ended"),
    _R.GRANT_SUSPENDED: Pill("bad", "Suspended"),
    _R.GRANT_REVOKED: Pill("bad", "Revoked"),
    _R.BLOCKLISTED: Pill("bad", "Account suspended"),
    _R.RELEASE_FROZEN: Pill("bad", "Frozen"),
    _R.MODEL_WITHHELD: Pill("", "Withheld"),
    _R.MODEL_WITHDRAWN: Pill("bad", "Withdrawn"),
    _R.REGION: Pill("bad", "Not in your region"),
    _R.MFA_REQUIRED: Pill("warn", "Second factor needed"),
}


def pill(judged: Judged) -> Pill:
    """Return where the viewer stands, in two or three words."""
    verdict = judged.verdict
    if verdict.reason is not None:
        return _REFUSED.get(verdict.reason, Pill("", "Gated"))
    match verdict.basis:
        case Basis.OPEN | None:
            return Pill("ok", "Open")
        case Basis.ACCOUNT:
            return Pill("ok", "You have access")
        case Basis.MEMBER:
            return Pill("ok", "You are a member")
        case Basis.GRANT:
            until = Markup("<span>Yours until {}</span>").format(day(last_day(verdict.grant)))
            return Pill("ok", until if verdict.grant is not None else "You have access")


def last_day(grant: Grant | None) -> date:
    """Return the last day of a grant; it ends at the midnight after it."""
    assert grant is not None  # noqa: S101  a yes by grant names it
    return grant.last_day


def is_accepted(model: Model) -> bool:
    """Say whether accepting its terms is all a model asks: nobody decides, no form is filled in."""
    tier = model.tier
    return tier.is_granted and not tier.is_reviewed and model.form_sha256 is None


_STEPS: Mapping[Reason, Callable[[Judged], Action]] = {
    _R.NO_ACCOUNT: lambda j: Action(f"/sign-in?next=/{quote(j.model.full_name)}", "Sign in"),
    _R.EMAIL_UNVERIFIED: lambda _: Action("/account", "Verify your address"),
    _R.NO_APPLICATION: lambda j: Action(f"/apply/{j.model.full_name}", "Apply for access"),
    _R.PENDING: lambda j: _case(j, "See your application"),
    _R.RETURNED: lambda j: _case(j, "Answer the question"),
    _R.REJECTED: lambda j: _case(j, "Read why"),
    _R.TERMS_MISSING: lambda j: _terms(j, "Read and accept the terms"),
    _R.TERMS_OUTDATED: lambda j: _terms(j, "Read the new terms"),
    _R.GRANT_EXPIRED: lambda j: Action(f"/apply/{j.model.full_name}", "Apply again"),
    _R.GRANT_SUSPENDED: lambda _: Action("/access", "Read why"),
    _R.GRANT_REVOKED: lambda _: Action("/access", "Read why"),
    _R.MFA_REQUIRED: lambda _: Action("/account", "Set it up"),
}


def next_step(judged: Judged) -> Action | None:
    """Return where the viewer goes from here: to the files, or to what is missing."""
    verdict = judged.verdict
    if verdict.reason is None:
        return Action(f"/access/{judged.model.full_name}", "Download")
    make = _STEPS.get(verdict.reason)
    return make(judged) if make is not None else None


def _case(judged: Judged, text: str) -> Action:
    case = judged.standing.application
    return Action(f"/applications/{case.id}" if case is not None else "/access", text)


def _terms(judged: Judged, text: str) -> Action:
    model, terms = judged.model, judged.standing.terms or {}
    if is_accepted(model):
        return Action(f"/apply/{model.full_name}", text)
    due = [a for a in model.agreements if terms.get(a) is not TermsState.ACCEPTED]
    first = due[0] if due else next(iter(model.agreements), "")
    return Action(f"/agreements/{first}?model={model.full_name}", text)


def clauses(judged: Judged, agreements: Sequence[Agreement]) -> list[Step]:
    """Return every clause of the verdict, its terms named and linked."""
    return [
        Step(clause.state, clause.title, _detail(clause, judged, agreements))
        for clause in judged.verdict.clauses
    ]


def _detail(clause: Clause, judged: Judged, agreements: Sequence[Agreement]) -> str:
    grant = judged.verdict.grant
    if clause.requirement == "agreements" and clause.state is not ClauseState.NOT_NEEDED:
        return _linked(agreements) or "None asked for"
    if clause.requirement == "grant" and grant is not None:
        return Markup("Until {}").format(day(last_day(grant)))
    if clause.requirement == "verified_address" and judged.standing.person is None:
        return "A mail asks for it when you register"
    return clause.detail[:1].upper() + clause.detail[1:]


def _linked(agreements: Sequence[Agreement]) -> str:
    links = [
        Markup('<a href="/agreements/{}">{}</a>, version {}').format(a.id, a.title, a.version)
        for a in agreements
    ]
    return Markup("<br>").join(links)
