"""A lock that threads get in the order in which they asked.

A plain one goes to whoever runs when it is free: under load the same few take it again and again,
and a sleeper waits until it loses patience.
"""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """Given from hand to hand; nobody who asks later is served before."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._line: deque[threading.Lock] = deque()

    def take(self, timeout: float = -1) -> bool:
        """Wait at most so many seconds, -1 for ever; say whether the turn is the caller's now."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._line.append(mine)
        if mine.acquire(timeout=timeout):
            return True
        with self._guard:
            if mine in self._line:
                self._line.remove(mine)
                return False
            return True  # it came just then

    @property
    def waiting(self) -> int:
        """Return how many wait for a turn."""
        return len(self._line)

    def pass_on(self) -> bool:
        """Give the turn to whoever asked first; False when nobody did: then it is kept."""
        with self._guard:
            if self._line:
                self._line.popleft().release()
                return True
            return False

    def give_back(self) -> None:
        """Give the turn to whoever asked first, or to nobody."""
        with self._guard:
            if self._line:
                self._line.popleft().release()
            else:
                self._taken = False
