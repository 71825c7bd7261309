"""Publish of 1 GiB: reading, hashing, writing and making durable, beside `sha256sum` of the file.

By wall-clock, as the person at the command line waits. Every round publishes another file: one that
is stored already would be skipped.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.figures import Bound, Figure, by_cost, in_rounds
from bench.ground import Ground
from bench.servers.hall import LARGE_BYTES, LARGE_PATH, WEIGHTS, Hall
from tests.builders import RELEASE
from tests.cast import NAMESPACE

MIB = LARGE_BYTES / (1 << 20)


def measure(ground: Ground) -> Sequence[Figure]:
    """Measure publish, sha256sum and Python's own hashing of the same file."""
    folder = ground.place("publish")
    file = folder / "model.safetensors"
    shutil.copyfile(ground.hall.files / WEIGHTS / LARGE_PATH, file)
    speeds = in_rounds(
        {
            "publish": lambda: _publish(ground.hall, folder, file),
            "sha256sum": lambda: _timed(lambda: _run("sha256sum", str(file))),
            "file_digest": lambda: _timed(lambda: _digest(file)),
        },
        ground.rounds,
    )
    return [
        _figure("publish", "sha256sum", speeds, (0.5, 0.8)),
        _figure("publish, beside Python", "hashlib.file_digest", speeds, None),
    ]


def _publish(hall: Hall, folder: Path, file: Path) -> float:
    with file.open("r+b") as stream:  # another file, of which nothing is stored
        stream.write(os.urandom(32))
    os.sync()  # what the round before left unwritten is not this one's
    name = f"{NAMESPACE}/fresh-{os.urandom(6).hex()}"
    command = [sys.executable, "-m", "gatekeeper", "--data", str(hall.data), "publish", str(folder)]
    options = [name, "--release", f"{NAMESPACE}/{RELEASE}", "--tier", "T0", "--quiet"]
    return _timed(lambda: _run(*command, *options))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)


def _digest(file: Path) -> None:
    with file.open("rb") as stream:
        hashlib.file_digest(stream, "sha256")


def _timed(call: Callable[[], None]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _figure(
    name: str,
    anchor: str,
    seconds: Mapping[str, Sequence[float]],
    limits: tuple[float, float] | None,
) -> Figure:
    own, theirs = seconds["publish"], seconds[anchor.rpartition(".")[2]]
    return Figure(
        name=name,
        anchor=anchor,
        unit="MiB/s",
        values={"ours": [MIB / s for s in own], "anchor": [MIB / s for s in theirs]},
        ratios=by_cost(own, theirs),
        floor=limits[0] if limits else None,
        aim=limits[1] if limits else None,
        bound=Bound.AT_LEAST if limits else Bound.NONE,
    )
