"""A headless Chromium of the system's and a demo to walk through."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.live import Demo, free_port, start, stop
from tests.rooms import lacks

CHROMIUM = (
    os.environ.get("GATEKEEPER_TEST_CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip
DESK, PHONE = (1360, 900), (390, 844)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Start Chromium once; skip where it or its driver is missing."""
    if CHROMIUM is None:
        lacks("browser", "no chromium on the PATH")
    if importlib.util.find_spec("playwright") is None:
        lacks("browser", "playwright is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo of this session's own."""
    data, port = tmp_path_factory.mktemp("demo") / "data", free_port()
    process, output = start(data, port)
    try:
        yield Demo(data, port, output)
    finally:
        stop(process)


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: GATEKEEPER_TEST_SHOTS, to be looked at beside the mock-ups."""
    chosen = os.environ.get("GATEKEEPER_TEST_SHOTS")
    where = Path(chosen) if chosen else tmp_path_factory.mktemp("shots")
    where.mkdir(parents=True, exist_ok=True)
    return where


Open = Callable[..., Any]


@pytest.fixture(scope="session")
def signed_in(chromium: Any, demo: Demo) -> Callable[[str], Any]:
    """What a browser keeps of an account that signed in, done once: `signed_in("approver")`."""

    @cache
    def state(account: str) -> Any:
        context = chromium.new_context(base_url=f"http://127.0.0.1:{demo.port}")
        sign_in(context.new_page(), demo, account)
        kept = context.storage_state()
        context.close()
        return kept

    return state


@pytest.fixture
def open_page(chromium: Any, demo: Demo, signed_in: Callable[[str], Any]) -> Iterator[Open]:
    """Open a page as somebody: `open_page("approver", scheme="dark", size=PHONE, script=False)`."""
    contexts = []

    def open_as(
        account: str = "",
        *,
        scheme: str = "light",
        size: tuple[int, int] = DESK,
        script: bool = True,
    ) -> Any:
        context = chromium.new_context(
            base_url=f"http://127.0.0.1:{demo.port}",
            color_scheme=scheme,
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
            viewport={"width": size[0], "height": size[1]},
            java_script_enabled=script,
            accept_downloads=True,
            storage_state=signed_in(account) if account else None,
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        return context.new_page()

    yield open_as
    for context in contexts:
        context.close()


def sign_in(page: Any, demo: Demo, account: str) -> None:
    """Sign in with a demo account."""
    login = demo.logins["accounts"][account]
    page.goto("/sign-in")
    page.get_by_label("Mail address").fill(login["email"])
    page.get_by_label("Password").fill(login["password"])
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: not url.endswith("/sign-in"))
