"""How these tests call the API: as one of the cast, with a bearer token and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.people import Scope
from gatekeeper.services import agreements, tokens
from gatekeeper.services.ports import House
from tests.builders import World
from tests.cast import Member, context


@dataclass(frozen=True, slots=True)
class Api:
    """One caller; every method answers the response, `get_json` and the like included."""

    client: FlaskClient
    headers: Mapping[str, str] = field(default_factory=dict)

    def get(self, path: str, **asked: Any) -> TestResponse:
        """Ask; keywords make the query string."""
        return self.client.get(
            f"/api/v1/{path}", headers=dict(self.headers), query_string=asked or None
        )

    def post(self, path: str, body: Any = None, *, key: str = "") -> TestResponse:
        """Send JSON, under an idempotency key when there is one."""
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        return self.client.post(f"/api/v1/{path}", json=body or {}, headers=headers)

    def patch(self, path: str, body: Any) -> TestResponse:
        """Send JSON."""
        return self.client.patch(f"/api/v1/{path}", json=body, headers=dict(self.headers))


As = Callable[[Member | None], Api]


@pytest.fixture
def as_(client: FlaskClient) -> As:
    """Call as one of the cast, or as nobody."""
    return lambda member: Api(client, member.headers if member is not None else {})


def through(world: World, as_: As, member: Member, scope: Scope) -> Api:
    """Call as a member through a token of one scope."""
    _, text = tokens.create(world.house, context(), member.id, scope, scope, 1)
    return Api(as_(None).client, {"Authorization": f"Bearer {text}"})


@pytest.fixture
def acceptance(house: House) -> Callable[[Member, AgreementId], dict[str, Any]]:
    """The body that accepts the version of an agreement in force."""

    def body(member: Member, agreement_id: AgreementId) -> dict[str, Any]:
        current = agreements.show(house, agreement_id)
        ids = [clause.id for clause in current.clauses]
        return {"sha256": current.sha256, "clauses": ids, "typed_name": member.name}

    return body
