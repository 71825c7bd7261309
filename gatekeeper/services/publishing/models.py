"""A release's models as owners and publishers see them, and the form each asks, changed on a page.

Not here: publishing files under terms (revisions), the page of a release (releases).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gatekeeper.db.readers import Readers
from gatekeeper.domain.agreements import Agreement
from gatekeeper.domain.catalogue import CARD_PATH, File, Model, Release, has_way_in
from gatekeeper.domain.errors import Conflict, Invalid, NotAllowed, NotFound, invalid
from gatekeeper.domain.forms import Form, check_form, read_form, write_form
from gatekeeper.domain.people import PUBLISHERS, Context
from gatekeeper.domain.sealed import content
from gatekeeper.services.access import Judged
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.folder import DetectionGuide, RiskAnalysis, read_content
from gatekeeper.services.publishing.releases import check_publisher
from gatekeeper.services.publishing.terms import terms_of


@dataclass(frozen=True, slots=True)
class ManagedModel:
    """A model with its terms, its size on the main branch, its holders and its open cases."""

    model: Model
    agreements: Sequence[Agreement]
    form: Form | None
    files: int
    size_bytes: int
    holders: int
    open_applications: int


class Lack(StrEnum):
    """What a model that a client made has not got yet; in the order to go about it."""

    FILES = "files"
    CARD = "card"
    RELEASE_PAGE = "release_page"
    TIER = "tier"


@dataclass(frozen=True, slots=True)
class Managed:
    """A release with every model of it, hidden ones included; and what new ones begin as."""

    release: Release
    models: Sequence[ManagedModel]
    new_model_tier: str = ""


def manage(house: House, ctx: Context, namespace: str, name: str) -> Managed:
    """Return a release to owners and publishers of its namespace.

    Raises: NotFound to everybody else, as for a release that does not exist.
    """
    with house.db.reading() as read:
        try:
            check_publisher(read, ctx, namespace)
        except NotAllowed as error:
            raise NotFound("no such release") from error
        release = read.catalogue.release(namespace, name)
        if release is None:
            raise NotFound("no such release")
        models = read.catalogue.models_of_release(release.id)
        own = read.catalogue.namespace(namespace)
        default = own.new_model_tier if own is not None else ""
        return Managed(release, _managed(read, models, ctx.now), default)


def lacks(house: House, judged: Judged, release: Release, files: Sequence[File]) -> list[Lack]:
    """Return what its publishers have to do before a model is published; [] for other viewers.

    Once somebody chose its tier it is published, with whatever it has.
    """
    if judged.model.is_decided or not judged.standing.roles & PUBLISHERS:
        return []
    with house.db.reading() as read:
        page = read_content(read.catalogue.content(release.content_sha256))
    found = {
        Lack.FILES: not files,
        Lack.CARD: all(file.path != CARD_PATH for file in files),
        Lack.RELEASE_PAGE: page.summary == ""
        or page.risks == RiskAnalysis()
        or page.detection == DetectionGuide(),
        Lack.TIER: True,
    }
    return [lack for lack, is_lacking in found.items() if is_lacking]


def _managed(read: Readers, models: Sequence[Model], now: datetime) -> list[ManagedModel]:
    ids = [model.id for model in models]
    sizes = read.catalogue.sizes(ids)
    holders = read.grants.holders(ids, now)
    waiting = read.applications.open_counts(ids)
    current = read.agreements.current_of({a for model in models for a in model.agreements})
    forms = read.catalogue.contents({m.form_sha256 for m in models if m.form_sha256 is not None})
    return [
        ManagedModel(
            model=model,
            agreements=[current[a] for a in model.agreements if a in current],
            form=read_form(forms[model.form_sha256]) if model.form_sha256 in forms else None,
            files=sizes.get(model.id, (0, 0))[0],
            size_bytes=sizes.get(model.id, (0, 0))[1],
            holders=holders.get(model.id, 0),
            open_applications=waiting.get(model.id, 0),
        )
        for model in models
    ]


def set_form(
    house: House, ctx: Context, model: tuple[str, str], form: Form | None, seen_sha256: str | None
) -> Model:
    """Let a model ask another form from now on, or none; repeating it changes nothing.

    `seen_sha256` names the form that was changed. What was submitted keeps the form it answered.
    Raises: Invalid as `check_form` says, and when nobody could get in without the form; Conflict
    when another form is in force than the one seen; NotAllowed, NotFound.
    """
    if form is not None and (errors := check_form(form)):
        raise Invalid(*errors)
    body = content(write_form(form)) if form is not None else None
    with house.db.acting(ctx) as act:
        check_publisher(act, ctx, model[0])
        act.lock(f"model:{model[0]}/{model[1]}")
        found = act.catalogue.model(*model)
        if found is None:
            raise NotFound("no such model")
        if found.form_sha256 == (body.sha256 if body is not None else None):
            return found
        if found.form_sha256 != seen_sha256:
            raise Conflict("the form was changed meanwhile")
        if not has_way_in(found.tier, agreements=bool(found.agreements), form=form is not None):
            raise invalid("field", "keep a form: there is no agreement, so it is the only way in")
        act.record(replace(terms_of(act, found), form=body))
        return act.catalogue.model(*model) or found
