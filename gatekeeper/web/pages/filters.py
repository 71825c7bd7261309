"""Template filters: days, moments, durations, sizes and hashes as people read them.

Every time is UTC and stands in a <time> element. Not here: which values a page shows (its module).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

from markupsafe import Markup

_TIME = Markup('<time datetime="{at}" title="{full}">{text}</time>')
_FAR = timedelta(days=30)


def day(on: date) -> Markup:
    """Return `20 Nov 2026`, of a date or of the UTC day of a moment."""
    return Markup('<time datetime="{on}">{text}</time>').format(
        on=on.strftime("%Y-%m-%d"), text=_day(on)
    )


def moment(at: datetime) -> Markup:
    """Return `20 Nov 2026, 14:05 UTC`."""
    return _TIME.format(at=_iso(at), full=_iso(at), text=_moment(at))


def ago(at: datetime, now: datetime) -> Markup:
    """Return `3 h ago` or `in 2 d`; the day itself beyond thirty days."""
    distance = abs(now - at)
    if distance < timedelta(minutes=1):
        text = "just now"
    elif distance > _FAR:
        text = _day(at)
    else:
        text = f"{days(distance)} ago" if at < now else f"in {days(distance)}"
    return _TIME.format(at=_iso(at), full=_moment(at), text=text)


def days(length: timedelta | int) -> str:
    """Return a duration in its largest unit: `2 d`, `9 h`, `5 min`; a number counts days."""
    if not isinstance(length, timedelta):
        return f"{length} d"
    minutes = int(length.total_seconds()) // 60
    if minutes >= 24 * 60:
        return f"{minutes // (24 * 60)} d"
    return f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min"


def size(size_bytes: int) -> str:
    """Return a decimal size with three digits that count: `3.1 MB`, `950 B`."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 999.5 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.5 else f"{amount:.3g} {unit}"


def short_sha(digest: str) -> str:
    """Return the first twelve hex digits: enough to recognise, too few to verify."""
    return digest[:12]


def initials(name: str) -> str:
    """Return the first letters of the first and the last word, in capitals."""
    words = name.split()
    ends = words[:1] + words[1:][-1:]
    return "".join(word[0] for word in ends).upper() or "?"


FILTERS: Mapping[str, Callable[..., str]] = {
    "day": day,
    "moment": moment,
    "days": days,
    "size": size,
    "short_sha": short_sha,
    "initials": initials,
}


def _day(on: date) -> str:
    return f"{on.day} {on:%b %Y}"


def _moment(at: datetime) -> str:
    return f"{_day(at)}, {at:%H:%M} UTC"


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
