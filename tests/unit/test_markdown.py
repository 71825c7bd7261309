"""Markdown that people wrote can do nothing but be read."""

from __future__ import annotations

import pytest

from gatekeeper.web.pages.markdown import markdown


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](data:text/html,<script>alert(1)</script>)",
        "[a](vbscript:x)",
        '[a](/x "onmouseover=alert(1)")',
        "<a href='javascript:alert(1)'>a</a>",
        "![a](javascript:alert(1))",
        '![a"onerror="alert(1)](x)',
        '<https://x.example/"onclick=alert(1)>',
        "<style>*{display:none}</style>",
        "<svg/onload=alert(1)>",
        "```html\n<script>alert(1)</script>\n```",
    ],
)
def test_nothing_in_it_runs(attack: str) -> None:
    html = str(markdown(attack))
    assert "<script" not in html
    assert "<img" not in html
    assert "<svg" not in html
    assert "<style" not in html
    assert 'href="javascript' not in html.lower()
    assert 'href="data' not in html.lower()
    assert " onerror=" not in html.replace("&quot;", '"').split(">")[0]


def test_pictures_become_their_description() -> None:
    html = str(markdown("![A chart of hits](https://tracker.example/x.png)"))
    assert "A chart of hits" in html
    assert "tracker.example" not in html


def test_links_lead_away_without_telling_from_where() -> None:
    html = str(markdown("[paper](https://paper.example/)"))
    assert 'href="https://paper.example/"' in html
    assert 'rel="nofollow noopener"' in html


def test_front_matter_is_left_out_and_headings_leave_room_for_the_pages_own() -> None:
    html = str(markdown("---\nlicense: other\n---\n# Title\n\n## Part\n\ntext\n\n---\n\nmore"))
    assert "license" not in html
    assert "<h2>Title</h2>" in html
    assert "<h3>Part</h3>" in html
    assert "<hr>" in html


def test_tables_are_tables_without_inline_style() -> None:
    html = str(markdown("|a|b|\n|-|-:|\n|1|2|"))
    assert "<table>" in html
    assert "style" not in html
