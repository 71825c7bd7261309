"""How a request reaches the House: one accessor, and the Context made once a request."""

from __future__ import annotations

import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import current_app, g

from gatekeeper.domain.errors import Busy
from gatekeeper.domain.people import Actor, Context
from gatekeeper.services.ports import House
from gatekeeper.web.metrics import Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_KEY, _ID = "gatekeeper", "gatekeeper.request_id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:=;-]{1,128}")


@dataclass(frozen=True, slots=True)
class Wiring:
    """What app.py hands to the web room: the House, the maker of Contexts, and the caps.

    `spooling` counts the bytes of bodies that are kept on the disk until they are whole, and
    `assembling` the shards whose files are put together, at some 200 MiB of memory each.
    `api_document` is the OpenAPI document of the JSON API, which its reference page reads too.
    """

    house: House
    context: Callable[[Actor, str], Context]
    request_ids: RequestIds
    downloads: DownloadSlots
    spooling: Room
    assembling: Room
    secure_cookie: bool
    metrics: Metrics
    # Who may read /metrics: who has this token, or, without one and only then, this machine.
    metrics_token: str
    metrics_on_loopback: bool
    api_document: Mapping[str, Any]


class RequestIds:
    """The ids of requests: given by the client or the proxy, else counted; names and no secrets."""

    def __init__(self, beginning: str) -> None:
        self._beginning = beginning
        self._numbers = itertools.count()

    def of(self, environ: WSGIEnvironment) -> str:
        """Return the id of a request, the same each time."""
        found: str | None = environ.get(_ID)
        if found is None:
            found = environ.get("HTTP_X_REQUEST_ID") or environ.get("HTTP_X_AMZN_TRACE_ID") or ""
            if not _REQUEST_ID.fullmatch(found):
                found = f"{self._beginning}{next(self._numbers):06x}"
            environ[_ID] = found
        return found


class DownloadSlots:
    """Places for concurrent downloads: beyond them pages and /healthz still have threads."""

    def __init__(self, places: int, moved: Callable[[int], None]) -> None:
        self._free = threading.BoundedSemaphore(places)
        self._moved = moved

    def take(self) -> Callable[[], None]:
        """Take a place and return how to give it back (once; later calls do nothing).

        Raises: Busy at once when every place is taken.
        """
        if not self._free.acquire(blocking=False):
            raise Busy("all download places are taken", retry_after_seconds=5)
        given_back = threading.Lock()
        self._moved(1)

        def give_back() -> None:
            if given_back.acquire(blocking=False):
                self._moved(-1)
                self._free.release()

        return give_back


class Room:
    """So much of something at once; who finds too little left waits for it, `patience_seconds`.

    One person has at most `most_each` of it: what somebody takes and never uses stops nobody else.
    """

    def __init__(
        self, most: int, what: str, patience_seconds: float = 0, most_each: int | None = None
    ) -> None:
        self._left = most
        self._most_each = most if most_each is None else most_each
        self._had = Counter[str]()
        self._what = what
        self._patience_seconds = patience_seconds
        self._given_back = threading.Condition()

    @contextmanager
    def taken(self, person_id: str, much: int = 1) -> Iterator[None]:
        """Have so much of it in this block. Raises: Busy when there is too little."""

        def has_room() -> bool:
            return much <= min(self._left, self._most_each - self._had[person_id])

        with self._given_back:
            if not self._given_back.wait_for(has_room, self._patience_seconds):
                raise Busy(self._what)
            self._book(person_id, much)
        try:
            yield
        finally:
            with self._given_back:
                self._book(person_id, -much)
                self._given_back.notify_all()

    def _book(self, person_id: str, much: int) -> None:
        self._left -= much
        self._had[person_id] += much
        self._had = +self._had  # only those who have something


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
