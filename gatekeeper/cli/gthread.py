"""Gunicorn's gthread worker: how it stops, takes connections and ends them is ours.

Gunicorn's own stops taking connections and keeps the listening socket open until the last answer
has ended: the kernel goes on greeting clients whom nobody will answer. Here everybody who was
greeted is taken in, then the socket is closed, so that clients are refused and a proxy in front
goes to another server at once. On a Unix socket nobody is lost between the two, for gunicorn
unlinks its path before; on a port, whoever is greeted between the two steps is reset.

And gunicorn's own waits for the other side to close, 2 s each, in the one thread that takes all
connections: some dozen clients that leave theirs open would stop a server. Here the thread that
answered waits. Where there are more threads than connections it also waits a moment for the next
request: through that one thread, each would cost four more changes of the thread that runs.

And gunicorn's own gives requests to threads as they come, however many: see admission.py. It takes
one connection a round, while those threads want the interpreter as well, so that the kernel's queue
runs over; here all who wait at the door come in first.

And gunicorn's own closes by the clock whoever has been silent for long. When thousands arrive at
once, its one thread may take seconds to come round, and a proxy's next request waits unread: here
nobody is closed who was not looked at after his time was over.
Source: gunicorn 27.0.1, workers/gthread.py run(), finish_request(), murder_keepalived();
arbiter.py stop().
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from gatekeeper.cli.admission import Admission

_ENDED = object()
NEXT_REQUEST_MS = 20
AT_WORK = 8
STUCK_SECONDS = 0.02


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no type hints
    """A worker that ends what it began and begins nothing more; nobody's leaving holds it up."""

    wsgi: Callable[[dict[str, Any], object], object]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._admission: Admission[TConn] = Admission(super().enqueue_req, AT_WORK)
        self._unstuck_at = self._looked_at = 0.0

    def run(self) -> None:
        """Serve until told to stop, with settings that are looked up once."""
        known = {name: setting.get() for name, setting in self.cfg.settings.items()}
        self.cfg.__dict__.update(known)  # a request asks a dozen, each by a search and a call
        super().run()

    def load_wsgi(self) -> None:
        """Make the application; a turn is over when it has answered and the rest is sending.

        It ends earlier where a body is to come, for that may take its time.
        """
        super().load_wsgi()
        answer = self.wsgi

        def answer_in_turn(environ: dict[str, Any], start_response: object) -> object:
            if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
                self._admission.over()
            try:
                return answer(environ, start_response)
            finally:
                self._admission.over()

        self.wsgi = answer_in_turn

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or not; for good once the worker stops, so that clients are refused."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self.accept(listener)
                listener.close()

    def accept(self, listener: object) -> None:
        """Take in everybody who waits at the door, before anybody's turn begins."""
        greeted = -1
        with self._admission.shut():
            while greeted != self.nr_conns and not (self.alive and self._is_full()):
                greeted = self.nr_conns
                super().accept(listener)  # counts, and says nothing when nobody waits

    def _is_full(self) -> bool:
        return bool(self.nr_conns >= self.worker_connections)

    def enqueue_req(self, conn: TConn) -> None:
        """Have a request answered when its turn comes."""
        self._admission.ask(conn)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Look at all who are silent, wait `timeout` seconds at most, and hear those who speak."""
        self._looked_at = time.monotonic()
        is_crowded = self._admission.is_crowded
        super().wait_for_and_dispatch_events(min(timeout, STUCK_SECONDS) if is_crowded else timeout)
        if time.monotonic() >= self._unstuck_at + STUCK_SECONDS:
            self._unstuck_at = time.monotonic()
            self._admission.unstick()

    def murder_keepalived(self, force: bool = False) -> None:
        """Close connections that had their time for another request, or all of them."""
        self._close_silent(self.keepalived_conns, float("inf") if force else self._looked_at)

    def murder_pending(self) -> None:
        """Close connections that had their time for the first request."""
        self._close_silent(self.pending_conns, self._looked_at)

    def _close_silent(self, waiting: deque[TConn], until: float) -> None:
        while waiting and waiting[0].timeout <= until:
            conn = waiting.popleft()
            with suppress(OSError, KeyError, ValueError):  # it was closed already
                self.poller.unregister(conn.sock)
            self.nr_conns -= 1
            conn.close()

    def handle(self, conn: TConn) -> object:
        """Answer a request, in a thread of its own, and part from a client that is not kept."""
        with self._admission.turn():
            if not conn.initialized and not _speaks(conn, within_ms=0):
                self._admission.over()
            kept: object = super().handle(conn)
        while kept is True and self._asks_again(conn):
            kept = super().handle(conn)
        if kept:
            return kept
        conn.close(graceful=True)
        return _ENDED

    def _asks_again(self, conn: TConn) -> bool:
        """Say whether the client's next request is here; wait for it where threads abound."""
        if not self.alive or self.nr_conns > self.cfg.threads // 2:
            return False
        return bool(conn.parser.unreader.buf.getvalue()) or _speaks(conn, NEXT_REQUEST_MS)

    def finish_request(self, conn: TConn, future: Future[object]) -> None:
        """Count a connection off that has ended, in the thread that takes all of them."""
        if not future.cancelled() and not future.exception() and future.result() is _ENDED:
            self.nr_conns -= 1
        else:
            super().finish_request(conn, future)


def _speaks(conn: TConn, within_ms: int) -> bool:
    asking = select.poll()
    asking.register(conn.sock, select.POLLIN)
    return bool(asking.poll(within_ms))
