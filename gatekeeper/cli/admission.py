"""Who of a crowd is served next: few are at work together, and who came last is first.

Two thousand requests that are worked on at once take as long as one after the other, and whoever
comes while they are waits until nearly all of them have ended; so does whoever stands at the end of
a queue. Here the last comes first, and is answered at once; the others still get what they asked
for. A turn ends when what follows is only sending, which may take hours.

A turn may also hang: half a request, a database that does not answer. When nobody's has ended for
a while, a few more may begin.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Admission(Generic[T]):
    """Calls `start` for each who asks for a turn, in time; `start` has another thread do the work.

    `start` is called in the thread that asks, or in one whose own turn is over.
    """

    def __init__(self, start: Callable[[T], object], most: int) -> None:
        self._start = start
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[T] = []
        self._at_work = 0
        self._ended = self._ended_before = 0
        self._is_open = True
        self._mine = threading.local()

    @property
    def is_crowded(self) -> bool:
        """Say whether anybody waits."""
        return bool(self._waiting)

    def ask(self, who: T) -> None:
        """Have somebody's turn begin now or later."""
        with self._lock:
            self._waiting.append(who)
        self._begin(self._most)

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Let no turn begin inside this block: whoever takes people in has the interpreter."""
        self._is_open = False
        try:
            yield
        finally:
            self._is_open = True
            self._ended_before = -1
            self._begin(self._most)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Work for one who was started, in this thread; the turn ends here if not before."""
        self._mine.holds = True
        try:
            yield
        finally:
            self.over()

    def over(self) -> None:
        """End this thread's turn; does nothing when it has none."""
        if not getattr(self._mine, "holds", False):
            return
        self._mine.holds = False
        with self._lock:
            self._at_work -= 1
            self._ended += 1
        self._begin(self._most)

    def unstick(self) -> None:
        """Let as many begin as may usually be at work, if nobody's turn ended since the last call.

        No more: the disk may only have paused, and then all of them want the interpreter at once.
        """
        if self._ended == self._ended_before:
            self._begin(self._at_work + self._most)
        self._ended_before = self._ended

    def _begin(self, most: int) -> None:
        while True:
            with self._lock:
                if not self._is_open or not self._waiting or self._at_work >= most:
                    return
                who = self._waiting.pop()
                self._at_work += 1
            self._start(who)
