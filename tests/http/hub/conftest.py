"""How these tests speak the Hub's wire: as one caller, with a token or none."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gatekeeper.domain.people import Role, Scope, TokenId
from gatekeeper.services import members, tokens
from gatekeeper.services.publishing import releases
from tests.builders import World
from tests.cast import Member, context
from tests.rooms import depth

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run each test on Postgres with one set of its parameters; at full depth with all of them."""
    if depth(0, 1):
        return
    seen: set[tuple[str, str]] = set()
    again: list[pytest.Item] = []
    for item in items:
        if HERE not in item.path.parents or "postgres" not in item.name:
            continue
        key = str(item.path), item.name.partition("[")[0]
        (again.append(item) if key in seen else seen.add(key))
    config.hook.pytest_deselected(items=again)
    items[:] = [item for item in items if item not in again]


class Hub:
    """One caller with a token, or none."""

    def __init__(self, client: FlaskClient, member: Member | None, token: str = "") -> None:
        self.client = client
        self.token_id = TokenId("")
        self.headers = dict(member.headers) if member is not None else {}
        if token:
            self.headers = {"Authorization": f"Bearer {token}"}

    def post(self, path: str, body: Any) -> TestResponse:
        """Send JSON."""
        return self.client.post(path, json=body, headers=self.headers)

    def put(self, path: str, body: Any) -> TestResponse:
        """Send JSON."""
        return self.client.put(path, json=body, headers=self.headers)

    def delete(self, path: str) -> TestResponse:
        """Delete."""
        return self.client.delete(path, headers=self.headers)

    def commit(
        self, model: str, *lines: tuple[str, Any], branch: str = "main", **header: Any
    ) -> TestResponse:
        """Send a commit of these lines."""
        sent = [("header", {"summary": "Change", "description": "", **header}), *lines]
        return self.commit_raw(model, ndjson(*sent), branch)

    def commit_raw(self, model: str, body: bytes, branch: str = "main") -> TestResponse:
        """Send bytes as a commit."""
        kind = {"Content-Type": "application/x-ndjson", **self.headers}
        return self.client.post(f"/api/models/{model}/commit/{branch}", data=body, headers=kind)

    def files(self, model: str, revision: str = "main") -> dict[str, str]:
        """Return the files of a revision with what their ETags are."""
        answer = self.client.get(
            f"/api/models/{model}/tree/{revision}?recursive=true", headers=self.headers
        )
        return {item["path"]: item["oid"] for item in answer.get_json() if item["type"] == "file"}


def ndjson(*lines: tuple[str, Any]) -> bytes:
    """Write a commit's lines."""
    return b"".join(json.dumps({"key": k, "value": v}).encode() + b"\n" for k, v in lines)


def file(path: str, content: bytes) -> tuple[str, Mapping[str, str]]:
    """Write the line of a file that comes with the commit."""
    return "file", {
        "path": path,
        "content": base64.b64encode(content).decode(),
        "encoding": "base64",
    }


def elsewhere(world: World, client: FlaskClient) -> Hub:
    """Return a stranger to northfield who publishes in a namespace of their own."""
    somebody = world.cast["applicant"]
    releases.add_namespace(world.house, context(), "elsewhere", "Elsewhere")
    members.set_role(
        world.house, context(), "elsewhere", somebody.email, Role.PUBLISHER, remove=False
    )
    _, text = tokens.create(world.house, context(), somebody.id, "hub", Scope.WRITE, 1)
    return Hub(client, None, text)


@pytest.fixture
def owner(client: FlaskClient, world: World) -> Hub:
    """The owner, through a token that may write."""
    made, text = tokens.create(
        world.house, context(), world.cast["owner"].id, "hub", Scope.WRITE, 1
    )
    hub = Hub(client, None, text)
    hub.token_id = made.id
    return hub
