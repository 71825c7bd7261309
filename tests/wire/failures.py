"""What the server saw during a test that failed, kept where it can be read afterwards.

In `var/wire-failures`, or the folder that GATEKEEPER_TEST_ARTIFACTS names; one file a test.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "var" / "wire-failures"
BEGUN = pytest.StashKey[Mapping[Path, int]]()


def begin(item: pytest.Item, logs: list[Path]) -> None:
    """Note where each server's log of requests ends before a test."""
    # A server that has only just begun to listen has not opened its log.
    item.stash[BEGUN] = {log: log.stat().st_size if log.exists() else 0 for log in logs}


def keep(item: pytest.Item) -> Path | None:
    """Write down what was asked since; None where the test has no server."""
    begun = item.stash.get(BEGUN, {})
    if not begun:
        return None
    folder = Path(os.environ.get("GATEKEEPER_TEST_ARTIFACTS") or FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / (re.sub(r"[^\w.-]+", "-", item.nodeid).strip("-") + ".log")
    kept.write_bytes(
        b"".join(log.read_bytes()[start:] for log, start in begun.items() if log.exists())
    )
    return kept
