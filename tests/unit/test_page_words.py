"""Days, durations, sizes and paths as pages write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from gatekeeper.web.pages import filters
from gatekeeper.web.pages.entries import title_of
from gatekeeper.web.pages.frame import own_path

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_day_says_itself_to_machines_too() -> None:
    assert filters.day(date(2026, 11, 2)) == '<time datetime="2026-11-02">2 Nov 2026</time>'
    assert ">22 Nov 2026, 12:00 UTC<" in filters.moment(NOW)


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=9, minutes=59), "9 h ago"),
        (timedelta(days=2), "2 d ago"),
        (timedelta(days=40), "13 Oct 2026"),
        (-timedelta(days=3), "in 3 d"),
    ],
)
def test_a_moment_is_told_by_its_distance(distance: timedelta, words: str) -> None:
    assert f">{words}<" in filters.ago(NOW - distance, NOW)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (950, "950 B"), (1000, "1 kB"), (8_100_000, "8.1 MB"), (999_999, "1 MB"),
     (123_456_789, "123 MB"), (91_000_000_000, "91 GB")],
)  # fmt: skip
def test_sizes_are_decimal(size: int, words: str) -> None:
    assert filters.size(size) == words


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Tomás Rieger", "TR"), ("Cher", "C"), ("Ada B. King", "AK"), ("", "?")],
)
def test_initials_are_of_the_first_and_the_last_word(name: str, letters: str) -> None:
    assert filters.initials(name) == letters


def test_a_kind_reads_as_a_sentence() -> None:
    assert title_of("GrantRevoked") == "Grant revoked"
    assert title_of("ApplicationApprovedFirst") == "Application approved first"


@pytest.mark.parametrize("path", ["//e", "/\\e", "/\te", "/a\nb", "http://e", "", "e", None])
def test_a_path_of_another_site_is_none_of_ours(path: str | None) -> None:
    assert own_path(path, "/home") == "/home"
