"""A card moves over with its gate: shown before, imported by a button, asked of whoever applies."""

from __future__ import annotations

import json
import urllib.request
from base64 import b64encode
from pathlib import Path

from tests.browser.conftest import Open
from tests.browser.test_looks import LOOKS, check
from tests.hub_cards import CARD
from tests.live import Demo

MODEL = "northfield/moved-over"
PAGE = "/own/northfield/moved-over/moved-over/card"


def test_a_card_is_imported_without_a_script_and_its_questions_are_asked(
    open_page: Open, demo: Demo, shots: Path
) -> None:
    made = demo.ask("/api/repos/create", "owner", {"name": MODEL})
    assert made.status == 200, made.body
    commit(demo, CARD.replace("gated: manual", "gated: maybe"))
    for look, (scheme, size) in LOOKS.items():
        page = open_page("owner", scheme=scheme, size=size)
        page.goto(PAGE)
        assert page.get_by_text("This card cannot be imported.").count() == 1
        check(page, shots / f"card-wrong-{look}.png", look)
    commit(demo, CARD)
    for look, (scheme, size) in LOOKS.items():
        page = open_page("owner", scheme=scheme, size=size)
        page.goto(PAGE)
        check(page, shots / f"card-{look}.png", look)
    plain = open_page("owner", script=False)
    plain.goto("/own/northfield/moved-over")
    plain.get_by_role("link", name="Import card").click()
    plain.get_by_role("button", name="Import the card").click()
    assert plain.get_by_text("has the gate of its card").count() == 1
    page = open_page("owner")
    page.goto(PAGE)
    assert page.get_by_text("Nothing to change.").count() == 1
    check(page, shots / "card-after-light.png", "light")
    for look, (scheme, size) in LOOKS.items():
        page = open_page("applicant", scheme=scheme, size=size)
        page.goto(f"/apply/{MODEL}")
        for label in ("Company", "Country", "Date of birth", "I will not share it"):
            assert page.get_by_label(label).count() == 1, label
        check(page, shots / f"card-apply-{look}.png", look)


def commit(demo: Demo, card: str) -> None:
    """Send a card as a client does."""
    file = {"path": "README.md", "content": b64encode(card.encode()).decode(), "encoding": "base64"}
    lines = [("header", {"summary": "Move over", "description": ""}), ("file", file)]
    request = urllib.request.Request(
        f"http://127.0.0.1:{demo.port}/api/models/{MODEL}/commit/main",
        b"".join(json.dumps({"key": k, "value": v}).encode() + b"\n" for k, v in lines),
        {
            "Authorization": f"Bearer {demo.logins['accounts']['owner']['token']}",
            "Content-Type": "application/x-ndjson",
        },
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200
