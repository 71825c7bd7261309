"""What every shape shares: strict or lenient, and the kinds of text that may come in."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


class Body(BaseModel):
    """A JSON body: no unknown key, no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """A query string: no unknown key; numbers and moments are read from their text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _may_grow(schema: dict[str, Any]) -> None:
    """Let clients expect more keys in an answer than there are today."""
    schema.pop("additionalProperties", None)


class Answer(BaseModel):
    """Part of an answer: every key is always there, unless a shape says otherwise."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_serialization_defaults_required=True,
        json_schema_extra=_may_grow,
    )


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def _one_line(text: str) -> str:
    if any(_is_control(c) for c in text):
        raise ValueError("line breaks and control characters do not belong here")
    return text


def _prose(text: str) -> str:
    if any(_is_control(c) and c not in "\n\r\t" for c in text):
        raise ValueError("control characters do not belong here")
    return text


# What the validators refuse, for the document: control characters, and line breaks in a line.
_CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_BUT_BREAKS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029"
_ON_ONE_LINE = (
    AfterValidator(_one_line),
    Field(json_schema_extra={"pattern": f"^[^{_CONTROLS}]*$"}),
)
Line = Annotated[str, StringConstraints(max_length=300), *_ON_ONE_LINE]
Path = Annotated[str, StringConstraints(min_length=1, max_length=512), *_ON_ONE_LINE]
Prose = Annotated[
    str,
    StringConstraints(max_length=8000),
    AfterValidator(_prose),
    Field(json_schema_extra={"pattern": f"^[^{_BUT_BREAKS}]*$"}),
]
FullName = Annotated[
    str,
    StringConstraints(max_length=140, pattern=r"^[^/]+/[^/]+$"),
    AfterValidator(_one_line),
    Field(
        json_schema_extra={
            "pattern": f"^[^/{_CONTROLS}]+/[^/{_CONTROLS}]+$",
            "examples": ["northfield/lyra-1558m"],
        }
    ),
]


def parts(full_name: str) -> tuple[str, str]:
    """Return owner and name of a checked `owner/name`."""
    owner, _, name = full_name.partition("/")
    return owner, name
