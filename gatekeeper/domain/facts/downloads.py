"""What is recorded of links and bytes (house.md 6, "What a download records").

Not here: anonymous refusals, bad tokens and bytes of open models, which are counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gatekeeper.domain.access import Basis, Reason
from gatekeeper.domain.catalogue import ModelId, RevisionId
from gatekeeper.domain.links import GrantId, LinkId
from gatekeeper.domain.people import PersonId
from gatekeeper.domain.sealed import Content


@dataclass(frozen=True, slots=True)
class LinkIssued:
    """A signed address for one file was made; the address itself is a secret and stored nowhere."""

    link_id: LinkId
    person_id: PersonId
    grant_id: GrantId | None
    model_id: ModelId
    revision_id: RevisionId
    path: Content
    sha256: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FileServed:
    """Bytes of a file were about to leave for this person, once per file and hour."""

    person_id: PersonId
    grant_id: GrantId | None
    model_id: ModelId
    revision_id: RevisionId
    sha256: str
    basis: Basis
    hour: datetime


@dataclass(frozen=True, slots=True)
class ServingTotalled:
    """What one person was sent of one file in one hour: answered requests and bytes offered."""

    person_id: PersonId
    model_id: ModelId
    sha256: str
    hour: datetime
    requests: int
    bytes_offered: int


@dataclass(frozen=True, slots=True)
class AccessRefused:
    """A known person was refused a model they may see, once per reason and hour."""

    person_id: PersonId
    model_id: ModelId
    reason: Reason
    hour: datetime


DownloadFact = LinkIssued | FileServed | ServingTotalled | AccessRefused
