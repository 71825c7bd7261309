"""docs/wire.md names every call of each generation of the client, and says which has it not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.test_docs import rows, section
from tests.wire.clients import VERSIONS, Client, python_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "wire.md").read_text()
SECTIONS = (
    "Reading", "Writing", "Branches and tags", "Large files", "Repositories",
    "Gate administration", "Login",
)  # fmt: skip
UNSPOKEN = "Not offered"


def calls(text: str) -> list[str]:
    """Return what could be names of calls."""
    return re.findall(r"`([a-z_]+)`", text)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_call_of_a_client_stands_in_one_of_the_tables(version: str, tmp_path: Path) -> None:
    client = Client(version, python_of(version), tmp_path)
    script = "tell([n for n in dir(HfApi) if not n.startswith('_')])"
    known = set(client.run(script))
    column = 1 + list(VERSIONS).index(version)
    table = [row for title in SECTIONS for row in rows(section(PAGE, title))]
    answers = {name: row[column] for row in table for name in calls(row[0])}
    assert known <= set(answers) | set(calls(section(PAGE, UNSPOKEN)))
    for name in known & set(answers):
        assert not answers[name].startswith("no such call"), name
    has_not = {name for name, answer in answers.items() if answer.startswith("no such call")}
    assert not has_not & known
    assert {n for n in answers if "_" in n} - known <= has_not | {
        "read_text",
        "parent_commit",
        "hf_xet",
    }


def test_what_holds_the_rows_is_there() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", PAGE)
    assert named
    assert all((ROOT / path).exists() for path in named)
