"""What is recorded about the ledger itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LedgerExported:
    """Somebody took entries `first` (inclusive) to `last` (exclusive) out of the ledger."""

    first: int
    last: int


AuditFact = LedgerExported
