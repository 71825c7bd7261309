"""The compose files as Docker Compose reads them: merged, variables filled in.

Source: the Compose specification, sections merge and interpolation, as far as our files use them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DISK = ("docker-compose.yml",)
S3 = ("docker-compose.yml", "docker-compose.s3.yml")
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?::-([^}]*))?\})")
_ADDED_TO = {"configs", "networks", "ports", "tmpfs", "volumes"}


@dataclass(frozen=True, slots=True)
class Mount:
    """A named volume in a container."""

    volume: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the merged files."""

    name: str
    raw: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """Its variables."""
        return {key: str(value) for key, value in self.raw.get("environment", {}).items()}

    @property
    def mounts(self) -> list[Mount]:
        """Its volumes."""
        parts = [volume.split(":") for volume in self.raw.get("volumes", [])]
        return [Mount(part[0], part[1], part[2:] == ["ro"]) for part in parts]

    @property
    def configs(self) -> dict[str, str]:
        """Its files from the checkout: where they are, by the name of the config."""
        return {config["source"]: config["target"] for config in self.raw.get("configs", [])}

    @property
    def depends_on(self) -> dict[str, str]:
        """What it waits for, and for which condition."""
        return {name: on["condition"] for name, on in self.raw.get("depends_on", {}).items()}

    @property
    def is_ours(self) -> bool:
        """Say whether it runs our image."""
        return bool(self.raw["image"] == "gatekeeper:local")

    @property
    def stays(self) -> bool:
        """Say whether it is to run for ever."""
        return bool(self.raw["restart"] != "no")


@dataclass(frozen=True, slots=True)
class Project:
    """The merged files."""

    raw: Mapping[str, Any]

    @property
    def services(self) -> dict[str, Service]:
        """Every service by name."""
        return {name: Service(name, raw) for name, raw in self.raw["services"].items()}

    def in_order(self) -> Iterator[list[Service]]:
        """Go through the services in groups, each after those that it waits for."""
        left, done = self.services, set[str]()
        while left:
            ready = [name for name, one in left.items() if done >= one.depends_on.keys()]
            assert ready, f"they wait for each other, or for nobody: {left.keys()}"
            yield [left.pop(name) for name in ready]
            done.update(ready)


def read(files: tuple[str, ...], **variables: str) -> Project:
    """Read and merge compose files of the checkout."""
    merged: Any = {}
    for name in files:
        merged = _merge(merged, yaml.safe_load((ROOT / name).read_text()))
    return Project(_fill_in(merged, variables))


def _merge(under: Any, over: Any, key: str = "") -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        both = {k: _merge(under[k], over[k], k) for k in under.keys() & over.keys()}
        return under | over | both
    if isinstance(under, list) and isinstance(over, list) and key in _ADDED_TO:
        return under + over
    return over


def _fill_in(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _fill_in(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill_in(value, variables) for value in node]
    if not isinstance(node, str):
        return node

    def value(found: re.Match[str]) -> str:
        return found[1] or variables.get(found[2]) or found[3] or ""

    assert "$" not in _VARIABLE.sub("", node), node
    return _VARIABLE.sub(value, node)
