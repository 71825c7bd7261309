"""Agreements: numbered clauses, immutable once published, accepted clause by clause.

An acceptance binds the SHA-256 of the exact text shown, the clauses ticked, the typed name and the
time. A version published as material or urgent ends older acceptances; an editorial one does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.errors import FieldError, Invalid, TermsOutdated
from gatekeeper.domain.people import PersonId


class Change(StrEnum):
    """What publishing a new version asks of those who accepted the one before."""

    EDITORIAL = "editorial"
    MATERIAL = "material"
    URGENT = "urgent"


@dataclass(frozen=True, slots=True)
class TermsClause:
    """One numbered clause, ticked by itself."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """One published version of an agreement; `sha256` is of the text `write_text` gives."""

    id: AgreementId
    version: int
    title: str
    intro: str
    clauses: tuple[TermsClause, ...]
    change: Change
    sha256: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Evidence that one person accepted one version."""

    id: str
    person_id: PersonId
    agreement_id: AgreementId
    version: int
    sha256: str
    clauses: tuple[str, ...]
    typed_name: str
    accepted_at: datetime


class TermsState(StrEnum):
    """How a person stands towards one agreement."""

    ACCEPTED = "accepted"
    MISSING = "missing"
    OUTDATED = "outdated"


def write_text(title: str, intro: str, clauses: Sequence[TermsClause]) -> str:
    """Write the exact text that is shown, hashed and accepted (UTF-8, LF, one clause a block)."""
    blocks = [title, intro, *(f"{c.id}. {c.title}\n{c.text}" for c in clauses)]
    return "\n\n".join(block.strip() for block in blocks if block.strip()) + "\n"


def terms_state(changes: Mapping[int, Change], accepted_version: int | None) -> TermsState:
    """Judge the newest accepted version by what each published one changed."""
    if accepted_version is None:
        return TermsState.MISSING
    since = [change for version, change in changes.items() if version > accepted_version]
    stands = all(change is Change.EDITORIAL for change in since)
    return TermsState.ACCEPTED if stands else TermsState.OUTDATED


def check_acceptance(
    current: Agreement, sha256: str, ticked: Sequence[str], typed_name: str, full_name: str
) -> None:
    """Refuse an acceptance that does not bind the whole current text.

    Raises: TermsOutdated if another text was shown; Invalid for a clause not ticked or a typed
    name that is not the account's.
    """
    if sha256 != current.sha256:
        raise TermsOutdated(
            f"{current.title} changed since it was shown: version {current.version} is current",
            sha256=current.sha256,
        )
    errors = []
    missing = [c.id for c in current.clauses if c.id not in set(ticked)]
    unknown = sorted(set(ticked) - {c.id for c in current.clauses})
    if missing:
        errors.append(FieldError("clauses", f"tick every clause; missing: {', '.join(missing)}"))
    if unknown:
        errors.append(FieldError("clauses", f"no such clause: {', '.join(unknown)[:80]}"))
    if " ".join(typed_name.split()).casefold() != full_name.casefold():
        errors.append(FieldError("typed_name", f"type your name as in your account: {full_name}"))
    if errors:
        raise Invalid(*errors)
