"""The catalogue as a list: words, filters, order, and where the viewer stands with each release.

What is listed was checked by the service; filters here only leave out. Not here: one release
(release_page).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from flask import request
from markupsafe import Markup

from gatekeeper.domain.access import Basis, Reason
from gatekeeper.domain.catalogue import ModelId
from gatekeeper.domain.people import Context, Role
from gatekeeper.domain.tiers import Tier
from gatekeeper.services import catalogue, contents, profile
from gatekeeper.services.access import Judged
from gatekeeper.services.catalogue import ReleaseView
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.folder import Stage
from gatekeeper.web.pages import standing
from gatekeeper.web.pages.filters import day
from gatekeeper.web.pages.parts import Link, Pill, cut

PER_PAGE = 20
MAX_WORDS_CHARS = 200
OPENING_SHOWN = 5
COMING = frozenset({"planned", "consultation", "criteria_check", "decision_pending"})


@dataclass(frozen=True, slots=True)
class Tag:
    """One model in the row of a release."""

    label: str
    tier: Tier
    opens: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One release of the list."""

    href: str
    title: str
    tagline: str
    owner: str
    languages: str
    changed_at: datetime
    models: Sequence[Tag]
    access: Pill
    detail: str


@dataclass(frozen=True, slots=True)
class Opening:
    """A stage that is due next."""

    on: date
    title: str
    detail: str
    href: str


def values(house: House, ctx: Context) -> dict[str, Any]:
    """Return what catalogue/index.html shows for this request."""
    signed_in = ctx.actor.person_id is not None
    filters = {key: it for key, it in _FILTERS.items() if signed_in or not it[2]}
    words = " ".join(request.args.get("q", "")[:MAX_WORDS_CHARS].split())
    show, sort = _one_of("show", filters), _one_of("sort", _SORTS)
    views, _ = catalogue.releases(house, ctx)
    found = [view for view in views if _matches(view, words)]
    chosen = [view for view in found if filters[show][1](view, ctx)]
    listed, pager = cut(_SORTS[sort][1](chosen), PER_PAGE)
    sizes = contents.sizes(house, [judged for view in listed for judged in view.models])
    return {
        "query": words,
        "filters": [
            Link(_address(q=words, show=key, sort=sort), f"{text} {count}", key == show)
            for key, (text, fits, _) in filters.items()
            for count in [sum(fits(view, ctx) for view in found)]
        ],
        "sorts": [
            Link(_address(q=words, show=show, sort=key), text, key == sort)
            for key, (text, _) in _SORTS.items()
        ],
        "releases": [_listed(view, sizes, signed_in=signed_in) for view in listed],
        "tiers": list(house.tiers),
        "opening": sorted(
            (o for view in views for o in _opening(view, ctx)), key=lambda o: (o.on, o.title)
        )[:OPENING_SHOWN],
        "publish_hint": _hint(house, ctx) if signed_in and not views else None,
        "is_narrowed": bool(views),
        "pager": pager,
    }


def label(model_title: str, release_title: str) -> str:
    """Return a model's title without its release's: `Lyra 124M` of Lyra is `124M`."""
    rest = model_title.removeprefix(release_title).lstrip(" -–:")
    return rest if rest and rest != model_title else model_title


def changed_at(view: ReleaseView) -> datetime:
    """Return when the release's page or one of its models changed last."""
    return max([view.release.changed_at, *(judged.model.changed_at for judged in view.models)])


def coming(view: ReleaseView, ctx: Context) -> list[Stage]:
    """Return the stages that still lie ahead and have a day."""
    today = ctx.now.date()
    return [
        stage
        for stage in view.content.plan.stage
        if stage.state in COMING and stage.on is not None and stage.on >= today
    ]


def _allowed(view: ReleaseView, _ctx: Context) -> bool:
    return any(judged.verdict.allowed for judged in view.models)


def _applied(view: ReleaseView, _ctx: Context) -> bool:
    return any(judged.standing.application is not None for judged in view.models)


def _gated(view: ReleaseView, _ctx: Context) -> bool:
    return any(not judged.model.tier.is_open for judged in view.models)


_Fits = Callable[[ReleaseView, Context], bool]
# key -> (words, which releases, whether it makes sense only for somebody signed in)
_FILTERS: Mapping[str, tuple[str, _Fits, bool]] = {
    "all": ("All", lambda _view, _ctx: True, False),
    "open": ("Open to me", _allowed, False),
    "applied": ("Applied", _applied, True),
    "gated": ("Gated", _gated, False),
    "soon": ("Opening soon", lambda view, ctx: bool(coming(view, ctx)), False),
}
_Sort = Callable[[list[ReleaseView]], list[ReleaseView]]
_SORTS: Mapping[str, tuple[str, _Sort]] = {
    "changed": ("Latest change", lambda views: sorted(views, key=changed_at, reverse=True)),
    "name": ("Name", lambda views: sorted(views, key=lambda v: v.release.title.casefold())),
}


def _one_of(name: str, known: Mapping[str, Any]) -> str:
    asked = request.args.get(name, "")
    return asked if asked in known else next(iter(known))


def _address(**query: str) -> str:
    usual = {"q": "", "show": "all", "sort": "changed"}
    kept = {key: value for key, value in query.items() if value != usual[key]}
    return f"/?{urlencode(kept)}" if kept else "/"


def _matches(view: ReleaseView, words: str) -> bool:
    about = view.content.about
    text = " ".join(
        [
            view.release.title, view.release.full_name, view.namespace_title, about.tagline,
            *about.languages,
            *(f"{j.model.title} {j.model.full_name}" for j in view.models),
        ]
    ).casefold()  # fmt: skip
    return all(word in text for word in words.casefold().split())


def _listed(view: ReleaseView, sizes: Collection[ModelId], *, signed_in: bool) -> Listed:
    access, detail = _standing(view.models, signed_in=signed_in)
    return Listed(
        href=f"/releases/{view.release.full_name}",
        title=view.release.title,
        tagline=view.content.about.tagline,
        owner=view.namespace_title,
        languages=", ".join(view.content.about.languages),
        changed_at=changed_at(view),
        models=[
            Tag(
                label(j.model.title, view.release.title),
                j.model.tier,
                "" if j.model.id in sizes else "not published yet",
            )
            for j in view.models
        ],
        access=access,
        detail=detail,
    )


# What asks for the viewer's attention, first the most pressing.
_PRESSING = (
    Reason.RETURNED, Reason.TERMS_OUTDATED, Reason.GRANT_SUSPENDED, Reason.PENDING,
    Reason.RELEASE_FROZEN, Reason.MODEL_WITHDRAWN,
)  # fmt: skip


def _standing(models: Sequence[Judged], *, signed_in: bool) -> tuple[Pill, str]:
    if all(judged.model.tier.is_open for judged in models):
        return Pill("ok", "Open"), "No application needed"
    for reason in _PRESSING:
        for judged in models:
            if judged.verdict.reason is reason:
                return standing.pill(judged), _about(judged)
    gated = [judged for judged in models if not judged.model.tier.is_open]
    held = [j for j in gated if j.verdict.basis in {Basis.GRANT, Basis.MEMBER}]
    if held or all(judged.verdict.allowed for judged in gated):
        return Pill("ok", "You have access"), _until((held or gated)[-1])
    inside = sum(judged.model.tier.is_open for judged in models)
    words = f"{inside} of {len(models)} models open to all" if inside else "No open model"
    return Pill("", "Not applied" if signed_in else "Gated in part" if inside else "Gated"), words


def _about(judged: Judged) -> str:
    case = judged.standing.application
    return f"Application {case.id}" if case is not None else judged.model.title


def _until(judged: Judged) -> str:
    grant = judged.verdict.grant
    if grant is None:
        return judged.model.title
    return Markup("{}<br>until {}").format(judged.model.title, day(standing.last_day(grant)))


def _opening(view: ReleaseView, ctx: Context) -> list[Opening]:
    return [
        Opening(
            on=stage.on,
            title=_whole(view.release.title, stage.title),
            detail=_condition(stage),
            href=f"/releases/{view.release.full_name}#stages",
        )
        for stage in coming(view, ctx)
        if stage.on is not None
    ]


def _whole(release_title: str, stage_title: str) -> str:
    is_named = release_title.casefold() in stage_title.casefold()
    return stage_title if is_named else f"{release_title} {stage_title}"


def _condition(stage: Stage) -> str:
    due = sum(c.blocking and c.status in {"unmet", "open"} for c in stage.criterion)
    if not due:
        return "Every blocking criterion is met"
    return f"At the earliest: {due} blocking {'criterion is' if due == 1 else 'criteria are'} open"


def _hint(house: House, ctx: Context) -> str | None:
    """Return the command that publishes, for somebody who may; None for anybody else."""
    roles = profile.show(house, ctx).roles
    mine = [name for name, held in roles.items() if held & {Role.OWNER, Role.PUBLISHER}]
    if not mine:
        return None
    return (
        f"gatekeeper release create {mine[0]}/my-release --title 'My release' --from page/\n"
        f"gatekeeper publish model/ {mine[0]}/my-model --release {mine[0]}/my-release --tier T0"
    )
