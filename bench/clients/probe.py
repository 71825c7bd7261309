"""Asks a site while others keep it busy: `/healthz` on fresh connections, and sign-ins."""

from __future__ import annotations

import html
import http.client
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlencode

_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(slots=True)
class Probe:
    """How long each asking took, in seconds, and how many failed."""

    seconds: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile in milliseconds; every fault counts as the wait it ended."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]

    @classmethod
    def of(cls, probes: Sequence[Probe]) -> Probe:
        """Put the askings of several into one."""
        return cls([s for p in probes for s in p.seconds], [f for p in probes for f in p.failed])

    def ask(self, call: Callable[[], None]) -> None:
        """Take the time of one call; threads may ask beside each other."""
        begun = time.perf_counter()
        try:
            call()
        except (OSError, http.client.HTTPException, AssertionError):
            self.failed.append(begun)
        self.seconds.append(time.perf_counter() - begun)

    def ask_at(self, call: Callable[[], None], every: float, seconds: float) -> None:
        """Ask at fixed times, whether or not the last one was answered; return after the last.

        Whoever waits for an answer before asking again asks least while answers are slow.
        """
        begun = time.monotonic()
        with ThreadPoolExecutor(max(1, int(seconds / every))) as pool:
            for turn in range(int(seconds / every)):
                time.sleep(max(0.0, begun + turn * every - time.monotonic()))
                pool.submit(self.ask, call)


def health(port: int) -> None:
    """Ask for /healthz on a fresh connection; raises AssertionError when it is not 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
    finally:
        connection.close()


def sign_in(port: int, email: str, password: str) -> None:
    """Sign in as a browser does: the page, its token, the form; one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/sign-in")
        page = connection.getresponse()
        token = _CSRF.search(page.read().decode())
        assert token is not None
        cookie = str(page.headers["Set-Cookie"]).partition(";")[0]
        form = {"csrf_token": html.unescape(token[1]), "email": email, "password": password}
        headers = {**_FORM, "Cookie": cookie}
        connection.request("POST", "/sign-in", urlencode(form), headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status in {302, 303}
    finally:
        connection.close()
