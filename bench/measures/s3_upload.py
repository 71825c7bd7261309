"""Upload of 256 MiB to S3: what `publish` does with a file, beside `boto3.upload_file`.

Ours reads the file twice: once to know its SHA-256, which is its key, the digest git has for it and
those of its parts, and once to send it under checksums that the store verifies. boto3 reads it
once, with a CRC32 of its own, or with SHA-256 where it is asked for that. By CPU-seconds of this
process, which is the client; the store is SeaweedFS.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.figures import Figure, by_cost, in_rounds
from bench.ground import Ground
from bench.servers.store import BUCKET, Store, seaweed
from tests.seaweed import s3_client

FILE_BYTES = 256 << 20
PLAIN, CHECKED = "boto3.upload_file", "boto3.upload_file with SHA-256"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one upload took of the client, and how long it was."""

    cpu_seconds: float
    seconds: float


def measure(ground: Ground) -> Sequence[Figure]:
    """Measure our store and boto3, plain and with SHA-256, with the same file."""
    place = ground.place("s3-upload")
    file = place / "model.safetensors"
    file.write_bytes(os.urandom(FILE_BYTES))
    with seaweed(place) as store:
        client = s3_client(store.url)
        checked = {"ChecksumAlgorithm": "SHA256"}
        ways: dict[str, Callable[[], Any]] = {
            "ours": lambda: _put(store, file),
            PLAIN: lambda: client.upload_file(str(file), BUCKET, "plain"),
            CHECKED: lambda: client.upload_file(str(file), BUCKET, "checked", ExtraArgs=checked),
        }
        costs = in_rounds(
            {name: partial(_cost, file, way) for name, way in ways.items()}, ground.rounds
        )
    return [_figure(costs, PLAIN), _figure(costs, CHECKED)]


def _put(store: Store, file: Path) -> None:
    with file.open("rb") as stream:
        assert store.objects.put(stream, FILE_BYTES).is_new


def _cost(file: Path, upload: Callable[[], Any]) -> Cost:
    with file.open("r+b") as stream:  # another file, of which nothing is stored
        stream.write(os.urandom(32))
    cpu, begun = time.process_time(), time.perf_counter()
    upload()
    return Cost(time.process_time() - cpu, time.perf_counter() - begun)


def _figure(costs: Mapping[str, Sequence[Cost]], anchor: str) -> Figure:
    own = [cost.cpu_seconds for cost in costs["ours"]]
    theirs = [cost.cpu_seconds for cost in costs[anchor]]
    return Figure(
        name="upload to S3" if anchor == PLAIN else "upload to S3, beside SHA-256",
        anchor=anchor,
        unit="client CPU-s for 256 MiB",
        values={"ours": own, "anchor": theirs},
        ratios=by_cost(own, theirs),
        extra={"ours MiB/s": _speed(costs["ours"]), "anchor MiB/s": _speed(costs[anchor])},
    )


def _speed(costs: Sequence[Cost]) -> float:
    return round((FILE_BYTES >> 20) / min(cost.seconds for cost in costs))
