"""Access that nobody asked for: an approver gives it to one person, of a tier that one may decide.

The grant names neither an application nor an agreement; its entry says who gave it. Who did not
accept the terms yet gets it when they do, as everybody else.
Not here: what comes of an application (granting), the rule (domain/grants.check_gift).
"""

from __future__ import annotations

from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.applications import Decider
from gatekeeper.domain.catalogue import Model
from gatekeeper.domain.errors import Conflict
from gatekeeper.domain.facts import grants as g
from gatekeeper.domain.grants import GrantState, check_gift
from gatekeeper.domain.links import GrantId
from gatekeeper.domain.people import Context, Person
from gatekeeper.domain.requests import HasAccess, NoSuchPerson
from gatekeeper.services import access, grants
from gatekeeper.services.access import Judged
from gatekeeper.services.applications.decisions import hats_around
from gatekeeper.services.applications.requests import overseen
from gatekeeper.services.people import current
from gatekeeper.services.ports import House


def give(house: House, ctx: Context, name: tuple[str, str], username: str) -> None:
    """Give a person access to a model, for as long as its tier lets a grant last.

    Raises: as `requests.overseen`; NotAllowed (see `check_gift`), NoSuchPerson, HasAccess; Conflict
    where a case of theirs is open or their access is suspended.
    """
    with house.db.acting(ctx) as act:
        model = overseen(act, ctx, name)
        me = current(act, ctx)
        known = act.people.by_username(username)
        holder = act.people.by_id(known.id, lock=True) if known is not None else None
        if holder is None:
            raise NoSuchPerson("no such person")
        giver = Decider(me, hats_around(act, me, [model.id]))
        check_gift(giver, holder, model, house.policy.public_mail_domains)
        _check_standing(access.judge(act, holder, model, ctx.now, lock=True), ctx)
        _record(act, ctx, holder, model)


def _check_standing(judged: Judged, ctx: Context) -> None:
    """Refuse what would be given twice, or beside a decision that somebody else has to take."""
    states = {grant.state(ctx.now) for grant in judged.standing.grants if grant.sound}
    if judged.verdict.allowed or GrantState.PENDING_TERMS in states:
        raise HasAccess("they have access to it already")
    if GrantState.SUSPENDED in states:
        raise Conflict("their access is suspended: reinstate it", state=GrantState.SUSPENDED)
    asked = judged.standing.application
    if asked is not None and asked.is_open:
        words = f"they have asked for it in {asked.id}: decide about that"
        raise Conflict(words, state=asked.state, version=asked.version)


def _record(act: Act, ctx: Context, holder: Person, model: Model) -> None:
    ends_on = grants.end_of(ctx, model.tier.grant_days).date()
    act.record(
        g.GrantCreated(
            grant_id=GrantId(ctx.new_id("gr")),
            person_id=holder.id,
            models=(model.id,),
            state=grants.initial_state(act, holder, (model.id,)),
            starts_at=ctx.now,
            ends_at=grants.end_of_day(ends_on),
            application_id=None,
            agreement_id=None,
        )
    )
