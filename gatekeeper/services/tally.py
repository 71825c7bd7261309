"""Counts of answered requests and offered bytes, gathered in memory and flushed in one act.

Counters only: nothing here may change a verdict; a crash loses what came since the last flush.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from gatekeeper.db.ephemeral import Count
from gatekeeper.domain.catalogue import ModelId

Key = tuple[str, ModelId, str, datetime]


class Tally:
    """Counters of one process; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Key, list[int]] = {}
        self._heard: Callable[[int, bool], None] | None = None

    def tell(self, heard: Callable[[int, bool], None]) -> None:
        """Tell `heard` the bytes of every answer, and whether anybody may have them."""
        self._heard = heard

    def add(
        self, person_id: str, model_id: ModelId, sha256: str, hour: datetime, size_bytes: int
    ) -> None:
        """Count one answered request that offered so many bytes."""
        with self._lock:
            count = self._counts.setdefault((person_id, model_id, sha256, hour), [0, 0])
            count[0] += 1
            count[1] += size_bytes
        if self._heard is not None:
            self._heard(size_bytes, not person_id)

    def take(self) -> list[Count]:
        """Return and forget what was counted."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return [Count(*key, requests=n, bytes_offered=size) for key, (n, size) in counts.items()]
