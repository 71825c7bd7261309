"""Who administers the requests of one model over the Hub's wire, or tries to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gatekeeper.domain.applications import Application
from gatekeeper.services.applications import reading
from tests.builders import WEIGHTS, World
from tests.cast import Member, context
from tests.http.hub.conftest import Hub

Ask = Callable[[str], "Desk"]
NO_REQUEST = "No access request found matching your criteria"


class Desk(Hub):
    """Somebody who administers the requests of one model, or tries to."""

    model = "northfield/lyra-t3"

    def list(self, status: str = "pending", **asked: Any) -> TestResponse:
        """List requests."""
        path = f"/api/models/{self.model}/user-access-request/{status}"
        return self.client.get(path, headers=self.headers, query_string=asked)

    def names(self, status: str = "pending", **asked: Any) -> list[str]:
        """Return whose requests are listed."""
        answer = self.list(status, **asked)
        assert answer.status_code == 200, answer.text
        return [item["user"]["user"] for item in answer.get_json()]

    def send(self, call: str, **body: Any) -> TestResponse:
        """Send one of the calls."""
        return self.post(f"/api/models/{self.model}/user-access-request/{call}", body)

    def handle(self, member: Member, status: str, **more: Any) -> TestResponse:
        """Decide about one person."""
        return self.send("handle", user=member.username, status=status, **more)

    def ask(self, sent: Any = None, **form: str) -> TestResponse:
        """Ask for access, by JSON or a form."""
        return self.client.post(
            f"/{self.model}/ask-access", json=sent, data=form or None, headers=self.headers
        )


def fetches(world: World, member: Member, client: FlaskClient, key: str = "T3") -> bool:
    """Say whether somebody gets the weights."""
    path = f"/{world.models[key].full_name}/resolve/main/{WEIGHTS}"
    answer = client.get(path, headers=member.headers)
    answer.get_data()
    answer.close()
    return answer.status_code == 200


def case_of(world: World, member: Member) -> Application:
    """Return somebody's newest application."""
    return reading.mine(world.house, context(member.actor)).applications[0]


def assert_refused(answer: TestResponse, status: int, *words: str, code: str | None = None) -> None:
    """Assert a refusal in words, with or without the code of the clients' exceptions."""
    assert answer.status_code == status, answer.text
    assert answer.headers.get("X-Error-Code") == code
    said = answer.headers["X-Error-Message"]
    assert all(word in said for word in words), said
    assert answer.get_json() == {"error": said}


@pytest.fixture
def ask(client: FlaskClient, world: World) -> Ask:
    """Speak as one of the cast, '' for nobody."""
    return lambda key: Desk(client, world.cast[key] if key else None)


@pytest.fixture
def approver(ask: Ask) -> Desk:
    """An approver with a token for review."""
    return ask("approver")
