"""Namespaces, releases, models, revisions and files: what they are and which names they may bear.

Not here: who may see or fetch them (access), how bytes are stored (services/ports).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from gatekeeper.domain.errors import invalid
from gatekeeper.domain.tiers import Tier

ReleaseId = NewType("ReleaseId", str)
ModelId = NewType("ModelId", str)
RevisionId = NewType("RevisionId", str)
AgreementId = NewType("AgreementId", str)


CARD_PATH = "README.md"


class Visibility(StrEnum):
    """Whether a model exists for everybody or only for those around it."""

    PUBLIC = "public"
    HIDDEN = "hidden"


class Availability(StrEnum):
    """Whether a model is being distributed at all (moved by stages and incidents)."""

    PUBLISHED = "published"
    FROZEN = "frozen"
    WITHDRAWN = "withdrawn"


class RefKind(StrEnum):
    """A name for a revision: a branch moves, a tag does not."""

    BRANCH = "branch"
    TAG = "tag"


class ModelOrder(StrEnum):
    """How a list of models is sorted: by name, or by a time, newest first."""

    NAME = "name"
    CHANGED = "changed"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class Namespace:
    """What a model's name begins with; `new_model_tier` is that of models which clients make."""

    name: str
    title: str
    new_model_tier: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A named line of models on one page; `content_sha256` names its current content."""

    id: ReleaseId
    namespace: str
    name: str
    title: str
    content_sha256: str
    created_at: datetime
    changed_at: datetime

    @property
    def full_name(self) -> str:
        """Return `owner/release`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Model:
    """One downloadable repository with what the one rule needs to know of it."""

    id: ModelId
    namespace: str
    name: str
    title: str
    release_id: ReleaseId
    release_name: str
    tier: Tier
    visibility: Visibility
    availability: Availability
    agreements: tuple[AgreementId, ...]
    form_sha256: str | None
    open_files: frozenset[str]
    created_at: datetime
    changed_at: datetime
    is_decided: bool = True  # whether anybody chose the tier

    @property
    def full_name(self) -> str:
        """Return `owner/name`, the id on the Hub wire."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class File:
    """A path in a revision. `git_oid` is the git blob SHA-1 (of the LFS pointer when `lfs`)."""

    path: str
    size_bytes: int
    sha256: str
    git_oid: str
    lfs: bool

    @property
    def hub_etag(self) -> str:
        """Return the ETag the Hub's clients expect: SHA-256 for LFS files, git SHA-1 otherwise."""
        return self.sha256 if self.lfs else self.git_oid


@dataclass(frozen=True, slots=True)
class Stored:
    """What a stream turned out to be; `is_new` when these bytes were not held before."""

    sha256: str
    git_sha1: str
    size_bytes: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """An immutable manifest of files with its place in the line of revisions."""

    id: RevisionId
    model_id: ModelId
    parent_id: RevisionId | None
    manifest_sha256: str
    message: str
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch or tag of a model."""

    kind: RefKind
    name: str
    revision_id: RevisionId


_REPO_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
_REF_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
MAX_DEPTH = 32


# `/{owner}/{name}/resolve/...` must not read as `/{name}/resolve/...`, and so on.
_ADDRESS_PARTS = frozenset({"blob", "commit", "info", "raw", "resolve", "tree"})


def check_repo_name(name: str, field: str = "name") -> str:
    """Return the name if the Hub's clients accept it as a repository name; raise Invalid."""
    if not _REPO_NAME.fullmatch(name) or "--" in name or ".." in name or name.endswith(".git"):
        raise invalid(field, "use 1 to 96 of A-Z a-z 0-9 . _ - without '--', '..' or '.git'")
    if name in _ADDRESS_PARTS:
        raise invalid(field, f"{name!r} is a part of addresses here; choose another name")
    return name


def check_ref_name(name: str, field: str = "revision") -> str:
    """Return the branch or tag name if git would accept it and it is no commit id."""
    parts = name.split("/")
    bad = ".." in name or any(p in ("", ".") or p.endswith((".lock", ".")) for p in parts)
    if not _REF_NAME.fullmatch(name) or bad or _COMMIT.fullmatch(name):
        raise invalid(field, "use letters, digits, '.', '_', '-' and '/', as git names a branch")
    return name


def is_commit_id(text: str) -> bool:
    """Say whether the text is a full 40-hex revision id."""
    return _COMMIT.fullmatch(text) is not None


def check_path(path: str) -> str:
    """Return a relative POSIX path safe to publish; raise Invalid.

    At most 512 bytes, 255 a segment, 32 segments, NFC; no empty, '.' or '..' segment, backslash,
    control or bidirectional character, nor a leading or trailing blank in a segment; no `.git`.
    """
    segments = path.split("/")
    if not path or len(path.encode("utf-8", "replace")) > 512 or len(segments) > MAX_DEPTH:
        must = f"must have 1 to 512 bytes and at most {MAX_DEPTH} segments"
        raise invalid("path", f"a file name {must}: {path[:80]!r}")
    if unicodedata.normalize("NFC", path) != path:
        raise invalid("path", f"the file name is not in Unicode NFC: {path!r}")
    for character in path:
        if character == "\\" or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            raise invalid("path", f"the file name holds a forbidden character: {path!r}")
    for segment in segments:
        if segment in {"", ".", ".."} or segment != segment.strip() or len(segment.encode()) > 255:
            raise invalid("path", f"the file name has a forbidden segment: {path!r}")
    if segments[0].casefold() == ".git":  # one folder, where a disk minds no case
        raise invalid("path", "files under .git are not published")
    return path


def folders_of(path: str) -> Iterator[str]:
    """Go through the folders that a path lies in, the nearest first."""
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def has_way_in(tier: Tier, *, agreements: bool, form: bool) -> bool:
    """Say whether these terms can lead anybody in: where a grant is needed, something gives it."""
    return not tier.is_granted or tier.is_reviewed or agreements or form


def is_open_path(path: str, open_files: frozenset[str]) -> bool:
    """Say whether a file of a gated model is open: root README* and LICENSE*, or listed."""
    if path in open_files:
        return True
    return "/" not in path and path.upper().startswith(("README", "LICENSE"))
