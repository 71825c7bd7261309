"""Every route x the cast: who passes, who is refused, and that no refusal holds a secret.

The routes are walked from the application's own map: one without an expectation fails. Refused
answers hold neither the bytes of a gated file nor anybody else's personal data.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import count

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

from gatekeeper.domain.people import OPERATOR
from gatekeeper.services import audit, downloads, sessions
from gatekeeper.services.applications import reading
from gatekeeper.services.uploads import sending
from gatekeeper.services.uploads.sending import Wanted
from tests import builders
from tests.builders import WEIGHTS, World
from tests.cast import context
from tests.http import doors
from tests.http.doors import MEMBERS, Door
from tests.http.pages_doors import PAGES

DOORS: doors.Doors = {**doors.MACHINES, **doors.API, **doors.HUB, **PAGES}
CSRF = "0123456789abcdef"
_SESSIONS = count()


@dataclass(frozen=True, slots=True)
class Stage:
    """The furnished house with the values that the doors' placeholders stand for."""

    world: World
    app: Flask
    values: dict[str, str]

    def fill(self, text: str, who: str) -> str:
        """Put the house's own values into a path or a body."""
        name = self.world.cast[who].name if who in MEMBERS else ""
        for key, value in {**self.values, "name": name}.items():
            text = text.replace("{" + key + "}", value)
        return text


@pytest.fixture
def stage(world: World, app: Flask) -> Stage:
    """The house, its application, and what the placeholders stand for."""
    return set_stage(world, app)


@pytest.fixture(scope="module")
def still(shared: tuple[World, Flask]) -> Stage:
    """One stage for all that is refused, or only looks."""
    return set_stage(*shared)


def set_stage(world: World, app: Flask) -> Stage:
    """Furnish the house with one of everything, and name it."""
    cast, house = world.cast, world.house
    pending = reading.mine(house, context(cast.pending.actor)).applications[0]
    with house.db.reading() as read:
        grant = next(
            g
            for g in read.grants.of_person(cast.researcher.id)
            if world.models["T3"].id in g.models
        )
        revision = read.catalogue.revision(world.models["T3"].id, "main")
        receipt = read.agreements.acceptances_of(cast.researcher.id)[0]
    assert revision is not None
    link = downloads.issue_link(house, context(cast.researcher.actor), world.ref("T3"))
    terms = builders.signing(house, cast.applicant, builders.RESEARCH).sha256
    upload = sending.begin(
        house, context(cast.owner.actor), world.name("T3"), Wanted("up.bin", 5)
    ).upload
    models = {key.lower(): model.full_name for key, model in world.models.items()}
    values = {
        **models,
        "case": pending.id,
        "decided": grant.application_id or "",
        "forged": "A" * 120 + "." + "B" * 43,
        "grant": grant.id,
        "link": link.path,
        "receipt": receipt.id,
        "revision": revision.id,
        "terms": terms,
        "upload": upload.id,
        "token": cast.researcher.token_id,
        "weights": WEIGHTS,
    }
    return Stage(world, app, values)


def knock(stage: Stage, door: Door, method: str, who: str) -> TestResponse:
    """Send the request of a door as one of the cast."""
    client = stage.app.test_client()
    path = stage.fill(door.path, who)
    headers = {}
    form = {k: stage.fill(v, who) for k, v in (door.form or {}).items()} or None
    body = json.loads(stage.fill(json.dumps(door.json), who)) if door.json is not None else None
    if door.dialect == "bearer" and who in MEMBERS:
        headers = stage.world.cast[who].headers
    if door.dialect == "page":
        token = enter(stage, client, who)
        if method == "POST":
            form = {**(form or {}), "csrf_token": token}
        elif method == "PUT":
            headers = {"X-CSRFToken": token}
    sent = door.raw if door.raw is not None else form
    answer = client.open(path, method=method, headers=headers, json=body, data=sent)
    answer.get_data()  # read to the end, as a client does, so that a download gives its place back
    answer.close()
    return answer


def enter(stage: Stage, client: FlaskClient, who: str) -> str:
    """Give the browser a session of this member; return a CSRF token that fits it."""
    session_id = f"matrix-session-of-{who}-{next(_SESSIONS):010}"
    person = stage.world.cast[who].id if who in MEMBERS else None
    payload = {"csrf_token": CSRF, **({"_user_id": person} if person else {})}
    sessions.begin(
        stage.world.house, context(OPERATOR), session_id, person, json.dumps(payload), "matrix"
    )
    client.set_cookie("gk_session", session_id, domain="localhost")
    return str(URLSafeTimedSerializer(stage.app.secret_key, salt="wtf-csrf-token").dumps(CSRF))


def walked(app: Flask) -> set[tuple[str, str]]:
    """Return every (endpoint, method) of the application."""
    return {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_has_an_expectation_and_none_is_left_over(app: Flask) -> None:
    assert walked(app) == set(DOORS)


def is_refusal(answer: TestResponse) -> bool:
    """Say whether an answer refuses: an error, or the way to signing in."""
    sent_to_sign_in = "/sign-in" in answer.headers.get("Location", "")
    return answer.status_code >= 400 or sent_to_sign_in


LOOKING, ACTING = (
    [
        (*key, n)
        for key, found in sorted(DOORS.items())
        for n in range(len(found))
        if (key[1] == "GET") is looks
    ]
    for looks in (True, False)
)


@pytest.mark.parametrize(("endpoint", "method", "number"), LOOKING)
def test_a_door_shows_whom_it_should_and_tells_others_nothing(
    still: Stage, endpoint: str, method: str, number: int
) -> None:
    try_everybody(still, DOORS[endpoint, method][number], endpoint, method)


@pytest.mark.parametrize(("endpoint", "method", "number"), ACTING)
def test_a_door_lets_in_whom_it_should_and_tells_others_nothing(
    stage: Stage, endpoint: str, method: str, number: int
) -> None:
    try_everybody(stage, DOORS[endpoint, method][number], endpoint, method)


def try_everybody(stage: Stage, door: Door, endpoint: str, method: str) -> None:
    """Knock as each of the cast: in or out as the door says, and out with nothing in hand."""
    for who in ("anonymous", *MEMBERS):
        answer = knock(stage, door, method, who)
        where = f"{who} {method} {door.path}: {answer.status_code} {answer.get_data()[:300]!r}"
        assert answer.status_code < 500 or answer.status_code in door.passes, where
        if who in door.allowed:
            sent_to_sign_in = "/sign-in" in answer.headers.get("Location", "")
            assert answer.status_code in door.passes, where
            assert not sent_to_sign_in or "sign" in endpoint, where
            continue
        assert is_refusal(answer), where
        if who not in door.readers:
            assert answer.status_code not in {409, 422}, where  # nothing of the object's state
            holds_nothing(stage, answer, who)


def holds_nothing(stage: Stage, answer: TestResponse, who: str) -> None:
    """Assert that a refusal holds no bytes of a gated file and nobody else's data."""
    body = answer.get_data(as_text=True) + str(answer.headers)
    for model in stage.world.models.values():
        if model.tier.code != "T0":
            assert builders.artifact_canary(model.name) not in body
    for member in stage.world.cast:
        if member.key != who:
            assert member.canary not in body, f"{who} was told of {member.key}"


def test_a_hidden_model_is_answered_exactly_as_a_missing_one(stage: Stage) -> None:
    paths = [
        "/api/v1/models/northfield/{}",
        "/api/v1/models/northfield/{}/revisions/main/files",
        "/api/models/northfield/{}",
        "/api/models/northfield/{}/tree/main",
        "/northfield/{}/resolve/main/README.md",
        "/northfield/{}/user-access-report",
        "/api/models/northfield/{}/user-access-request/pending",
        "/northfield/{}",
        "/apply/northfield/{}",
        "/access/northfield/{}",
        "/own/northfield/lyra/{}/files",
    ]
    hidden = stage.world.models["hidden"].name
    missing = hidden.replace("hidden", "missin")
    for path in paths:
        for who in ("anonymous", "researcher", "applicant"):
            dialect = (
                "bearer" if any(word in path for word in ("api", "resolve", "report")) else "page"
            )
            answers = []
            for name in (hidden, missing):
                door = Door(path.format(name), frozenset(), dialect=dialect)
                found = knock(stage, door, "GET", who)
                text = found.get_data(as_text=True).replace(name, "NAME")
                varying = {"X-Request-Id", "Set-Cookie", "Date", "Content-Length"}
                headers = {k: v.replace(name, "NAME") for k, v in found.headers if k not in varying}
                text = text.replace(found.headers.get("X-Request-Id", "none"), "ID")
                text = re.sub(r'name="csrf_token" value="[^"]*"', "", text)  # holds the second
                answers.append((found.status_code, headers, text))
            assert answers[0] == answers[1], (path, who)


def test_what_the_matrix_did_replays(stage: Stage) -> None:
    for key in (("api.applications.decide", "POST"), ("api.grants.suspend", "POST")):
        for door in DOORS[key]:
            for who in MEMBERS:
                knock(stage, door, key[1], who)
    assert list(audit.verify(stage.world.house)) == []
    assert audit.compare(stage.world.house) == []
