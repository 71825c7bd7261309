"""The picture: each figure's ratio against its floor and aim, as an SVG without a library.

Ratios that should be small are turned round, so that further right is better everywhere and 1 is
the aim. Colours follow the reader's light or dark scheme.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from bench.report.results import Row
from bench.report.table import apart, verdict

WIDTH, ROW, TOP, LABEL = 900, 26, 40, 300
SCALE_END = 2.0  # in aims; what is better yet ends with an arrow

_STYLE = """
:root { color-scheme: light dark }
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 11px; fill: #59636e }
.aim { stroke: #59636e } .grid { stroke: #d1d9e0 } .floor { stroke: #1f2328; stroke-width: 2 }
.bar-aim { fill: #1a7f37 } .bar-floor { fill: #9a6700 } .bar-below { fill: #cf222e }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .small { fill: #9198a1 } .aim { stroke: #9198a1 }
  .grid { stroke: #3d444d } .floor { stroke: #f0f6fc }
  .bar-aim { fill: #3fb950 } .bar-floor { fill: #d29922 } .bar-below { fill: #f85149 }
}
"""


def draw(file: Path, rows: Sequence[Row]) -> None:
    """Write the picture of every figure that has a floor, those apart left out."""
    shown = [r for r in rows if r["bound"] != "none" and not apart(r)]
    height = TOP + ROW * len(shown) + 30
    body = "".join(_bar(row, TOP + ROW * i) for i, row in enumerate(shown))
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Each ratio beside its floor and its aim">\n<style>{_STYLE}</style>\n'
        f"{_axis(height)}{body}</svg>\n"
    )


def _axis(height: int) -> str:
    ticks = (0.0, 0.5, 1.0, 1.5, 2.0)
    lines = "".join(
        f'<line x1="{_x(t)}" y1="{TOP - 8}" x2="{_x(t)}" y2="{height - 24}" '
        f'class="{"aim" if t == 1 else "grid"}"/>\n'
        f'<text x="{_x(t)}" y="{TOP - 14}" text-anchor="middle" class="small">'
        f"{'aim' if t == 1 else f'{t:g}×'}</text>\n"
        for t in ticks
    )
    note = "further right is better; the short line is the floor"
    place = f'x="{WIDTH - 8}" y="{height - 8}" text-anchor="end"'
    return f'{lines}<text {place} class="small">{note}</text>\n'


def _bar(row: Row, top: int) -> str:
    score = _score(row, row["ratio"])
    floor = _score(row, row["floor"])
    kind = verdict(row)
    told = f"{row['ratio']:.3g}" + (" →" if score > SCALE_END else "")
    ends = f'y1="{top + 2}" y2="{top + ROW - 2}"'
    return (
        f'<text x="{LABEL - 10}" y="{top + 17}" text-anchor="end">{escape(row["name"])}</text>\n'
        f'<rect x="{LABEL}" y="{top + 5}" width="{_x(score) - LABEL:.0f}" height="{ROW - 10}" '
        f'class="bar-{kind}" rx="2"/>\n'
        f'<line x1="{_x(floor)}" x2="{_x(floor)}" {ends} class="floor"/>\n'
        f'<text x="{_x(score) + 6:.0f}" y="{top + 17}" class="small">{told}</text>\n'
    )


def _score(row: Row, ratio: float) -> float:
    """Return how many aims a ratio is worth."""
    return float(
        ratio / row["aim"] if row["bound"] == "at least" else row["aim"] / max(ratio, 1e-9)
    )


def _x(score: float) -> float:
    return round(LABEL + (WIDTH - LABEL - 60) * min(score, SCALE_END) / SCALE_END, 1)
