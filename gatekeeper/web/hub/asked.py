"""The JSON bodies that the Hub's clients send, read strictly where it matters and leniently else.

Unknown keys are left alone: each generation of the client adds some. Source: hf-wire.md 4.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import BadRequest

from gatekeeper.domain.catalogue import Visibility

MOST_FILES = 1000  # of one preupload; the clients ask about 256 at a time
LONGEST_GITIGNORE = 100_000
LONGEST_TEXT = 10_000
LONGEST_NAME = 200
LONGEST_REASON = 200  # as on the Hub


# Postgres keeps no NUL; whoever sends one is told here.
Name = Annotated[str, Field(max_length=LONGEST_NAME, pattern=r"^[ -~]+$")]
Text = Annotated[str, Field(max_length=LONGEST_TEXT, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, Field(max_length=LONGEST_REASON, pattern=r"^[^\x00]*$")]


class Asked(BaseModel):
    """What every body has in common."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Shown(Asked):
    """Who is to see a model: `visibility` of newer clients, `private` of older ones."""

    visibility: Literal["public", "private"] | None = None
    private: bool | None = None

    @property
    def seen_by(self) -> Visibility | None:
        """Return who is to see it; None where the client does not say."""
        if self.visibility is None and self.private is None:
            return None
        is_hidden = self.visibility == "private" or bool(self.private)
        return Visibility.HIDDEN if is_hidden else Visibility.PUBLIC


class OldRepository(Asked):
    """`delete_repo`."""

    name: str
    organization: str | None = None
    type: str | None = None


class NewRepository(OldRepository, Shown):
    """`create_repo`."""


class Move(Asked):
    """`move_repo`: two names in full."""

    fromRepo: str  # noqa: N815
    toRepo: str  # noqa: N815
    type: str | None = None


class Settings(Shown):
    """`update_repo_settings`: who gets in, and who sees it; what is not said stays."""

    gated: Literal["auto", "manual", False] | None = None


class FileToSend(Asked):
    """A file of a preupload; its sample says nothing that the size does not."""

    path: str
    size: Annotated[int, Field(ge=0)]


class Preupload(Asked):
    """How files are to be sent."""

    files: Annotated[list[FileToSend], Field(max_length=MOST_FILES)]
    gitIgnore: Annotated[str, Field(max_length=LONGEST_GITIGNORE)] | None = None  # noqa: N815


class NewBranch(Asked):
    """`create_branch`: where it begins, the main branch if nothing is said."""

    startingPoint: str | None = None  # noqa: N815


class NewTag(Asked):
    """`create_tag`; its message is kept nowhere."""

    tag: str


class CardText(Asked):
    """`validate-yaml`: a card to look over before it is sent."""

    content: str


class CommitHeader(Asked):
    """The first line of a commit."""

    summary: Text = ""
    description: Text | None = None
    parentCommit: str | None = None  # noqa: N815

    @property
    def message(self) -> str:
        """Return summary and description as one text."""
        return f"{self.summary}\n\n{self.description or ''}".strip()


class CommitFile(Asked):
    """A file whose bytes are in its line."""

    path: str
    content: str
    encoding: Literal["base64"]


class CommitLfsFile(Asked):
    """A file whose bytes were sent before."""

    path: str
    algo: Literal["sha256"] = "sha256"
    oid: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)] | None = None


class CommitDeleted(Asked):
    """A file or folder that goes."""

    path: str


class LfsObject(Asked):
    """One object of a batch, or the one that is verified."""

    oid: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class LfsRef(Asked):
    """What a batch is about: `refs/heads/main`, or the bare name of a branch."""

    name: str


class LfsBatch(Asked):
    """Which objects somebody wants to send or fetch, and how they can."""

    operation: Literal["upload", "download"]
    transfers: tuple[str, ...] = Field(default=("basic",), strict=False)
    objects: Annotated[list[LfsObject], Field(max_length=MOST_FILES)]
    hash_algo: Literal["sha256"] = "sha256"
    ref: LfsRef | None = None

    @property
    def branch(self) -> str:
        """Return the branch or tag that is meant, the main one where nothing is said."""
        named = self.ref.name if self.ref is not None else "main"
        return named.removeprefix("refs/heads/").removeprefix("refs/tags/")


class Handled(Asked):
    """What is to become of a request; newer clients may name it by itself and not by its person."""

    user: Name | None = None
    requestId: Name | None = None  # noqa: N815
    status: Literal["pending", "accepted", "rejected"]
    rejectionReason: Reason | None = None  # noqa: N815


class Given(Asked):
    """Whom to give access."""

    user: Name


_Body = TypeVar("_Body", bound=Asked)


def body(kind: type[_Body]) -> _Body:
    """Read the request's JSON body; raises BadRequest that says what is wrong where."""
    return checked(kind, json())


def json() -> Any:
    """Parse the request's JSON body; raises BadRequest, UnsupportedMediaType for what is none."""
    try:
        return request.get_json()
    except RecursionError as error:
        raise BadRequest("body: lists within lists, too many to be read") from error
    except BadRequest as error:
        raise BadRequest("body: this is no JSON") from error


def checked(kind: type[_Body], found: object, where: str = "") -> _Body:
    """Make a body of parsed JSON; raises BadRequest, which names `where` it was."""
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join([*([where] if where else []), *map(str, first["loc"])]) or "body"
        raise BadRequest(f"{place}: {first['msg']}") from error
