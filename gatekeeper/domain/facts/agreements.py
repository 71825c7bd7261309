"""What happens to agreements."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.domain.agreements import Change
from gatekeeper.domain.catalogue import AgreementId, ModelId
from gatekeeper.domain.people import PersonId
from gatekeeper.domain.sealed import Content, Sealed


@dataclass(frozen=True, slots=True)
class AgreementPublished:
    """A version is in force. `source` is its parts as JSON; `text_sha256` of the text shown."""

    agreement_id: AgreementId
    version: int
    change: Change
    source: Content
    text_sha256: str


@dataclass(frozen=True, slots=True)
class AgreementAccepted:
    """One person accepted the exact text, clause by clause, under a typed name."""

    acceptance_id: str
    person_id: PersonId
    agreement_id: AgreementId
    version: int
    text_sha256: str
    clauses: tuple[str, ...]
    typed_name: Sealed
    model_id: ModelId | None


AgreementFact = AgreementPublished | AgreementAccepted
