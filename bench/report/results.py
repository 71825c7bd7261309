"""Figures as JSON: one file a measure, a list of figures, each with floor, aim and raw values.

A later run of one measure replaces its file and leaves the others.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import Figure

Row = dict[str, Any]


def write(folder: Path, name: str, figures: Sequence[Figure]) -> None:
    """Write the figures of one measure."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = {"machine": machine(), "measured_at": datetime.now(UTC).isoformat("T", "minutes")}
    rows = [{**_row(figure), **stamp} for figure in figures]
    (folder / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")


def read(folder: Path, names: Sequence[str]) -> Iterator[Row]:
    """Return what was measured, in the order of the measures."""
    for name in names:
        file = folder / f"{name}.json"
        if file.exists():
            yield from json.loads(file.read_text())


def machine() -> str:
    """Describe the machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} x {model}, {system}"


def _row(figure: Figure) -> Row:
    return {
        "name": figure.name,
        "anchor": figure.anchor,
        "ratio": round(figure.ratio, 4),
        "spread": [round(min(figure.ratios), 4), round(max(figure.ratios), 4)],
        "floor": figure.floor,
        "aim": figure.aim,
        "bound": str(figure.bound),
        "unit": figure.unit,
        "values": {side: [round(v, 6) for v in values] for side, values in figure.values.items()},
        "extra": dict(figure.extra),
        "note": figure.note,
    }
