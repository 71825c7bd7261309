"""Counts of answered requests and offered bytes, gathered in memory and written now and then.

Counters only: nothing here may change a verdict; a crash loses what came since the last flush.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
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
            self._add((person_id, model_id, sha256, hour), 1, size_bytes)
        if self._heard is not None:
            self._heard(size_bytes, not person_id)

    def take(self) -> list[Count]:
        """Return and forget what was counted."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return [Count(*key, requests=n, bytes_offered=size) for key, (n, size) in counts.items()]

    def put_back(self, counts: Sequence[Count]) -> None:
        """Count again what could not be written."""
        with self._lock:
            for c in counts:
                self._add((c.person_id, c.model_id, c.sha256, c.hour), c.requests, c.bytes_offered)

    def _add(self, key: Key, requests: int, size_bytes: int) -> None:
        count = self._counts.setdefault(key, [0, 0])
        count[0] += requests
        count[1] += size_bytes
