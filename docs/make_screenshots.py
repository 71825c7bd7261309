# ruff: noqa: INP001  a script beside the documents, not a package
"""Takes the README's pictures from a running demo (`make run`, then `make screenshots`).

Uses the installed Chromium if there is one, else the browser Playwright brings. A picture over 200
KB fails: the README is meant to load at once.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parent / "images"
SIZE = {"width": 1200, "height": 750}
MAX_BYTES = 200_000
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main(site: str) -> None:
    """Take each picture in light and dark."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for scheme in SCHEMES:
            _take(browser, f"{site}/", IMAGES / f"catalogue-{scheme}.png", scheme)
        browser.close()


def _take(browser: Browser, address: str, into: Path, scheme: Literal["light", "dark"]) -> None:
    page = browser.new_page(viewport=SIZE, color_scheme=scheme)
    answer = page.goto(address, wait_until="networkidle")
    if answer is None or not answer.ok:
        sys.exit(f"{address} does not answer with a page; is the demo running?")
    page.screenshot(path=into)
    page.close()
    if into.stat().st_size > MAX_BYTES:
        sys.exit(f"{into} has {into.stat().st_size} bytes; at most {MAX_BYTES} are wanted")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8000")
