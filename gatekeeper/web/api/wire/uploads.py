"""What the calls about uploads take, and what they answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from gatekeeper.domain.uploads import UploadState
from gatekeeper.services.publishing.revisions import MAX_MESSAGE_CHARS
from gatekeeper.services.uploads.sending import MAX_MARK_CHARS
from gatekeeper.web.api.wire.shapes import Answer, Body, FullName, Line, Path, Prose

UploadName = Annotated[Line, StringConstraints(max_length=64)]


class NewUpload(Body):
    """A file that is to be uploaded; the same one, by its mark, goes on where it stopped."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "northfield/lyra-1558m",
                    "path": "model.safetensors",
                    "size_bytes": 3247159078,
                    "sha256": None,
                    "mark": "model.safetensors of 2026-11-20",
                }
            ]
        }
    )

    model: FullName = Field(description="The model it is for.")
    path: Path = Field(description="The file's path in the model.")
    size_bytes: Annotated[int, Field(ge=0, le=5 << 40)] = Field(description="How long it is.")
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="Its digest, if you know it: other bytes are refused."
    )
    mark: Annotated[Line, StringConstraints(max_length=MAX_MARK_CHARS)] = Field(
        "",
        description="What you know the source by; with the same mark the upload there is goes on.",
    )


class NewRevision(Body):
    """What changes from the revision `base`: files that were uploaded, and files to remove."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "base": "the id of the revision in force, or null",
                    "uploads": ["upl_0a1b2c3d4e5f0a1b2c3d4e5f"],
                    "removes": [],
                    "message": "Retrained on the cleaned set",
                }
            ]
        }
    )

    base: Annotated[Line, StringConstraints(max_length=64)] | None = Field(
        description="`revision` of the model as you saw it, null if it had none."
    )
    uploads: Annotated[tuple[UploadName, ...], Field(max_length=10_000)] = Field(
        (), description="Ids of uploads that are ready."
    )
    removes: Annotated[tuple[Path, ...], Field(max_length=20_000)] = Field(
        (), description="Paths of files it has no more."
    )
    message: Annotated[Prose, StringConstraints(max_length=MAX_MESSAGE_CHARS)] = Field(
        "", description="What changed."
    )


class Part(Answer):
    """A part that has not come; PUT exactly its bytes to `url` before the address ends.

    An address of another host wants no token, and refuses another length.
    """

    number: int
    size_bytes: int
    url: str


class Upload(Answer):
    """A file on its way; `missing` and `parts` are of an open one, the latter at most a hundred.

    In a list both are null and empty: ask for the one upload.
    """

    id: str
    model: str
    path: str
    state: UploadState
    size_bytes: int
    part_bytes: int
    missing: int | None
    parts: tuple[Part, ...]
    mark: str
    sha256: str | None
    detail: str
    expires_at: datetime


class Received(Answer):
    """A part that was kept."""

    number: int
    size_bytes: int


class GivenUp(Answer):
    """An upload that is gone."""

    id: str


class Revision(Answer):
    """A revision that is in force now, with its files."""

    id: str
    model: str
    files: int
    size_bytes: int
