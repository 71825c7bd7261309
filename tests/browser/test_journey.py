"""The main path in Chromium: register, verify, apply, agree, approve as another person, download.

Once with JavaScript and once without: every page works without it.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Open
from tests.live import Demo

MODEL, TITLE, FILE = "northfield/lyra-1558m", "Lyra 1558M", "config.json"
PASSWORD = "four plain words here"


def verify_by_mail(page: Any, email: str) -> None:
    """Follow the verifying mail as /dev/mail shows it, once it is there."""
    for _ in range(40):
        page.goto("/dev/mail")
        link = page.locator(f'li:has-text("{email}") a[href*="/verify/"]')
        if link.count():
            page.goto(link.first.get_attribute("href"))
            page.get_by_role("button", name="Verify my address").click()
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"no verifying mail to {email}")


def register(page: Any, username: str) -> str:
    """Open and verify an account and sign in with it; return its address."""
    email = f"{username}@longvale-university.example"
    page.goto("/register")
    page.get_by_label("Full name").fill("Noa Lindqvist")
    page.get_by_label("Mail address").fill(email)
    page.get_by_label("Affiliation").fill("Longvale University")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Register").click()
    verify_by_mail(page, email)
    page.goto("/sign-in")
    page.get_by_label("Mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    return email


def fill_form(page: Any) -> None:  # noqa: C901  one loop a kind of control
    """Answer every question of the research form and sign."""
    page.get_by_label("What will you use it for?").fill("Measuring a detector on student essays")
    page.get_by_label("One sentence for the public").fill("A detector is measured on essays.")
    form = page.locator("form[data-autosave]")
    for box in form.locator("textarea").all():
        if not box.input_value():
            box.fill("Two people, one encrypted server, deleted at the end of the study.")
    for choice in form.locator('fieldset:has(input[type="radio"])').all():
        choice.locator('input[type="radio"]').first.check()
    for select in form.locator("select").all():
        name = select.get_attribute("name") or ""
        select.select_option(
            "SE" if "country" in name else select.locator("option").nth(1).get_attribute("value")
        )
    for box in form.locator('input[type="text"]').all():
        if not box.input_value():
            box.fill("No: the open model is recognised by its style.")
    for day in form.locator('input[type="date"]').all():
        day.fill("2027-06-30")
    for tick in form.locator('input[type="checkbox"]').all():
        tick.check()
    page.get_by_label("Type your full name to sign").fill("Noa Lindqvist")


@pytest.mark.parametrize("script", [True, False], ids=["with-javascript", "without"])
def test_from_registering_to_the_file(
    open_page: Open, demo: Demo, tmp_path: Path, script: bool
) -> None:
    username = f"noa-{'js' if script else 'plain'}"
    researcher = open_page(script=script)
    register(researcher, username)

    researcher.goto(f"/{MODEL}")
    assert researcher.get_by_text("Lyra 355M").count()  # the open sibling is named
    researcher.goto(f"/apply/{MODEL}")
    fill_form(researcher)
    researcher.get_by_role("button", name="Sign and submit").click()
    researcher.wait_for_url(re.compile(r"/applications/GK-\w{7}"))
    case = re.search(r"GK-\w{7}", researcher.url)
    assert case is not None

    assert demo.ask(f"/{MODEL}/resolve/main/{FILE}", "applicant").status == 403

    approver = open_page("approver", script=script)
    approver.goto(f"/review/{case[0]}")
    assert approver.get_by_text("Measuring a detector on student essays").count()
    approver.locator('summary[data-key="a"]').click()
    approver.locator(
        'details:has(summary[data-key="a"]) button[type="submit"], '
        'details:has(summary[data-key="a"]) button:not([type])'
    ).first.click()
    approver.wait_for_load_state()
    assert approver.get_by_text(re.compile("approved", re.IGNORECASE)).count()

    researcher.goto(f"/access/{MODEL}")
    assert researcher.get_by_text("HF_ENDPOINT").count()
    row = researcher.locator(f'tr:has-text("{FILE}")')
    with researcher.expect_download() as downloading:
        row.get_by_role("button", name="Download").or_(
            row.get_by_role("link", name="Download")
        ).first.click()
    got = tmp_path / "got"
    downloading.value.save_as(got)
    described = json.loads((demo.data / "demo.json").read_text())
    model = next(m for m in described["models"] if m["id"] == MODEL)
    expected = next(f["sha256"] for f in model["files"] if f["path"] == FILE)
    assert hashlib.sha256(got.read_bytes()).hexdigest() == expected
    assert downloading.value.suggested_filename == FILE


def test_a_page_that_went_stale_keeps_what_was_typed(open_page: Open) -> None:
    first, second = open_page("approver"), open_page("approver2")
    first.goto("/review")
    address = first.locator('[data-item] a[href*="/review/GK-"]').first.get_attribute("href")
    for page in (first, second):
        page.goto(address)
    first.locator('summary[data-key="q"]').click()
    first.locator('details:has(summary[data-key="q"]) textarea').fill("Where are the weights kept?")
    first.locator('details:has(summary[data-key="q"]) button').last.click()
    first.wait_for_load_state()
    typed = "A long and careful reason that must not be lost."
    second.locator('summary[data-key="d"]').click()
    second.locator('details:has(summary[data-key="d"]) textarea').first.fill(typed)
    second.locator(
        'details:has(summary[data-key="d"]) select, '
        'details:has(summary[data-key="d"]) input[type=radio]'
    ).first.evaluate(
        "e => { if (e.tagName === 'SELECT') e.selectedIndex = 1; else e.checked = true; }"
    )
    with second.expect_response(lambda r: r.request.method == "POST") as answered:
        second.locator('details:has(summary[data-key="d"]) button').last.click()
    assert answered.value.status == 409
    second.wait_for_load_state()
    assert typed in second.content()
