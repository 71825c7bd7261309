"""The documents name what the code has: settings, commands, tiers, states, reasons, dependencies.

Not here: whether a sentence is true; its author ran what it quotes.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any

import click
import pytest

from gatekeeper.cli import main
from gatekeeper.domain.access import ClauseState, Reason
from gatekeeper.domain.applications import ApplicationState, Outcome, RejectReason
from gatekeeper.domain.grants import EndReason, GrantState
from gatekeeper.domain.people import Role, Scope, SiteRole
from tests.unit.made import TIERS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
OPERATING = (ROOT / "docs" / "operating.md").read_text()
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
DEPENDENCIES = (ROOT / "docs" / "adr" / "0001-dependencies.md").read_text()
DEFAULTS: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "config/default.toml").read_text())


def keys_of(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Go through the keys of a table and of those inside it, dotted, with their values."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from keys_of(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


KEYS = dict(keys_of(DEFAULTS))


def section(text: str, title: str) -> str:
    """Return what stands under a heading, up to the next of its level."""
    level = next(line.split()[0] for line in text.splitlines() if line.endswith(f"# {title}"))
    after = text.split(f"{level} {title}\n", 1)[1]
    return re.split(rf"^{level} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row but head and rule."""
    found = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return [row for row in found[1:] if not row[0].startswith("---") and row != found[0]]


def leaves(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Go through every command with its full name, as `grant list`."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


COMMANDS = dict(leaves(main))


def options(command: click.Command) -> set[str]:
    """Return the long options of a command, help excepted."""
    options = (p for p in command.params if isinstance(p, click.Option))
    return {o for p in options for o in p.opts if o.startswith("--")} - {"--help"}


# --- settings -------------------------------------------------------------------------------------


def test_every_setting_stands_in_the_table_with_its_default() -> None:
    table = {row[0].strip("`"): row[1].strip("`") for row in rows(section(OPERATING, "Settings"))}
    assert table.keys() == KEYS.keys()
    for key, default in KEYS.items():
        if isinstance(default, list):
            assert table[key].startswith(f'["{default[0]}"'), key
        else:
            assert json.loads(table[key]) == default, key


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_variable_a_document_names_is_a_setting(document: Path) -> None:
    named = set(re.findall(r"GATEKEEPER_([A-Z0-9]+__[A-Z0-9_]+)", document.read_text()))
    known = {key.replace(".", "__").upper() for key in KEYS}
    assert {name.removesuffix("_FILE") for name in named} <= known


# --- commands -------------------------------------------------------------------------------------


def test_every_command_stands_in_the_table_with_its_options() -> None:
    described: dict[str, set[str]] = {}
    for row in rows(section(OPERATING, "Commands")):
        for part in row[0].split("·"):
            name, *flags = re.findall(r"`([^`]+)`", part)
            described[name] = set(flags)
    assert described == {name: options(command) for name, command in COMMANDS.items()}


def quoted_commands() -> Iterator[tuple[str, list[str]]]:
    """Go through each `gatekeeper …` line of the shell blocks, with the document it stands in."""
    for document in DOCUMENTS:
        for block in re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words and words[0].rpartition("/")[2] == "gatekeeper":
                    yield document.name, words[1:]


@pytest.mark.parametrize(
    ("document", "words"),
    list(quoted_commands()),
    ids=lambda v: " ".join(v) if isinstance(v, list) else v,
)
def test_a_quoted_command_can_be_typed(document: str, words: list[str]) -> None:
    if words[0] == "--data":
        words = words[2:]
    name = words[0] if words[0] in COMMANDS else " ".join(words[:2])
    assert name in COMMANDS, document
    typed = {word for word in words if word.startswith("--")}
    assert typed <= options(COMMANDS[name]), document


# --- words ----------------------------------------------------------------------------------------

WORDS: list[type[StrEnum]] = [
    ApplicationState, ClauseState, EndReason, GrantState, Outcome, Reason, RejectReason, Scope,
]  # fmt: skip


@pytest.mark.parametrize("words", WORDS, ids=lambda enum: enum.__name__)
def test_every_state_and_reason_stands_in_the_glossary(words: type[StrEnum]) -> None:
    assert set(words) <= set(re.findall(r"`([a-z_]+)`", GLOSSARY))


def test_every_role_stands_in_the_glossary() -> None:
    described = {word for row in rows(section(GLOSSARY, "People")) for word in row[0].split(", ")}
    assert set(chain(Role, SiteRole)) <= described


def test_every_tier_is_described_as_it_is_set() -> None:
    words = {row[0]: row[1] for row in rows(section(GLOSSARY, "Tiers"))}
    assert words == {tier.code: tier.word for tier in TIERS}
    numbers = {
        row[0]: (row[1], row[2], row[4], row[3]) for row in rows(section(OPERATING, "Tiers"))
    }
    for tier in TIERS:
        word, approvals, ttl, grant = numbers[tier.code]
        assert (word, int(approvals)) == (tier.word, tier.approvals)
        assert ttl == f"{tier.link_ttl_seconds} s"
        assert grant.startswith(f"{tier.grant_days} days" if tier.is_granted else "no grant")


# --- dependencies ---------------------------------------------------------------------------------


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[<>=~]", line)[0] for line in needed if "gatekeeper[" not in line}
    assert {row[0] for row in rows(section(DEPENDENCIES, "Decision"))} == names


# --- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        page = document.parent / path if path else document
        assert page.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
            assert anchor in {_anchor(title) for title in titles}, target


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")
