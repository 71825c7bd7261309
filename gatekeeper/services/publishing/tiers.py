"""A model's tier: chosen once, tightened by its publishers, loosened by a stage decision alone.

A model that a client made has the strictest tier and nobody chose it: its first choice may be any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.catalogue import Model, Visibility, has_way_in
from gatekeeper.domain.errors import NotAllowed, invalid
from gatekeeper.domain.facts import catalogue as f
from gatekeeper.domain.people import Context
from gatekeeper.domain.tiers import Requirement, Tier
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.releases import writable
from gatekeeper.services.publishing.terms import terms_of

# What the Hub's three kinds of gate are here.
OF_GATE: Mapping[bool | str, str] = {False: "T0", "auto": "T2", "manual": "T3"}


def named(house: House, code: str) -> Tier:
    """Return the tier of a code that somebody sent; raises Invalid."""
    found = house.tiers.by_code.get(code)
    if found is None:
        raise invalid("tier", f"choose one of {', '.join(house.tiers.by_code)}")
    return found


def is_looser(model: Model, tier: Tier) -> bool:
    """Say whether only a stage decision could move the model to this tier."""
    return model.is_decided and tier.rank < model.tier.rank


def record(act: Act, model: Model, tier: Tier) -> None:
    """Record that a tier was chosen, or a stricter one; the caller has asked `is_looser`."""
    if not model.is_decided:
        act.record(f.TierChosen(model.id, tier.code))
    elif tier.rank > model.tier.rank:
        act.record(f.ModelTightened(model.id, tier.code))


def gate_of(tier: Tier) -> bool | str:
    """Return the Hub's kind of gate: False for anybody, `auto` for conditions, `manual` for people.

    What is withheld is `manual`: no condition opens it.
    """
    if tier.is_open:
        return False
    return "manual" if tier.is_reviewed or _is_withheld(tier) else "auto"


def _is_withheld(tier: Tier) -> bool:
    return tier.needs(Requirement.NOT_DISTRIBUTED)


def settle(
    house: House,
    ctx: Context,
    name: tuple[str, str],
    tier: Tier | None,
    visibility: Visibility | None,
) -> Model:
    """Give a model a tier, or show it to others; None leaves it as it is.

    Raises: Invalid when nobody could get in, NotAllowed for a looser tier, NotFound, Refused.
    """
    return _settle(house, ctx, name, lambda _: tier, visibility)


def settle_gate(
    house: House,
    ctx: Context,
    name: tuple[str, str],
    gate: bool | str | None,
    visibility: Visibility | None,
) -> Model:
    """As `settle`, by the Hub's kind of gate: a tier of that kind that was chosen stays."""

    def choose(model: Model) -> Tier | None:
        stays = model.is_decided and not _is_withheld(model.tier) and gate_of(model.tier) == gate
        return None if gate is None or stays else house.tiers[OF_GATE[gate]]

    return _settle(house, ctx, name, choose, visibility)


def _settle(
    house: House,
    ctx: Context,
    name: tuple[str, str],
    choose: Callable[[Model], Tier | None],
    visibility: Visibility | None,
) -> Model:
    with house.db.acting(ctx) as act:
        act.lock(f"model:{name[0]}/{name[1]}")
        model = writable(act, ctx, name)
        tier = choose(model)
        if tier is not None:
            _check(model, tier)
            record(act, model, tier)
        if visibility is not None and visibility is not model.visibility:
            act.record(replace(terms_of(act, model), visibility=visibility))
        return writable(act, ctx, name)


def _check(model: Model, tier: Tier) -> None:
    if is_looser(model, tier):
        detail = f"{model.full_name} is {model.tier.code}; loosening a tier is a stage decision"
        raise NotAllowed("G-stage", detail)
    form = model.form_sha256 is not None
    if not has_way_in(tier, agreements=bool(model.agreements), form=form):
        detail = f"{tier.code} is granted without a reviewer: give the model an agreement or a form"
        raise invalid("tier", f"{detail} first")
