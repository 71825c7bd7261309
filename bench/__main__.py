"""Runs measures, keeps their results, and writes them into docs/performance.md (`make bench`)."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.clients.drain import Wrong
from bench.ground import Ground, prepared
from bench.measures import MEASURES
from bench.processes import NotStarted
from bench.report import plot, results, table

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
DOCUMENT, PICTURE = ROOT / "docs" / "performance.md", "images/performance.svg"
ROUNDS = 5


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; return 1 when a figure is below its floor or a measure failed."""
    asked = _read(arguments)
    with prepared(asked.scratch, asked.rounds, full=asked.full) as ground:
        failed = [name for name in asked.only if not _run(ground, name, asked.results)]
    rows = list(results.read(asked.results, list(MEASURES)))
    if asked.document is not None:
        plot.draw(asked.document.parent / PICTURE, rows)
        table.put(asked.document, rows, PICTURE)
    below = [row["name"] for row in rows if table.verdict(row) == "below"]
    print(f"\n{len(rows)} figures; below their floor: {', '.join(below) or 'none'}")
    if failed:
        print(f"not measured: {', '.join(failed)}")
    return 1 if failed or below else 0


def _run(ground: Ground, name: str, folder: Path) -> bool:
    """Run one measure and print its figures as they come; False when it could not be made."""
    os.sync()  # what the measure before left unwritten is not this one's
    begun = time.monotonic()
    print(f"\n{name}", flush=True)
    try:
        figures = MEASURES[name](ground)
    except (NotStarted, Wrong) as error:
        print(f"  {error}")
        return False
    results.write(folder, name, figures)
    for figure in figures:
        met = {True: "aim met", False: "aim missed", None: ""}[figure.is_met]
        print(f"  {figure.ratio:8.3f}  {figure.name}, beside {figure.anchor}  {met}")
    print(f"  ({time.monotonic() - begun:.0f} s)", flush=True)
    return True


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", type=_names, default=list(MEASURES), help="measures, by comma")
    parser.add_argument(
        "--full", action="store_true", help="a million of everything, ten million audit entries"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scratch", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--document", type=_document, default=DOCUMENT, help="'' writes none")
    return parser.parse_args(arguments)


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name] or list(MEASURES)
    for name in names:
        if name not in MEASURES:
            raise argparse.ArgumentTypeError(f"no {name}: there are {', '.join(MEASURES)}")
    return names


def _document(text: str) -> Path | None:
    return Path(text) if text else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
