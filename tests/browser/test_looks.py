"""Every page in light, dark and phone width: no axe violation, no sideways scroll, under 60 KB.

Screenshots are kept where GATEKEEPER_TEST_SHOTS says, to be looked at beside the mock-ups.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.app import make_house
from gatekeeper.settings import load
from tests import builders
from tests.browser.conftest import DESK, PHONE, Open
from tests.live import Demo

PAGES = {
    "catalogue": ("", "/"),
    "release": ("", "/releases/northfield/lyra"),
    "release-parley": ("applicant", "/releases/parley/parley"),
    "model-open": ("", "/northfield/lyra-124m"),
    "model-gated": ("applicant", "/northfield/lyra-1558m"),
    "model-withheld": ("", "/timbre/timbre-clone"),
    "tree": ("", "/northfield/lyra-1558m/tree/main"),
    "sign-in": ("", "/sign-in"),
    "register": ("", "/register"),
    "reset": ("", "/reset"),
    "account": ("researcher", "/account"),
    "record": ("researcher", "/account/record"),
    "own": ("owner", "/own/northfield/lyra"),
    "own-form": ("owner", "/own/northfield/lyra/lyra-1558m/form"),
    "apply": ("applicant", "/apply/northfield/lyra-1558m"),
    "apply-agreement": ("applicant", "/apply/northfield/lyra-774m"),
    "agreement": ("applicant", "/agreements/research-use"),
    "applications": ("researcher", "/applications"),
    "applications-empty": ("applicant", "/applications"),
    "access": ("researcher", "/access"),
    "access-model": ("researcher", "/access/northfield/lyra-1558m"),
    "access-empty": ("stranger", "/access"),
    "device": ("researcher", "/device"),
    "queue": ("approver", "/review"),
    "audit": ("compliance", "/audit"),
    "api": ("", "/docs/api"),
    "api-shapes": ("", "/docs/api/shapes"),
    "mail": ("", "/dev/mail"),
    "admin-mail-empty": ("admin", "/admin/mail"),
    "not-found": ("", "/nobody/nothing"),
    "refused": ("applicant", "/audit"),
}
LOOKS = {"light": ("light", DESK), "dark": ("dark", DESK), "phone": ("light", PHONE)}
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
# In the dark a page is what it is in the light, in other colours.
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits(open_page: Open, shots: Path, name: str) -> None:
    account, path = PAGES[name]
    for look, (scheme, size) in LOOKS.items():
        page = open_page(account, scheme=scheme, size=size)
        answer = page.goto(path)
        most = 90_000 if name.startswith("api") else 60_000  # the one page of every call
        assert len(answer.body()) < most, f"{name} is {len(answer.body())} bytes"
        check(page, shots / f"{name}-{look}.png", look)


@pytest.mark.parametrize("look", LOOKS)
def test_a_dossier_and_an_application_are_accessible_and_fit(
    open_page: Open, shots: Path, look: str
) -> None:
    scheme, size = LOOKS[look]
    page = open_page("approver", scheme=scheme, size=size)
    page.goto("/review")
    page.goto(page.locator('[data-item] a[href*="/review/GK-"]').first.get_attribute("href"))
    check(page, shots / f"dossier-{look}.png", look)
    page = open_page("researcher", scheme=scheme, size=size)
    page.goto("/applications")
    page.goto(page.locator('a[href*="/applications/GK-"]').first.get_attribute("href"))
    check(page, shots / f"application-{look}.png", look)


def test_mail_that_was_given_up_is_listed_accessibly_and_tried_again(
    open_page: Open, demo: Demo, shots: Path
) -> None:
    house = make_house(load()[0], demo.data, demo=True)
    with house.db.reading() as read:
        people = [person.id for letter in "abcdefgh" for person in read.people.search(letter)]
    builders.give_up_mail(house, people[:4])
    house.db.close()
    for look, (scheme, size) in LOOKS.items():
        page = open_page("admin", scheme=scheme, size=size)
        page.goto("/admin/mail")
        assert page.get_by_role("button", name="Try again").count() >= 4
        check(page, shots / f"admin-mail-{look}.png", look)
    page.get_by_role("button", name="Try again").first.click()
    page.get_by_text("1 mail is tried again.").wait_for()
    page.get_by_role("button", name="Try all again").click()
    assert page.get_by_text("Nothing was given up").count()


def check(page: Any, shot: Path, look: str) -> None:
    """Take the picture where it is wanted, then ask axe and the layout."""
    from axe_playwright_python.sync_playwright import Axe

    if os.environ.get("GATEKEEPER_TEST_SHOTS"):
        page.screenshot(path=str(shot), full_page=True)
    asked = COLOURS if look == "dark" else RULES
    options = {"runOnly": asked, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == [], f"{shot.name} ({look})"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), shot.name


def test_no_page_asks_another_host_and_none_breaks_the_policy(open_page: Open) -> None:
    page = open_page("researcher")
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    for account_path in PAGES.values():
        page.goto(account_path[1])
    assert {url.split("/")[2].split(":")[0] for url in asked} == {"127.0.0.1"}
    assert [c for c in complaints if "Content Security Policy" in c] == []
