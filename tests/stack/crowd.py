"""A crowd of clients during a restart: curl that downloads and resumes, and callers of the API.

What they saw is counted: every status, every answer 5xx without Retry-After, every transfer that
the other side broke off.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tests.stack.native import SECONDS
from tests.stack.walk import ADDRESS, FILE, MODEL, Archive

DOWNLOADING, CALLING = 16, 2
BYTES_PER_SECOND = "4M"
OWN_CUT_SECONDS = "1"  # after which every other client breaks its first transfer off
_ANSWER = re.compile(r"^HTTP/\S+ (\d+).*?(?=^HTTP/|\Z)", re.MULTILINE | re.DOTALL)
_PARTIAL, _TIMEOUT, _FAILED = 18, 28, 22


class Crowd:
    """Clients at work until the block is left."""

    def __init__(self, archive: Archive, folder: Path) -> None:
        self._archive = archive
        self._folder = folder
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(DOWNLOADING + CALLING)
        self._busy = Counter[int]()
        self.statuses = Counter[int]()
        self.errors: list[str] = []
        self.digests: set[str] = set()
        self.resumed = self.cut = self.links = 0

    def __enter__(self) -> Crowd:
        jobs = [(self._download, n) for n in range(DOWNLOADING)]
        jobs += [(self._call, n) for n in range(CALLING)]
        self._running: list[Future[None]] = [self._pool.submit(job, n) for job, n in jobs]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for one in self._running:
            one.result(SECONDS)
        self._pool.shutdown()

    def wait_until_all_download(self) -> None:
        """Wait until each client has begun a download since this was called."""
        with self._lock:
            self._busy.clear()
        until = time.monotonic() + SECONDS
        while len(self._busy) < DOWNLOADING:
            assert time.monotonic() < until, "the clients do not get on"
            assert not any(one.done() for one in self._running), self._running
            time.sleep(0.02)

    def _saw(self, status: int, headers: str, what: str) -> None:
        with self._lock:
            self.statuses[status] += 1
            waits = re.search(r"(?im)^retry-after: *\d+", headers)
            if status >= 500 and not (status == 503 and waits):
                self.errors.append(f"{what}: {status}\n{headers}")

    # --- downloads --------------------------------------------------------------------------------

    def _download(self, number: int) -> None:
        target = self._folder / f"client-{number}"
        turn = number
        while not self._stop.is_set():
            target.unlink(missing_ok=True)
            breaks_off = turn % 2 == 0
            while not self._fetch(number, target, breaks_off=breaks_off):
                breaks_off = False
            with self._lock:
                self.digests.add(hashlib.sha256(target.read_bytes()).hexdigest())
            turn += 1

    def _fetch(self, number: int, target: Path, *, breaks_off: bool) -> bool:
        """Fetch what is missing of a file; say whether it is whole now."""
        headers = target.with_suffix(".headers")
        headers.write_text("")
        held = target.stat().st_size if target.exists() else 0
        command = ["curl", "-sS", "--fail", "-C", str(held), "-D", str(headers), "-o", str(target),
                   "--limit-rate", BYTES_PER_SECOND, "-H",
                   f"Authorization: Bearer {self._archive.admin.token}",
                   f"{self._archive.native.url}{ADDRESS}"]  # fmt: skip
        if breaks_off:
            command[1:1] = ["--max-time", OWN_CUT_SECONDS]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._busy[number] += 1
        _, said = process.communicate()
        for answer in _ANSWER.finditer(headers.read_text()):
            self._saw(int(answer[1]), answer[0], f"client {number}")
        return self._is_whole(process.returncode, held, said)

    def _is_whole(self, code: int, held: int, said: str) -> bool:
        with self._lock:
            self.resumed += held > 0
            self.cut += code == _PARTIAL
            if code not in {0, _PARTIAL, _TIMEOUT, _FAILED}:
                self.errors.append(f"curl {code}: {said}")
        if code == _FAILED:
            self._stop.wait(1)  # less than Retry-After asks
        return code == 0

    # --- the API ----------------------------------------------------------------------------------

    def _call(self, number: int) -> None:
        """Ask for links, or for pages, one after the other."""
        body = f'{{"model": "{MODEL}", "revision": "main", "path": "{FILE}"}}'.encode()
        path, sent = (("/api/v1/links", body), ("/", None))[number % 2]
        headers = {"Authorization": f"Bearer {self._archive.admin.token}"}
        if sent:
            headers["Content-Type"] = "application/json"
        while not self._stop.wait(0.1):
            asked = urllib.request.Request(self._archive.native.url + path, sent, headers)
            try:
                with urllib.request.urlopen(asked, timeout=30) as answer:
                    answer.read()
                    status, told = answer.status, str(answer.headers)
            except urllib.error.HTTPError as error:
                with error:
                    status, told = error.code, str(error.headers)
            except OSError as error:
                self.errors.append(f"{path}: {error}")
                continue
            self._saw(status, told, path)
            with self._lock:
                self.links += status == 201
