"""The one rule: who may see a model and fetch its files. The only place that says yes.

`decide` walks one ordered table of clauses; the first that fails gives the reason. Kept whole, so
that somebody can read it from top to bottom. Every door asks it: catalogue, Hub tree, downloads,
link redemption, each byte range, mails, explanations. Expiry is decided by comparing with `now`.
Lists may use a tested superset of it as an SQL filter; they never say yes by themselves.
Source: interface.md, Meanings ("Who may fetch"); governance.md 3.4, 5.2.

Not here: words for people (web/wording), token scopes (web/guard), recording (services/downloads).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from gatekeeper.domain.agreements import TermsState
from gatekeeper.domain.applications import OPEN_STATES, Application, ApplicationState
from gatekeeper.domain.catalogue import AgreementId, Availability, Model, Visibility, is_open_path
from gatekeeper.domain.errors import GatekeeperError
from gatekeeper.domain.grants import Grant, GrantState
from gatekeeper.domain.people import PUBLISHERS, Person, Role
from gatekeeper.domain.tiers import Requirement


class Reason(StrEnum):
    """Why access is refused (interface.md, Reason enums): closed."""

    NO_ACCOUNT = "no_account"
    EMAIL_UNVERIFIED = "email_unverified"
    NO_APPLICATION = "no_application"
    PENDING = "pending"
    RETURNED = "returned"
    REJECTED = "rejected"
    TERMS_MISSING = "terms_missing"
    TERMS_OUTDATED = "terms_outdated"
    GRANT_EXPIRED = "grant_expired"
    GRANT_SUSPENDED = "grant_suspended"
    GRANT_REVOKED = "grant_revoked"
    BLOCKLISTED = "blocklisted"
    RELEASE_FROZEN = "release_frozen"
    MODEL_WITHHELD = "model_withheld"
    MODEL_WITHDRAWN = "model_withdrawn"
    REGION = "region"
    MFA_REQUIRED = "mfa_required"
    NOT_VISIBLE = "not_visible"
    LINK_EXPIRED = "link_expired"
    LINK_INVALID = "link_invalid"
    WRONG_SCOPE = "wrong_scope"


class Basis(StrEnum):
    """What a yes rests on; recorded with the bytes."""

    OPEN = "open"
    ACCOUNT = "account"
    GRANT = "grant"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class See:
    """To know that the model exists: page, card, metadata, file list."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """To receive the bytes of one file."""

    path: str


Wanted = See | Fetch


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything about one person that bears on one model; all empty for anonymous.

    `grants` cover the model; `application` is the newest that names it; `terms` answers for each
    agreement the model asks for.
    """

    person: Person | None = None
    roles: frozenset[Role] = frozenset()
    grants: tuple[Grant, ...] = ()
    application: Application | None = None
    terms: Mapping[AgreementId, TermsState] | None = None


class ClauseState(StrEnum):
    """How one clause stands for this person."""

    MET = "met"
    UNMET = "unmet"
    WAITING = "waiting"
    NOT_NEEDED = "not_needed"


class Clause(NamedTuple):
    """One requirement judged: `reason` when it fails, `fact` names what it rests on."""

    requirement: str
    title: str
    state: ClauseState
    detail: str
    reason: Reason | None = None
    fact: str | None = None

    @property
    def fails(self) -> bool:
        """Say whether this clause alone refuses."""
        return self.reason is not None


class Verdict(NamedTuple):
    """The answer with every clause; `reason` is None exactly when `allowed`."""

    allowed: bool
    reason: Reason | None
    clauses: tuple[Clause, ...]
    basis: Basis | None = None
    grant: Grant | None = None


class Refused(GatekeeperError):
    """A person was refused; `model` is the full name it was about, '' for an act without one.

    `application_id` is the case that stands in the way, where there is one.
    """

    def __init__(self, reason: Reason, *, model: str = "", application_id: str = "") -> None:
        super().__init__(f"{reason}: {model}" if model else str(reason))
        self.reason = reason
        self.model = model
        self.application_id = application_id


class _Question(NamedTuple):
    standing: Standing
    model: Model
    wanted: Wanted
    now: datetime
    is_open: bool  # an open tier, or an open file of a gated model
    is_member: bool  # owners and publishers of the namespace may fetch; it is recorded as such
    live_grant: Grant | None  # that opens the model now and lasts longest

    @property
    def newest_grant(self) -> Grant | None:
        """The newest sound grant, live or ended."""
        return max(
            (g for g in self.standing.grants if g.sound), key=lambda g: g.starts_at, default=None
        )


def decide(standing: Standing, model: Model, wanted: Wanted, now: datetime) -> Verdict:
    """Answer whether this person may see or fetch, with the state of every clause."""
    is_open = model.tier.is_open or (
        isinstance(wanted, Fetch) and is_open_path(wanted.path, model.open_files)
    )
    is_member = not standing.roles.isdisjoint(PUBLISHERS)
    live = [grant for grant in standing.grants if grant.opens(now)]
    longest = max(live, key=lambda grant: grant.ends_at, default=None)
    question = _Question(standing, model, wanted, now, is_open, is_member, longest)
    clauses = tuple(clause for judge in _ORDER if (clause := judge(question)) is not None)
    failing = next((c for c in clauses if c.fails), None)
    if failing is not None:
        return Verdict(False, failing.reason, clauses)
    return Verdict(True, None, clauses, *_basis(question))


def _basis(q: _Question) -> tuple[Basis, Grant | None]:
    if isinstance(q.wanted, See) or q.is_open:
        return Basis.OPEN, None
    if q.is_member:
        return Basis.MEMBER, None
    if q.model.tier.is_granted:
        return Basis.GRANT, q.live_grant
    return Basis.ACCOUNT, None


def _visible(q: _Question) -> Clause:
    title = "The model is visible to you"
    if q.model.visibility is Visibility.PUBLIC:
        return Clause("visible", title, ClauseState.MET, "public")
    if q.standing.roles or any(g.sound for g in q.standing.grants):
        return Clause("visible", title, ClauseState.MET, "hidden, and you are around it")
    return Clause("visible", title, ClauseState.UNMET, "no such model", Reason.NOT_VISIBLE)


def _distributed(q: _Question) -> Clause | None:
    if isinstance(q.wanted, See):
        return None
    title = "The model is being distributed"
    match q.model.availability:
        case Availability.WITHDRAWN:
            return Clause(
                "distributed", title, ClauseState.UNMET, "withdrawn", Reason.MODEL_WITHDRAWN
            )
        case Availability.FROZEN:
            return Clause("distributed", title, ClauseState.UNMET, "frozen", Reason.RELEASE_FROZEN)
        case Availability.PUBLISHED:
            pass
    withheld = q.model.tier.needs(Requirement.NOT_DISTRIBUTED)
    if withheld and not q.is_open and not q.is_member:
        detail = f"tier {q.model.tier.code} {q.model.tier.word}: its files are not given out"
        return Clause("distributed", title, ClauseState.UNMET, detail, Reason.MODEL_WITHHELD)
    return Clause("distributed", title, ClauseState.MET, "published")


def _account(q: _Question) -> Clause | None:
    title = "You are signed in"
    if isinstance(q.wanted, See):
        return None
    if q.standing.person is not None:
        return Clause("account", title, ClauseState.MET, "yes", fact=q.standing.person.id)
    if q.is_open:
        return Clause("account", title, ClauseState.NOT_NEEDED, "open to everybody")
    return Clause("account", title, ClauseState.UNMET, "an account is needed", Reason.NO_ACCOUNT)


def _verified(q: _Question) -> Clause | None:
    title = "Your address is verified"
    if isinstance(q.wanted, See):
        return None
    if q.is_open:
        return Clause("verified_address", title, ClauseState.NOT_NEEDED, "open to everybody")
    if not q.model.tier.needs(Requirement.VERIFIED_ADDRESS):
        return Clause("verified_address", title, ClauseState.NOT_NEEDED, "not asked for")
    person = q.standing.person
    if person is not None and person.is_verified:
        return Clause("verified_address", title, ClauseState.MET, "yes", fact=person.id)
    return Clause(
        "verified_address", title, ClauseState.UNMET, "follow the mail we sent you",
        Reason.EMAIL_UNVERIFIED,
    )  # fmt: skip


def _not_blocked(q: _Question) -> Clause | None:
    person = q.standing.person
    if isinstance(q.wanted, See) or q.is_open or person is None:
        return None
    title = "Your account is in good standing"
    if person.suspended:
        detail = "your account is suspended"
        return Clause(
            "good_standing", title, ClauseState.UNMET, detail, Reason.BLOCKLISTED, person.id
        )
    return Clause("good_standing", title, ClauseState.MET, "yes")


def _granted(q: _Question) -> Clause | None:
    if isinstance(q.wanted, See) or not q.model.tier.is_granted:
        return None
    title = _grant_title(q)
    if q.is_open or q.is_member:
        return Clause("grant", title, ClauseState.NOT_NEEDED, _why_not_needed(q))
    live = q.live_grant
    if live is not None:
        detail = f"until {live.last_day.isoformat()}"
        return Clause("grant", title, ClauseState.MET, detail, fact=live.id)
    ended = q.newest_grant
    application = q.standing.application
    if application is not None and application_leads(application, ended):
        return _by_application(title, application)
    if ended is not None:
        return _by_ended_grant(title, ended, q.now)
    if q.model.form_sha256 is not None or q.model.tier.is_reviewed:
        return Clause("grant", title, ClauseState.UNMET, "apply for access", Reason.NO_APPLICATION)
    return Clause(
        "grant", title, ClauseState.UNMET, "granted when you accept the agreement",
        Reason.TERMS_MISSING,
    )  # fmt: skip


def _grant_title(q: _Question) -> str:
    match q.model.tier.approvals:
        case 0:
            return "Access is granted on acceptance"
        case 1:
            return "An approver granted access"
        case _:
            return "Two approvers granted access"


def _why_not_needed(q: _Question) -> str:
    return "open to everybody" if q.is_open else "you are a member of the namespace"


def application_leads(application: Application, ended: Grant | None) -> bool:
    """Say whether the application, rather than an ended grant, tells where the person stands."""
    if application.state is ApplicationState.WITHDRAWN:
        return False
    if ended is None or application.state in OPEN_STATES:
        return True
    return (
        application.state is ApplicationState.REJECTED and application.changed_at > ended.starts_at
    )


def _by_application(title: str, application: Application) -> Clause:
    state, detail, reason = _APPLICATION[application.state]
    return Clause("grant", title, state, detail, reason, application.id)


_WAITING, _UNMET = ClauseState.WAITING, ClauseState.UNMET
_APPLICATION: Mapping[ApplicationState, tuple[ClauseState, str, Reason]] = {
    ApplicationState.DRAFT: (_UNMET, "submit your draft", Reason.NO_APPLICATION),
    ApplicationState.SUBMITTED: (_WAITING, "your application waits for review", Reason.PENDING),
    ApplicationState.IN_REVIEW: (_WAITING, "your application is in review", Reason.PENDING),
    ApplicationState.SECOND_APPROVAL: (_WAITING, "one of two has approved", Reason.PENDING),
    ApplicationState.INFO_REQUESTED: (_UNMET, "answer the reviewer's question", Reason.RETURNED),
    ApplicationState.REJECTED: (_UNMET, "your application was refused", Reason.REJECTED),
    ApplicationState.WITHDRAWN: (_UNMET, "you withdrew your application", Reason.NO_APPLICATION),
    ApplicationState.APPROVED: (_UNMET, "apply again", Reason.NO_APPLICATION),
}


def _by_ended_grant(title: str, grant: Grant, now: datetime) -> Clause:
    state, detail, reason = _ENDED[grant.state(now)]
    return Clause("grant", title, state, detail, reason, grant.id)


_ENDED: Mapping[GrantState, tuple[ClauseState, str, Reason]] = {
    GrantState.PENDING_TERMS: (_WAITING, "approved: accept the terms", Reason.TERMS_MISSING),
    GrantState.ACTIVE: (_WAITING, "your access has not begun yet", Reason.PENDING),
    GrantState.SUSPENDED: (_UNMET, "your access is suspended", Reason.GRANT_SUSPENDED),
    GrantState.EXPIRED: (_UNMET, "your access has ended", Reason.GRANT_EXPIRED),
    GrantState.REVOKED: (_UNMET, "your access was revoked", Reason.GRANT_REVOKED),
    GrantState.RELINQUISHED: (_UNMET, "you gave your access back", Reason.NO_APPLICATION),
    GrantState.SUPERSEDED: (_UNMET, "your access was replaced", Reason.GRANT_EXPIRED),
}


def _terms(q: _Question) -> Clause | None:
    if isinstance(q.wanted, See) or not q.model.tier.needs(Requirement.AGREEMENTS):
        return None
    title = "You accepted the current terms"
    if q.is_open or q.is_member:
        return Clause("agreements", title, ClauseState.NOT_NEEDED, _why_not_needed(q))
    terms = q.standing.terms or {}
    states = {a: terms.get(a, TermsState.MISSING) for a in q.model.agreements}
    outdated = [a for a, s in states.items() if s is TermsState.OUTDATED]
    missing = [a for a, s in states.items() if s is TermsState.MISSING]
    if outdated:
        detail = f"a new version is in force: {', '.join(outdated)}"
        return Clause("agreements", title, _UNMET, detail, Reason.TERMS_OUTDATED)
    if missing:
        detail = f"accept {', '.join(missing)}"
        return Clause("agreements", title, _UNMET, detail, Reason.TERMS_MISSING)
    return Clause("agreements", title, ClauseState.MET, ", ".join(states) or "none asked for")


_ORDER: tuple[Callable[[_Question], Clause | None], ...] = (
    _visible,
    _distributed,
    _account,
    _verified,
    _not_blocked,
    _granted,
    _terms,
)
