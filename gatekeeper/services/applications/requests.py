"""Requests for one model as the Hub administers them: accepted, rejected, put back, withdrawn.

Each is decided by the verbs of the review desk (decisions) and of grants, with their guards; what
is here finds the case or the grants that are meant. One request may be a case that names several
models: it is decided as a whole, as it is on the desk.
Not here: the lists (listing), access nobody asked for (giving), asking (asking).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gatekeeper.db.readers import Readers
from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.applications import Application, ApplicationId, Outcome, RejectReason
from gatekeeper.domain.catalogue import Model
from gatekeeper.domain.errors import Conflict, Invalid, NotAllowed, NotFound, invalid
from gatekeeper.domain.grants import Grant
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import Context, Person, PersonId, Scope
from gatekeeper.domain.requests import (
    AccessRequest,
    NoSuchPerson,
    NoSuchRequest,
    NotGated,
    RequestStatus,
    fold,
)
from gatekeeper.domain.tiers import Requirement
from gatekeeper.services import access, grants
from gatekeeper.services.applications import decisions, drafts
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.applications.reading import staff_namespaces
from gatekeeper.services.people import current, need_scope
from gatekeeper.services.ports import House

# The Hub's wire carries a text and no code. Of the codes these accuse nobody: what was asked is not
# what the model is given for, or was given by mistake; and who is refused may come again, as
# nothing on the wire says that it is final. The text is what the person reads.
REJECTED_FOR, WAY_BACK = RejectReason.OUT_OF_SCOPE, Outcome.FIXABLE
PUT_BACK = "The decision was taken back: your request is among those that await a review."
TAKEN_BACK = "What was given to you without a request was taken back."
_LACKS: Mapping[Reason, str] = {
    Reason.EMAIL_UNVERIFIED: "has not verified their address: nothing can be granted yet",
    Reason.BLOCKLISTED: "has a suspended account: nothing can be granted",
}


@dataclass(frozen=True, slots=True)
class Handling:
    """What is to become of a request, named by its person, its own id, or both."""

    status: RequestStatus
    username: str = ""
    request_id: str = ""
    note: str = ""


def request_of(
    read: Readers, model: Model, person_id: PersonId, now: datetime
) -> AccessRequest | None:
    """Return how one person's request for a model stands."""
    return Folded(read, model, {person_id}, now).request(person_id)


def handle(house: House, ctx: Context, name: tuple[str, str], wanted: Handling) -> None:
    """Accept, reject or put back a request; it is in force before the return.

    Accepting is an approval: of two that a tier asks the first leaves the request pending. Raises:
    as `overseen`, `decisions.decide` and `grants.change`; NoSuchPerson, NoSuchRequest, Conflict.
    """
    with house.db.acting(ctx) as act:
        model = overseen(act, ctx, name)
        person = _meant(act, model, wanted)
        act.people.by_id(person.id, lock=True)
        found = request_of(act, model, person.id, ctx.now)
        if found is None or found.status is wanted.status:
            raise NoSuchRequest("no such request")
        if wanted.request_id and found.id != wanted.request_id:
            raise NoSuchRequest("no such request")
        _HANDLE[wanted.status](_Hand(house, act, ctx, model, person, found), wanted.note)


def cancel(house: House, ctx: Context, name: tuple[str, str]) -> None:
    """Withdraw one's own request for a model; raises NoSuchRequest where none awaits a decision."""
    with house.db.reading() as read:
        model = access.find_model(read, ctx, *name).model
        found = request_of(read, model, current(read, ctx).id, ctx.now)
    if found is None or found.status is not RequestStatus.PENDING or found.application is None:
        raise NoSuchRequest("no such request")
    drafts.withdraw(house, ctx, found.application.id, found.application.version)


def check_gated(model: Model) -> None:
    """Raise NotGated for a model that nobody has to ask for."""
    if not model.tier.is_granted and not model.tier.needs(Requirement.NOT_DISTRIBUTED):
        raise NotGated(*invalid("model", f"{model.full_name} is not gated").errors)


def overseen(read: Readers, ctx: Context, name: tuple[str, str]) -> Model:
    """Return a gated model whose cases the actor may read, by the rule of the review desk.

    Raises: NotFound, Refused (no_account, blocklisted, wrong_scope), NotAllowed (G-role), NotGated.
    """
    model = access.find_model(read, ctx, *name).model
    person = current(read, ctx)
    need_scope(ctx, Scope.REVIEW)
    try:
        namespaces = staff_namespaces(read, person)
    except Refused:
        namespaces = frozenset()
    if namespaces is not None and model.namespace not in namespaces:
        staff = f"the handlers, reviewers and approvers of {model.namespace}, and compliance"
        raise NotAllowed("G-role", f"requests for {model.full_name} are read by {staff}")
    check_gated(model)
    return model


def _meant(read: Readers, model: Model, wanted: Handling) -> Person:
    by_name = read.people.by_username(wanted.username) if wanted.username else None
    if wanted.username and by_name is None:
        raise NoSuchPerson("no such person")
    if by_name is not None:
        return by_name
    case = read.applications.by_id(ApplicationId(wanted.request_id))
    grant = read.grants.by_id(GrantId(wanted.request_id))
    asked_by = case.lead_id if case is not None and model.id in case.models else None
    held_by = grant.person_id if grant is not None and model.id in grant.models else None
    person_id = asked_by or held_by
    person = read.people.by_id(person_id) if person_id is not None else None
    if person is None:
        raise NoSuchRequest("no such request")
    return person


@dataclass(frozen=True, slots=True)
class _Hand:
    """One request under the lock, and who handles it."""

    house: House
    act: Act
    ctx: Context
    model: Model
    person: Person
    request: AccessRequest

    def decide(self, verdict: VerdictKind, note: str = "") -> None:
        """Give a verdict on the case; what the wire cannot say is refused in words."""
        case = self.case
        decision = Decision(verdict, case.version, note)
        if verdict is VerdictKind.REJECT:
            decision = replace(decision, reason=REJECTED_FOR, outcome=WAY_BACK)
        try:
            decisions.decide_within(self.house, self.act, self.ctx, case.id, decision)
        except Invalid as error:
            if error.errors[0].field != "override_note":
                raise
            where = f"in the review of {case.id}, where it can be written down"
            raise NotAllowed("G-conflict", f"{error.errors[0].detail}, {where}") from error
        except Refused as error:
            if error.reason not in _LACKS:
                raise
            words = f"{self.person.username} {_LACKS[error.reason]}"
            raise NotAllowed("G-tier", words) from error

    @property
    def case(self) -> Application:
        """The case as it stands in this act."""
        asked = self.request.application
        found = self.act.applications.by_id(asked.id) if asked is not None else None
        if found is None:
            words = f"{self.person.username} never asked for {self.model.full_name}: grant it"
            raise Conflict(words, state=self.request.status)
        return found

    def revoke(self, note: str) -> None:
        """End everything this person holds of the model."""
        held = self.act.grants.of_people(self.model.id, [self.person.id])
        try:
            grants.end_all(self.act, self.ctx, held, note)
        except NotFound as error:  # a reviewer, who reads cases and knows of no grant
            raise NotAllowed("G-role", "you have no role here that may revoke a grant") from error


def _accept(hand: _Hand, _note: str) -> None:
    if hand.request.status is RequestStatus.REJECTED:
        hand.decide(VerdictKind.REOPEN, PUT_BACK)
    hand.decide(VerdictKind.APPROVE)


def _reject(hand: _Hand, note: str) -> None:
    if hand.request.status is RequestStatus.ACCEPTED:
        hand.revoke(note)
    else:
        hand.decide(VerdictKind.REJECT, note)


def _put_back(hand: _Hand, _note: str) -> None:
    """Open the case again; where nobody asked there is none, and the access ends alone."""
    is_held = hand.request.status is RequestStatus.ACCEPTED
    if not is_held or hand.request.application is not None:
        hand.decide(VerdictKind.REOPEN, PUT_BACK)
    if is_held:
        hand.revoke(PUT_BACK if hand.request.application is not None else TAKEN_BACK)


_HANDLE: Mapping[RequestStatus, Callable[[_Hand, str], None]] = {
    RequestStatus.ACCEPTED: _accept,
    RequestStatus.REJECTED: _reject,
    RequestStatus.PENDING: _put_back,
}


class Folded:
    """What several people asked for and hold of one model, in as many queries as for one."""

    def __init__(
        self, read: Readers, model: Model, people: Collection[PersonId], now: datetime
    ) -> None:
        self._now = now
        self._asked: dict[PersonId, list[Application]] = {}
        self._held: dict[PersonId, list[Grant]] = {}
        for application in read.applications.of_people(model.id, people):
            self._asked.setdefault(application.lead_id, []).append(application)
        for grant in read.grants.of_people(model.id, people):
            self._held.setdefault(grant.person_id, []).append(grant)

    def request(self, person_id: PersonId) -> AccessRequest | None:
        """Return how one of them stands."""
        return fold(self._asked.get(person_id, ()), self._held.get(person_id, ()), self._now)

    def has_asked(self, person_id: PersonId) -> bool:
        """Say whether one of them ever sent a case for the model."""
        return person_id in self._asked
