"""Gunicorn's gthread worker: how it stops, ends a connection and hears the next request is ours.

Gunicorn's own stops taking connections and keeps the listening socket open until the last answer
has ended: the kernel goes on greeting clients whom nobody will answer. Here everybody who was
greeted is taken in, then the socket is closed, so that clients are refused and a proxy in front
goes to another server at once. On a Unix socket nobody is lost between the two, for gunicorn
unlinks its path before; on a port, whoever is greeted between the two steps is reset.

And gunicorn's own waits for the other side to close, 2 s each, in the one thread that takes all
connections: some dozen clients that leave theirs open would stop a server. Here the thread that
answered waits. Where there are more threads than connections it also waits a moment for the next
request: through that one thread, each would cost four more changes of the thread that runs.
Source: gunicorn 27.0.1, workers/gthread.py run() and finish_request(), arbiter.py stop().
"""

from __future__ import annotations

import select
from concurrent.futures import Future

from gunicorn.workers.gthread import TConn, ThreadWorker

_ENDED = object()
NEXT_REQUEST_MS = 20


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no type hints
    """A worker that ends what it began and begins nothing more; nobody's leaving holds it up."""

    def run(self) -> None:
        """Serve until told to stop, with settings that are looked up once."""
        known = {name: setting.get() for name, setting in self.cfg.settings.items()}
        self.cfg.__dict__.update(known)  # a request asks a dozen, each by a search and a call
        super().run()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or not; for good once the worker stops, so that clients are refused."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._take_in(listener)
                listener.close()

    def _take_in(self, listener: object) -> None:
        greeted = -1
        while greeted != self.nr_conns:  # accept() counts, and says nothing when nobody waits
            greeted = self.nr_conns
            self.accept(listener)

    def handle(self, conn: TConn) -> object:
        """Answer a request, in a thread of its own, and part from a client that is not kept."""
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
        if conn.parser.unreader.buf.getvalue():
            return True
        asking = select.poll()
        asking.register(conn.sock, select.POLLIN)
        return bool(asking.poll(NEXT_REQUEST_MS))

    def finish_request(self, conn: TConn, future: Future[object]) -> None:
        """Count a connection off that has ended, in the thread that takes all of them."""
        if not future.cancelled() and not future.exception() and future.result() is _ENDED:
            self.nr_conns -= 1
        else:
            super().finish_request(conn, future)
