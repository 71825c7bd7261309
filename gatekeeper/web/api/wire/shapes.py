"""What every shape shares: strict or lenient, and the kinds of text that may come in."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints


class Body(BaseModel):
    """A JSON body: no unknown key, no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """A query string: no unknown key; numbers and moments are read from their text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """Part of an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


Line = Annotated[str, StringConstraints(max_length=300), AfterValidator(_one_line)]
Prose = Annotated[str, StringConstraints(max_length=8000), AfterValidator(_prose)]
FullName = Annotated[
    str,
    StringConstraints(max_length=140, pattern=r"^[^/]+/[^/]+$"),
    AfterValidator(_one_line),
]


def parts(full_name: str) -> tuple[str, str]:
    """Return owner and name of a checked `owner/name`."""
    owner, _, name = full_name.partition("/")
    return owner, name
