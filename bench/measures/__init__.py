"""The measures, by the name under which `ONLY=` asks for one and its results are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.figures import Figure
from bench.ground import Ground
from bench.measures import (
    group_commit,
    growth,
    listing,
    publish,
    redirect,
    resolve,
    s3_upload,
    sequencer,
    slow_readers,
    small_files,
    snapshot,
    streams,
)

Measure = Callable[[Ground], Sequence[Figure]]

MEASURES: Mapping[str, Measure] = {
    "streams": streams.measure,
    "small-files": small_files.measure,
    "redirect": redirect.measure,
    "slow-readers": slow_readers.measure,
    "resolve": resolve.measure,
    "group-commit": group_commit.measure,
    "sequencer": sequencer.measure,
    "snapshot": snapshot.measure,
    "publish": publish.measure,
    "s3-upload": s3_upload.measure,
    "growth": growth.measure,
    "listing": listing.measure,
}
