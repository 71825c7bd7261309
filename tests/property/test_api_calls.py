"""Random calls of every operation of the OpenAPI document, one by one and in sequences.

Schemathesis makes them from the document alone: what fits it, what breaks one rule of it, and what
one answer gives to put into the next call. Whoever calls, no answer is a 5xx, and each is one that
the document promises: status, content type, headers and body.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from schemathesis import engine
from schemathesis.engine import events

from gatekeeper.app import create_app, read_keys
from gatekeeper.domain.errors import BadCredentials
from gatekeeper.domain.people import Scope
from gatekeeper.services import tokens
from gatekeeper.services.uploads import sending
from gatekeeper.services.uploads.sending import Wanted
from tests.builders import WEIGHTS, World
from tests.cast import Member, context
from tests.conftest import Copy
from tests.rooms import depth

CALLERS: dict[str, Scope | None] = {
    "anonymous": None,
    "researcher": Scope.READ,
    "approver": Scope.REVIEW,
    "owner": Scope.WRITE,
    "admin": Scope.ADMIN,
}
ON_POSTGRES = {"approver", "admin"}
RUNS = [("postgres" if who in ON_POSTGRES else "sqlite", who) for who in CALLERS]
RUNS += [("sqlite" if who in ON_POSTGRES else "postgres", who) for who in CALLERS] * depth(0, 1)
EXAMPLES = depth(6, 40)  # of each operation, and of sequences; at full depth 20,000 calls
TOKEN = "gk_standing-for-a-live-one"
# What a rule between two fields, or the state of the house, refuses: the schema cannot know it.
REFUSED = ["2xx", "401", "403", "404", "409", "410", "422"]

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def renewing(app: Flask, world: World, member: Member, scope: Scope) -> Wsgi:
    """Put a live token where the caller says TOKEN: calls revoke tokens, the caller's own too."""
    live = [""]

    def serve(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_AUTHORIZATION") == f"Bearer {TOKEN}":
            try:
                tokens.bearer(world.house, context(), live[0])
            except BadCredentials:
                _, live[0] = tokens.create(world.house, context(), member.id, "t", scope, 1)
            environ["HTTP_AUTHORIZATION"] = f"Bearer {live[0]}"
        return app.wsgi_app(environ, start)

    return serve


def known(world: World) -> dict[str, list[Any]]:
    """Return what to put into calls now and then, so that some of them find something."""
    with world.house.db.reading() as read:
        cases = read.applications.of_lead(world.cast.pending.id)
        grants = read.grants.of_person(world.cast.researcher.id)
    owner = context(world.cast.owner.actor)
    upload = sending.begin(world.house, owner, world.name("T3"), Wanted("up.bin", 5)).upload
    return {
        "path.owner": ["northfield"],
        "path.name": ["lyra", *(model.name for model in world.models.values())],
        "path.revision": ["main"],
        "path.agreement_id": ["research-use", "community-use"],
        "path.application_id": [case.id for case in cases],
        "path.grant_id": [grant.id for grant in grants],
        "path.upload_id": [upload.id],
        "path.number": [1],
        "path.token_id": [world.cast.researcher.token_id],
        "query.model": [model.full_name for model in world.models.values()],
        "query.person": ["me", world.cast.researcher.username],
        "body.version": [1, 2, 3],
        "body.model": [model.full_name for model in world.models.values()],
        "body.models[*]": [model.full_name for model in world.models.values()],
        "body.path": [WEIGHTS, "README.md"],
        "body.revision": ["main"],
    }


def settings(world: World, *, signed_in: bool) -> schemathesis.Config:
    """Return how Schemathesis is to call."""
    values = known(world)
    return schemathesis.Config.from_dict(
        {
            "headers": {"Authorization": f"Bearer {TOKEN}"} if signed_in else {},
            "continue-on-failure": True,
            "seed": depth(1, 20261123),
            "dictionaries": {re.sub(r"\W", "_", k): {"values": v} for k, v in values.items()},
            "parameters": {
                key: {"dictionary": re.sub(r"\W", "_", key), "probability": 0.7} for key in values
            },
            "generation": {"max-examples": EXAMPLES, "database": "none", "no-shrink": True},
            "checks": {
                "positive_data_acceptance": {"expected-statuses": REFUSED},
                # 411: an empty part is sent without its length.
                "negative_data_rejection": {
                    "expected-statuses": [400, 401, 403, 404, 406, 411, 413, 415, 422, 428]
                },
                # It cannot send over WSGI (4.32); tests/http/api/test_document.py asks the same.
                "ignored_auth": {"enabled": False},
            },
            "phases": {"coverage": {"enabled": bool(depth(0, 1))}},
        }
    )


def scenarios(wsgi: Wsgi, config: schemathesis.Config) -> Iterator[Any]:
    """Carry the calls out, and give what came of them; an error of the tool's own fails."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app=wsgi, config=config)
    for event in engine.from_schema(schema).execute():
        assert not isinstance(event, events.NonFatalError | events.FatalError), str(event.info)
        if isinstance(event, events.ScenarioFinished):
            yield event.recorder


@pytest.mark.parametrize(("database", "who"), RUNS)
def test_whatever_is_called_is_answered_as_the_document_says(
    request: pytest.FixtureRequest, database: str, who: str
) -> None:
    copy: Copy = request.getfixturevalue(f"{database}_copy")
    site, found = copy(True)
    assert found is not None
    world = World(site.open(), found.cast, found.models)
    app = create_app(site.settings, world.house, read_keys(site.settings, site.data).sessions)
    scope = CALLERS[who]
    wsgi: Wsgi = app if scope is None else renewing(app, world, world.cast[who], scope)
    statuses: Counter[int] = Counter()
    wrong: dict[tuple[str, str], str] = {}
    for recorder in scenarios(wsgi, settings(world, signed_in=scope is not None)):
        answers = [i.response for i in recorder.interactions.values() if i.response is not None]
        statuses.update(answer.status_code for answer in answers)
        for check in (c for found in recorder.checks.values() for c in found):
            if check.failure_info is not None:
                said = f"{check.failure_info.failure.message}\n{check.failure_info.code_sample}"
                wrong.setdefault((recorder.label, check.name), said)
    world.house.db.close()
    print(f"{who} on {database}: {statuses.total()} calls, {dict(sorted(statuses.items()))}")
    assert wrong == {}
    assert not [status for status in statuses if status >= 500]
    assert statuses[200] > EXAMPLES  # some of them got somewhere
