"""Reads folders of Markdown and TOML: release content, agreements and forms, as pydantic models.

Unknown keys are refused and the error names the file; a release without a risk analysis is refused.
What is stored is the canonical JSON of `ReleaseContent`; pages read it back through `read_content`.
"""

from __future__ import annotations

import json
import tomllib
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gatekeeper.domain.agreements import TermsClause
from gatekeeper.domain.errors import FieldError, Invalid, invalid
from gatekeeper.domain.forms import USUAL_ANSWER_CHARS, FieldType, Form, check_form
from gatekeeper.domain.forms import Field as FormField

MAX_TEXT_BYTES = 1_000_000


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_serialization_defaults_required=True
    )


class Risk(_Strict):
    """One way the models could do harm; likelihood, harm and residual run from 1 to 4."""

    id: str
    scenario: str
    detail: str
    actors: tuple[str, ...] = ()
    likelihood: int = Field(ge=1, le=4)
    harm: int = Field(ge=1, le=4)
    bearer: str = ""
    evidence: str = ""
    mitigation: str
    residual: int = Field(ge=1, le=4)
    residual_note: str = ""


class RiskAnalysis(_Strict):
    """The ways the models could do harm, and when they were last weighed (risks.toml)."""

    reviewed: str = ""
    scored_for: str = ""
    risk: tuple[Risk, ...] = ()


class Audience(_Strict):
    """Advice on recognising the output for one kind of reader, with what it cannot tell."""

    id: Literal["people", "platforms", "regulators", "press"]
    title: str
    tips: tuple[str, ...] = Field(min_length=1)
    limits: tuple[str, ...] = ()


class Measure(_Strict):
    """One measured detector rate, between 0 and 1."""

    label: str
    hit_rate: float = Field(ge=0, le=1)
    false_alarm_rate: float = Field(ge=0, le=1)


class DetectionGuide(_Strict):
    """How to recognise the output, by kind of reader, with measured rates (detection.toml)."""

    measured: str = ""
    limits: tuple[str, ...] = ()
    audience: tuple[Audience, ...] = ()
    measure: tuple[Measure, ...] = ()


class Criterion(_Strict):
    """A testable condition of a stage."""

    id: str
    text: str
    blocking: bool
    status: Literal["met", "unmet", "open", "waived"]
    evidence: str = ""


StageState = Literal[
    "planned", "consultation", "criteria_check", "decision_pending", "live", "held",
    "rolled_back", "retired",
]  # fmt: skip


class Stage(_Strict):
    """A step of the release plan."""

    id: str
    title: str
    models: tuple[str, ...] = ()
    tier: str
    on: date | None = None
    state: StageState
    note: str = ""
    criterion: tuple[Criterion, ...] = ()


class StagePlan(_Strict):
    """The steps of the release, and the rule they follow (stages.toml)."""

    rule: str = ""
    stage: tuple[Stage, ...] = ()


class About(_Strict):
    """What the release is called and who answers for it (release.toml)."""

    title: str
    tagline: str = Field(max_length=200)
    contact: str = ""
    licence: str = ""
    languages: tuple[str, ...] = ()


class ReleaseContent(_Strict):
    """Everything a release page says that is not a model: public, versioned by digest.

    It may be unwritten still, but for its title; a folder that is read says all of it.
    """

    about: About
    summary: str
    values: str = ""
    risks: RiskAnalysis
    detection: DetectionGuide
    plan: StagePlan


class _AgreementFile(_Strict):
    title: str
    intro: str = ""
    clause: tuple[dict[str, str], ...]


class _FormField(_Strict):
    name: str
    type: FieldType
    label: str
    help: str = ""
    required: bool = True
    options: tuple[str, ...] = ()
    max_chars: int = USUAL_ANSWER_CHARS


class _FormFile(_Strict):
    title: str
    intro: str = ""
    field: tuple[_FormField, ...] = ()


_M = TypeVar("_M", bound=BaseModel)


def read_release(directory: Path) -> ReleaseContent:
    """Read a release folder; raises Invalid naming the file that is missing or wrong."""
    found = ReleaseContent(
        about=_toml(directory / "release.toml", About),
        summary=_text(directory / "summary.md"),
        values=_text(directory / "values.md") if (directory / "values.md").exists() else "",
        risks=_toml(directory / "risks.toml", RiskAnalysis),
        detection=_toml(directory / "detection.toml", DetectionGuide),
        plan=_toml(directory / "stages.toml", StagePlan),
    )
    if not found.risks.risk:
        raise invalid("risks.toml", "risk: name at least one risk")
    if not found.detection.audience:
        raise invalid("detection.toml", "audience: advise at least one kind of reader")
    return found


def unwritten(title: str) -> ReleaseContent:
    """Return the content of a page that has only a title."""
    return ReleaseContent(
        about=About(title=title, tagline=""),
        summary="",
        risks=RiskAnalysis(),
        detection=DetectionGuide(),
        plan=StagePlan(),
    )


def write_content(content: ReleaseContent) -> str:
    """Write the content as canonical JSON: the text its digest is taken of."""
    return json.dumps(
        content.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


@lru_cache(maxsize=1024)
def read_content(text: str) -> ReleaseContent:
    """Read what `write_content` wrote: once each text, for a list shows many again and again."""
    return ReleaseContent.model_validate_json(text)


def read_agreement(path: Path) -> tuple[str, str, tuple[TermsClause, ...]]:
    """Read an agreement file: title, intro and clauses; raises Invalid."""
    found = _toml(path, _AgreementFile)
    try:
        return found.title, found.intro, tuple(TermsClause(**row) for row in found.clause)
    except TypeError as error:
        raise invalid(path.name, "a clause has id, title and text") from error


def read_form_file(path: Path) -> Form:
    """Read a form file; raises Invalid with everything that `check_form` finds."""
    found = _toml(path, _FormFile)
    form = Form(found.title, found.intro, tuple(FormField(**dict(row)) for row in found.field))
    if errors := check_form(form):
        raise Invalid(*(FieldError(path.name, f"{e.field}: {e.detail}") for e in errors))
    return form


def _toml(path: Path, model: type[_M]) -> _M:
    try:
        return model.model_validate(tomllib.loads(_text(path)))
    except tomllib.TOMLDecodeError as error:
        raise invalid(path.name, f"this is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise invalid(path.name, f"{where}: {first['msg']}") from error


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_TEXT_BYTES:
            raise invalid(path.name, f"at most {MAX_TEXT_BYTES} bytes")
        return raw.decode()
    except FileNotFoundError as error:
        raise invalid(path.name, f"{path} is missing") from error
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(path.name, f"cannot be read as UTF-8 text: {error}") from error
