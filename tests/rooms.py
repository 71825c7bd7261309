"""How deep the tests go and which tools they need.

`GATEKEEPER_TEST_DEPTH=ci|full` scales counts;
`GATEKEEPER_TEST_REQUIRE=browser,postgres,redis,s3,nginx,hub`
turns the skip of a room whose tool is missing into a failure.
"""

import os
from typing import NoReturn

import pytest


def depth(ci: int, full: int) -> int:
    """Return how often to repeat: `ci` by default, `full` for the figures of an issue."""
    chosen = os.environ.get("GATEKEEPER_TEST_DEPTH", "ci")
    if chosen not in {"ci", "full"}:
        raise pytest.UsageError(f"GATEKEEPER_TEST_DEPTH is ci or full, not {chosen!r}")
    return full if chosen == "full" else ci


def is_required(tool: str) -> bool:
    """Say whether a missing tool is a failure."""
    return tool in os.environ.get("GATEKEEPER_TEST_REQUIRE", "").split(",")


def lacks(tool: str, why: str) -> NoReturn:
    """Skip a test whose tool is missing and say why; fail it where the tool is required."""
    if is_required(tool):
        pytest.fail(f"{tool} is required here and missing: {why}", pytrace=False)
    pytest.skip(f"no {tool}: {why}")
