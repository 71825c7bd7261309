"""What happens to namespaces, releases, models and their revisions."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.domain.catalogue import (
    AgreementId,
    ModelId,
    RefKind,
    ReleaseId,
    RevisionId,
    Visibility,
)
from gatekeeper.domain.sealed import Content


@dataclass(frozen=True, slots=True)
class NamespaceAdded:
    """An organisation may publish under this name."""

    namespace: str
    title: str


@dataclass(frozen=True, slots=True)
class NewModelTierChosen:
    """Models that clients make in the namespace have this tier; '' leaves each to be decided."""

    namespace: str
    tier: str


@dataclass(frozen=True, slots=True)
class ReleaseCreated:
    """A release has a page; `content` is its summary, risks, detection guide, stages and values."""

    release_id: ReleaseId
    namespace: str
    name: str
    title: str
    content: Content


@dataclass(frozen=True, slots=True)
class ReleaseContentChanged:
    """The release page shows other content from now on."""

    release_id: ReleaseId
    title: str
    content: Content


@dataclass(frozen=True, slots=True)
class ModelCreated:
    """A model exists under a tier, with the agreements and form it asks for."""

    model_id: ModelId
    release_id: ReleaseId
    namespace: str
    name: str
    title: str
    tier: str
    visibility: Visibility
    agreements: tuple[AgreementId, ...]
    form: Content | None
    open_files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TierLeftOpen:
    """Nobody has chosen the tier of a new model; until somebody does it has the strictest."""

    model_id: ModelId


@dataclass(frozen=True, slots=True)
class TierChosen:
    """Somebody chose the tier of a model whose tier nobody had chosen: any of them."""

    model_id: ModelId
    tier: str


@dataclass(frozen=True, slots=True)
class ModelTightened:
    """The model moved to a stricter tier; loosening is a stage decision and not this fact."""

    model_id: ModelId
    tier: str


@dataclass(frozen=True, slots=True)
class ModelTermsChanged:
    """The model asks for other agreements or another form, or is shown to others."""

    model_id: ModelId
    title: str
    visibility: Visibility
    agreements: tuple[AgreementId, ...]
    form: Content | None
    open_files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelMoved:
    """The model has another name, in this release, and is found under its former one as well."""

    model_id: ModelId
    release_id: ReleaseId
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class ModelDeleted:
    """A model that nobody held or had applied for is gone with its revisions and its names."""

    model_id: ModelId


@dataclass(frozen=True, slots=True)
class RevisionPublished:
    """A revision is visible and the branch points to it; `manifest` lists its files.

    The manifest is canonical text, one JSON object a line: path, size_bytes, sha256, git_oid, lfs.
    """

    revision_id: RevisionId
    model_id: ModelId
    parent_id: RevisionId | None
    branch: str
    manifest: Content
    message: Content


@dataclass(frozen=True, slots=True)
class RefSet:
    """A branch or tag of the model points to the revision."""

    model_id: ModelId
    kind: RefKind
    name: str
    revision_id: RevisionId


@dataclass(frozen=True, slots=True)
class RefRemoved:
    """A branch or tag of the model is no name any more; the revision stays."""

    model_id: ModelId
    kind: RefKind
    name: str


CatalogueFact = (
    NamespaceAdded
    | NewModelTierChosen
    | ReleaseCreated
    | ReleaseContentChanged
    | ModelCreated
    | TierLeftOpen
    | TierChosen
    | ModelTightened
    | ModelTermsChanged
    | ModelMoved
    | ModelDeleted
    | RevisionPublished
    | RefSet
    | RefRemoved
)
