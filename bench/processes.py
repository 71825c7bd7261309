"""Processes a benchmark starts: ports that are free, CPU-seconds and memory as the kernel counts.

CPU-seconds are user and system time of a whole process tree from /proc/<pid>/stat, in ticks of
10 ms, children that ended included. Memory is PSS: a page that several processes share counts once.
Source: proc(5).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60
_TICKS = os.sysconf("SC_CLK_TCK")


class NotStarted(Exception):
    """A server did not come up; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """One or more process trees that answer on a loopback port."""

    port: int
    pids: Sequence[int]

    def cpu_seconds(self) -> float:
        """CPU time used so far, by all of its processes."""
        return sum(_cpu_seconds(pid) for pid in self._alive())

    def pss_bytes(self) -> int:
        """Memory held now, by all of its processes."""
        return sum(_pss_bytes(pid) for pid in self._alive())

    def _alive(self) -> list[int]:
        parents = _parents()
        return [pid for pid in parents if _descends(pid, set(self.pids), parents)]


def free_port() -> int:
    """Return a loopback port that nobody holds, SO_REUSEPORT listeners included."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    assert_free(port)
    return port


def assert_free(port: int) -> None:
    """Raise NotStarted when somebody answers on a port: it would be measured in our place."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise NotStarted(f"port {port} is taken: an older server still runs")


@contextmanager
def running(
    command: Sequence[object],
    port: int,
    log: Path,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Server]:
    """Run a server until the block is left; it is the leader of a process group of its own."""
    assert_free(port)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            env={**os.environ, **(environment or {})},
            cwd=cwd,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(port, process, log)
        yield Server(port, [process.pid])
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and whatever it started."""
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise NotStarted(f"{process.args!r} did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _parents() -> dict[int, int]:
    """Return the parent of every process."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found[int(entry.name)] = int(_stat(int(entry.name))[1])
    return found


def _descends(pid: int, roots: set[int], parents: Mapping[int, int]) -> bool:
    while pid in parents:
        if pid in roots:
            return True
        pid = parents[pid]
    return False


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the third (state) on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpu_seconds(pid: int) -> float:
    with suppress(OSError):
        return sum(int(ticks) for ticks in _stat(pid)[11:15]) / _TICKS
    return 0.0


def _pss_bytes(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0
