"""How a request reaches the House: one accessor, and the Context made once a request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app, g

from gatekeeper.domain.errors import Busy
from gatekeeper.domain.people import Actor, Context
from gatekeeper.services.ports import House

_KEY = "gatekeeper"


@dataclass(frozen=True, slots=True)
class Wiring:
    """What app.py hands to the web room: the House, the maker of Contexts, and the caps."""

    house: House
    context: Callable[[Actor, str], Context]
    downloads: DownloadSlots
    secure_cookie: bool


class DownloadSlots:
    """Places for concurrent downloads: beyond them pages and /healthz still have threads."""

    def __init__(self, places: int) -> None:
        self._free = threading.BoundedSemaphore(places)

    def take(self) -> Callable[[], None]:
        """Take a place and return how to give it back (once; later calls do nothing).

        Raises: Busy at once when every place is taken.
        """
        if not self._free.acquire(blocking=False):
            raise Busy("all download places are taken", retry_after_seconds=5)
        given_back = threading.Lock()

        def give_back() -> None:
            if given_back.acquire(blocking=False):
                self._free.release()

        return give_back


def wiring() -> Wiring:
    """Return the wiring of the current application."""
    found: Wiring = current_app.extensions[_KEY]
    return found


def house() -> House:
    """Return the House of the current application."""
    return wiring().house


def request_id() -> str:
    """Return the id of the current request, as logged and echoed in X-Request-Id."""
    found: str = g.request_id
    return found


def new_context(actor: Actor) -> Context:
    """Read the clock and make a Context for this request."""
    return wiring().context(actor, request_id())
