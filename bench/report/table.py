"""The tables of docs/performance.md, between its markers; everything else there is prose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.report.results import Row

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
# Figures whose names begin with the word have a table of their own.
_APART = {
    "growth": "Growth, from a hundred of everything to the largest size measured:",
    "listing": "The Hub's list of 10,000 models, a hundred a page, every card read anew:",
}
_HEAD = (
    "| what | beside | ratio (spread) | floor | aim | ours | anchor | unit |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def put(document: Path, rows: Sequence[Row], picture: str) -> None:
    """Replace what stands between the markers of a document."""
    text = document.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    document.write_text(f"{before}{BEGIN}\n{_tables(rows, picture)}{END}{after}")


def verdict(row: Row) -> str:
    """Say in a word how a figure stands: aim, floor, below, or nothing where there is no bound."""
    if row["bound"] == "none":
        return ""
    if _holds(row, row["aim"]):
        return "aim"
    return "floor" if _holds(row, row["floor"]) else "below"


def apart(row: Row) -> str:
    """Return under which word a figure has a table of its own, '' for most."""
    return next((word for word in _APART if str(row["name"]).startswith(word)), "")


def line(row: Row) -> str:
    """Write one row of the table."""
    mark = {"aim": "**", "floor": "", "below": "**✗ ", "": ""}[verdict(row)]
    close = "**" if mark else ""
    ratio = f"{mark}{_short(row['ratio'])}{close}"
    if row["spread"][0] != row["spread"][1]:
        ratio += f" ({_short(row['spread'][0])}–{_short(row['spread'][1])})"
    cells = (
        row["name"], row["anchor"], ratio, _limit(row, "floor"), _limit(row, "aim"),
        _side(row, "ours"), _side(row, "anchor"), row["unit"],
    )  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def _tables(rows: Sequence[Row], picture: str) -> str:
    bound = [row for row in rows if row["bound"] != "none" and not apart(row)]
    others = [row for row in rows if row["bound"] == "none"]
    machines = sorted({f"{row['machine']}; {row['measured_at'][:10]}" for row in rows})
    parts = [
        f"\nMeasured on {' · '.join(machines)}.\n\n",
        f"![Each ratio beside its floor and its aim]({picture})\n\n",
        f"{_HEAD}{''.join(map(line, bound))}\n",
        *(
            f"{title}\n\n{_HEAD}{''.join(map(line, found))}\n"
            for word, title in _APART.items()
            if (found := [row for row in rows if apart(row) == word])
        ),
        "Without a floor, for comparison:\n\n" if others else "",
        f"{_HEAD}{''.join(map(line, others))}\n" if others else "",
        *(
            f"- {row['name']}: {_aside(row)}\n"
            for row in rows
            if apart(row) != "growth" and _aside(row)
        ),
    ]
    return "".join(parts) + "\n"


def _aside(row: Row) -> str:
    extra = [f"{name} {_short(value)}" for name, value in row["extra"].items()]
    return "; ".join([*extra, *([row["note"]] if row["note"] else [])])


def _holds(row: Row, limit: float) -> bool:
    return bool(row["ratio"] >= limit if row["bound"] == "at least" else row["ratio"] <= limit)


def _limit(row: Row, which: str) -> str:
    if row["bound"] == "none":
        return ""
    sign = "≥" if row["bound"] == "at least" else "≤"
    return f"{sign} {_short(row[which])}"


def _side(row: Row, side: str) -> str:
    return _short(median(row["values"][side]))


def _short(value: float) -> str:
    """Write a number with three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
