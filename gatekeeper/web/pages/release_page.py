"""One release as its page shows it: models and gates, stages, risks, and how to recognise output.

Everything here is public but where the viewer stands. Not here: one model (model_page).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gatekeeper.domain.access import ClauseState, Reason
from gatekeeper.domain.agreements import Agreement
from gatekeeper.domain.catalogue import AgreementId, Model, ModelId
from gatekeeper.domain.people import Context, Role
from gatekeeper.services import agreements, catalogue, contents
from gatekeeper.services.access import Judged
from gatekeeper.services.catalogue import ReleaseView
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.folder import Criterion, DetectionGuide, Measure, Stage
from gatekeeper.web.pages import standing
from gatekeeper.web.pages.filters import day, short_sha
from gatekeeper.web.pages.markdown import markdown
from gatekeeper.web.pages.parts import Action, Pill, Step
from gatekeeper.web.pages.releases_list import COMING, changed_at, label

Sizes = Mapping[ModelId, tuple[int, int]]
_FORMATS = ("safetensors", "gguf", "onnx", "bin", "pt", "pth", "npz", "h5", "msgpack", "jit")


@dataclass(frozen=True, slots=True)
class Row:
    """One model in the table of its release."""

    model: Model
    size_bytes: int | None
    formats: str
    sibling: Model | None
    pill: Pill | None
    action: Action | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A stage with the state its dot has, and its criteria as clauses."""

    state: str
    when: str
    title: str
    detail: str
    note: str
    criteria: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Bar:
    """One measured rate: `value` runs from 0 to 100."""

    label: str
    value: float
    text: str


def values(house: House, ctx: Context, namespace: str, name: str) -> dict[str, Any]:
    """Return what catalogue/release.html shows; raises NotFound."""
    view = catalogue.release(house, ctx, namespace, name)
    sizes = contents.sizes(house, view.models)
    content = view.content
    return {
        "release": view.release,
        "owner": view.namespace_title,
        "about": content.about,
        "stage": _stage(view),
        "facts": _facts(view),
        "summary_html": markdown(content.summary),
        "values_html": markdown(content.values) if content.values else "",
        "access": _access(view, sizes),
        "models": _rows(house, view, sizes),
        "rule": content.plan.rule,
        "stages": _stages(house, content.plan.stage),
        "risks": content.risks,
        "detection": content.detection,
        **_measures(content.detection),
        "verify": _verify(house, view, sizes),
        "terms": _terms(house, view.models),
        "manage": _manage(view),
    }


def _manage(view: ReleaseView) -> Action | None:
    """Return the way to the owners' page, for those it is there for."""
    roles = {role for judged in view.models for role in judged.standing.roles}
    if not roles & {Role.OWNER, Role.PUBLISHER}:
        return None
    return Action(f"/own/{view.release.full_name}", "Manage this release")


def _stage(view: ReleaseView) -> Pill | None:
    stages = view.content.plan.stage
    live = sum(stage.state == "live" for stage in stages)
    if len(stages) < 2 or not live:
        return None
    return Pill("hold" if live < len(stages) else "ok", f"Staged release, {live} of {len(stages)}")


def _facts(view: ReleaseView) -> list[tuple[str, str]]:
    about = view.content.about
    mail = Markup('<a href="mailto:{0}">{0}</a>').format(about.contact)
    contact = mail if "@" in about.contact else about.contact
    facts = [
        ("Owner", view.namespace_title),
        ("Languages", ", ".join(about.languages)),
        ("Licence", about.licence),
        ("Contact", contact),
        ("Changed", day(changed_at(view))),
    ]
    return [(name, value) for name, value in facts if value]


def _access(view: ReleaseView, sizes: Sizes) -> dict[str, Any]:
    """Return the card "Your access": models alike share a line; the best step is the button."""
    groups: dict[tuple[str, str], list[str]] = {}
    for judged in view.models:
        key = (_line_state(judged), standing.pill(judged).text)
        groups.setdefault(key, []).append(label(judged.model.title, view.release.title))
    best = max((j for j in view.models if j.verdict.allowed), key=_strength(sizes), default=None)
    due = _due(view.models)
    steps = [step for step in (_named(best), _named(due)) if step is not None]
    if due is not None and due.verdict.reason in {Reason.RETURNED, Reason.TERMS_OUTDATED}:
        steps.reverse()
    primary, secondary, *_ = [*steps, None, None]
    return {
        "lines": [Step(state, ", ".join(names), text) for (state, text), names in groups.items()],
        "primary": primary,
        "secondary": secondary,
    }


def _line_state(judged: Judged) -> str:
    reason = judged.verdict.reason
    if reason is None:
        return ClauseState.MET
    if reason in {Reason.PENDING, Reason.RETURNED}:
        return ClauseState.WAITING
    return ClauseState.NOT_NEEDED if reason is Reason.MODEL_WITHHELD else ClauseState.UNMET


def _strength(sizes: Sizes) -> Any:
    return lambda j: (j.model.tier.rank, sizes.get(j.model.id, (0, 0))[1])


# Whose next step stands on the second button, first the most pressing.
_DUE = (
    Reason.RETURNED, Reason.TERMS_OUTDATED, Reason.PENDING, Reason.GRANT_SUSPENDED,
    Reason.EMAIL_UNVERIFIED, Reason.TERMS_MISSING, Reason.NO_APPLICATION, Reason.NO_ACCOUNT,
)  # fmt: skip


def _due(models: Sequence[Judged]) -> Judged | None:
    for reason in _DUE:
        for judged in models:
            if judged.verdict.reason is reason:
                return judged
    return None


def _named(judged: Judged | None) -> Action | None:
    """Return the next step with the model's title, where the words alone leave open which."""
    step = standing.next_step(judged) if judged is not None else None
    if step is None or judged is None:
        return None
    match step.text:
        case "Download":
            return Action(step.href, f"Download {judged.model.title}")
        case "Apply for access":
            return Action(step.href, f"Apply for {judged.model.title}")
        case "Read and accept the terms":
            return Action(step.href, f"Accept the terms of {judged.model.title}")
    return step


def _rows(house: House, view: ReleaseView, sizes: Sizes) -> list[Row]:
    formats = contents.endings(house, view.models, _FORMATS)
    return [
        _row(view, judged, sizes.get(judged.model.id), formats.get(judged.model.id, ()))
        for judged in view.models
    ]


def _row(
    view: ReleaseView, judged: Judged, size: tuple[int, int] | None, formats: Sequence[str]
) -> Row:
    step = standing.next_step(judged)
    short = {"Apply for access": "Apply", "Read and accept the terms": "Accept"}
    return Row(
        model=judged.model,
        size_bytes=size[1] if size is not None else None,
        formats=", ".join(formats),
        sibling=view.open_sibling_of(judged.model),
        pill=None if judged.verdict.allowed else standing.pill(judged),
        action=Action(step.href, short.get(step.text, step.text)) if step is not None else None,
    )


def _stages(house: House, stages: Sequence[Stage]) -> list[Plan]:
    live = [stage.id for stage in stages if stage.state == "live"]
    return [
        Plan(
            state=_dot(stage, live[-1:]),
            when=_when(stage),
            title=stage.title,
            detail=house.tiers.by_code[stage.tier].word
            if stage.tier in house.tiers.by_code
            else "",
            note=stage.note,
            criteria=[_criterion(c) for c in stage.criterion],
        )
        for stage in stages
    ]


def _dot(stage: Stage, newest: Sequence[str]) -> str:
    if stage.state in COMING:
        return "next"
    if stage.state in {"held", "rolled_back"}:
        return "held"
    return "now" if stage.id in newest else "done"


def _when(stage: Stage) -> str:
    if stage.on is None:
        return "Not yet dated"
    if stage.state in COMING:
        return Markup("{}, at the earliest").format(day(stage.on))
    if stage.state in {"held", "rolled_back", "retired"}:
        return Markup("{}, {}").format(day(stage.on), stage.state.replace("_", " "))
    return day(stage.on)


_CRITERION: Mapping[str, ClauseState] = {
    "met": ClauseState.MET,
    "unmet": ClauseState.UNMET,
    "open": ClauseState.WAITING,
    "waived": ClauseState.NOT_NEEDED,
}


def _criterion(criterion: Criterion) -> Step:
    weight = "Blocking" if criterion.blocking else "Advisory"
    words = {"met": "met", "unmet": "not met", "open": "open", "waived": "waived"}
    said = f"{weight}, {words[criterion.status]}. {criterion.evidence}".strip()
    return Step(_CRITERION[criterion.status], criterion.text, said)


def _measures(guide: DetectionGuide) -> dict[str, Any]:
    rates = {m.false_alarm_rate for m in guide.measure}
    title = "Detector hit rate"
    if len(rates) == 1:
        title += f" at {_percent(*rates)} false alarms"
    return {
        "measures_title": title,
        "measures": [_bar(measure, alone=len(rates) == 1) for measure in guide.measure],
    }


def _bar(measure: Measure, *, alone: bool) -> Bar:
    hit, alarm = _percent(measure.hit_rate), _percent(measure.false_alarm_rate)
    text = hit if alone else f"{hit}, {alarm} false"
    return Bar(measure.label, round(measure.hit_rate * 100, 1), text)


def _percent(rate: float) -> str:
    return f"{rate * 100:.3g}%"


def _verify(house: House, view: ReleaseView, sizes: Sizes) -> str:
    """Return the command that checks the largest file of the release's first published model."""
    first = next((judged for judged in view.models if judged.model.id in sizes), None)
    file = contents.largest_file(house, first) if first is not None else None
    if first is None or file is None:
        return f"# {view.release.title}: nothing is published yet"
    name = file.path.rpartition("/")[2]
    return f"# {first.model.title}\nsha256sum {name}\n# {short_sha(file.sha256)}…\n"


def _terms(house: House, models: Sequence[Judged]) -> list[Agreement]:
    ids: dict[AgreementId, None] = dict.fromkeys(a for j in models for a in j.model.agreements)
    return agreements.in_force(house, ids)
