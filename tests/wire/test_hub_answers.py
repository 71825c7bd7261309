"""What the Hub dialect answers, header by header: the codes by which clients choose an exception.

In process, against a house of each test's own; the real clients are in the modules beside this.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.catalogue import Availability
from gatekeeper.domain.errors import IntegrityBroken, Unavailable
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.services import grants, members, tokens
from gatekeeper.web.hub import errors, wire
from tests.builders import WEIGHTS, World
from tests.cast import Cast, Member, context

T0, T3, HIDDEN, NONE = (
    f"northfield/{name}" for name in ("lyra-t0", "lyra-t3", "lyra-hidden", "no")
)
CHALLENGE = 'Bearer realm="Authentication required", charset="UTF-8"'
DOORS = (
    "/api/models/{}",
    "/api/models/{}/revision/main",
    "/api/models/{}/revision/none",
    "/api/models/{}/tree/main",
    "/api/models/{}/tree/main/",
    "/api/models/{}/tree/main/deep?recursive=true",
    "/api/models/{}/refs",
    "/api/models/{}/commits/main",
    "/api/models/{}/auth-check",
    "/{}/resolve/main/README.md",
    "/{}/resolve/main/config.json",
    "/{}/resolve/none/none",
)


def code_of(answer: TestResponse) -> tuple[int, str]:
    """Return status and X-Error-Code."""
    return answer.status_code, answer.headers.get("X-Error-Code", "")


def bare(answer: TestResponse) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return everything of an answer but the id of its request."""
    headers = [(k, v) for k, v in answer.headers.items() if k != "X-Request-Id"]
    return answer.status_code, headers, answer.data


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("who", ["", "applicant", "researcher", "admin"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_hidden_and_missing_are_the_same_bytes(
    client: FlaskClient, cast: Cast, door: str, who: str, method: str
) -> None:
    headers = cast[who].headers if who else {}
    answers = [
        client.open(door.format(name), method=method, headers=headers) for name in (HIDDEN, NONE)
    ]
    assert bare(answers[0]) == bare(answers[1])
    assert code_of(answers[0]) == (404 if who else 401, "RepoNotFound")
    assert answers[0].headers.get("WWW-Authenticate") == (None if who else CHALLENGE)


@pytest.mark.parametrize("who", ["owner", "handler", "approver"])
def test_those_around_a_hidden_model_see_it_as_private(
    client: FlaskClient, cast: Cast, who: str
) -> None:
    answer = client.get(f"/api/models/{HIDDEN}", headers=cast[who].headers)
    assert answer.status_code == 200
    assert answer.json is not None
    assert (answer.json["private"], answer.json["gated"]) == (True, "manual")


def refused(client: FlaskClient, member: Member | None, name: str = T3) -> TestResponse:
    """Ask for gated weights and say that the refusal is the Hub's."""
    headers = member.headers if member is not None else {}
    answer = client.get(f"/{name}/resolve/main/{WEIGHTS}", headers=headers)
    head = client.head(f"/{name}/resolve/main/{WEIGHTS}", headers=headers)
    message = answer.headers["X-Error-Message"]
    assert code_of(answer) == code_of(head) == (403 if member is not None else 401, "GatedRepo")
    assert head.headers["X-Error-Message"] == message
    assert answer.json == {"error": message}
    assert message.isascii()
    assert message.isprintable()
    assert "http://localhost/" in message
    assert not {"ETag", "X-Repo-Commit", "Accept-Ranges"} & set(answer.headers.keys())
    return answer


def test_every_refusal_of_a_visible_model_is_gated_repo_and_names_a_step(
    client: FlaskClient, world: World
) -> None:
    cast, house = world.cast, world.house
    assert refused(client, None).headers["WWW-Authenticate"] == CHALLENGE
    steps = {
        cast.stranger: ("not verified", "/account"),
        cast.applicant: ("have not applied", f"/{T3}"),
        cast.pending: ("awaiting a review", "/applications/"),
        cast.admin: ("have not applied", f"/{T3}"),
        cast.approver: ("have not applied", f"/{T3}"),
    }
    for member, (said, page) in steps.items():
        message = refused(client, member).headers["X-Error-Message"]
        assert said in message
        assert f"http://localhost{page}" in message
    for key, said in {"t2": "not accepted the terms", "t5": "withheld"}.items():
        message = refused(client, cast.applicant, f"northfield/lyra-{key}").headers[
            "X-Error-Message"
        ]
        assert said in message
    held = grants.mine(house, context(cast.researcher.actor))[0]
    approver = context(cast.approver.actor)
    grants.change(house, approver, held.id, GrantCommand.SUSPEND, EndReason.ERROR)
    assert "is suspended" in refused(client, cast.researcher).headers["X-Error-Message"]
    grants.change(house, approver, held.id, GrantCommand.REVOKE, EndReason.LEAK)
    assert "was revoked" in refused(client, cast.researcher).headers["X-Error-Message"]


@pytest.mark.parametrize("path", ["none.txt", "config.json", "deep/none"])
@pytest.mark.parametrize("revision", ["main", "none", "feat%2Fx", "0" * 40])
def test_the_gate_comes_before_existence(client: FlaskClient, path: str, revision: str) -> None:
    answer = client.get(f"/{T3}/resolve/{revision}/{path}")
    assert code_of(answer) == (401, "GatedRepo")


def test_what_is_missing_behind_an_open_gate_is_told_apart(client: FlaskClient, cast: Cast) -> None:
    headers = cast.researcher.headers
    at = client.get(f"/{T3}/resolve/main/none.txt", headers=headers)
    assert code_of(at) == (404, "EntryNotFound")
    assert len(at.headers["X-Repo-Commit"]) == 40
    rev = client.get(f"/{T3}/resolve/none/config.json", headers=headers)
    assert code_of(rev) == (404, "RevisionNotFound")
    tree = client.get(f"/api/models/{T0}/tree/main/none")
    assert code_of(tree) == (404, "EntryNotFound")
    assert len(tree.headers["X-Repo-Commit"]) == 40


def test_a_tree_of_the_empty_path_is_the_whole_tree(client: FlaskClient) -> None:
    # Olah, a mirror of a Hub, asks for it so.
    whole = client.get(f"/api/models/{T0}/tree/main?recursive=true")
    assert client.get(f"/api/models/{T0}/tree/main/?recursive=true").json == whole.json


@pytest.mark.parametrize("path", ["README.md", "LICENSE"])
def test_card_and_licence_of_a_gated_model_are_open(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/{T3}/resolve/main/{path}")
    assert answer.status_code == 200
    assert answer.data


@pytest.mark.parametrize(
    "header",
    ["Bearer hf_of_another_place", "Bearer gk_" + "0" * 49, "Bearer", "Bearer ", "Basic dTpw", "x",
     "Bearer a b", "Bearer \x7f"],
)  # fmt: skip
@pytest.mark.parametrize("door", [*DOORS, "/api/whoami-v2", "/api/models"])
def test_a_bad_token_is_a_plain_401_at_every_door(
    client: FlaskClient, header: str, door: str
) -> None:
    answer = client.get(door.format(T0), headers={"Authorization": header})
    assert code_of(answer) == (401, "")
    assert answer.headers["X-Error-Message"] == "Invalid credentials in Authorization header"
    assert answer.headers["WWW-Authenticate"] == CHALLENGE


def test_a_revoked_token_and_a_suspended_owner_open_nothing(
    client: FlaskClient, world: World
) -> None:
    revoked, suspended = world.cast.researcher, world.cast.applicant
    tokens.revoke(world.house, context(revoked.actor), revoked.token_id)
    members.set_suspended(world.house, context(), suspended.email, "test", suspended=True)
    for member in (revoked, suspended):
        assert code_of(client.get(f"/api/models/{T0}", headers=member.headers)) == (401, "")


def test_whoami_without_a_token_is_a_plain_401(client: FlaskClient) -> None:
    answer = client.get("/api/whoami-v2")
    assert code_of(answer) == (401, "")


def test_paths_info_of_a_gated_model_is_public_and_of_a_hidden_one_is_not(
    client: FlaskClient,
) -> None:
    form = {"paths": ["config.json", "none"], "expand": "False"}
    answer = client.post(f"/api/models/{T3}/paths-info/main", data=form)
    assert [entry["path"] for entry in answer.get_json()] == ["config.json"]
    hidden = client.post(f"/api/models/{HIDDEN}/paths-info/main", data=form)
    missing = client.post(f"/api/models/{NONE}/paths-info/main", data=form)
    assert bare(hidden) == bare(missing)
    assert code_of(hidden) == (401, "RepoNotFound")


def test_auth_check_for_writing_needs_a_publisher(client: FlaskClient, cast: Cast) -> None:
    address = f"/api/models/{T3}/auth-check/write"
    assert client.get(address, headers=cast.owner.headers).status_code == 200
    holder = client.get(address, headers=cast.researcher.headers)
    assert code_of(holder) == (403, "")
    assert code_of(client.get(address)) == (401, "GatedRepo")


@pytest.mark.parametrize(
    ("error", "status"),
    [(Unavailable("the database is down"), 503), (IntegrityBroken("secret path"), 500),
     (RuntimeError("secret"), 500)],
)  # fmt: skip
def test_what_breaks_inside_is_said_without_details(
    app: Flask, error: Exception, status: int
) -> None:
    with app.test_request_context("/api/models"):
        answer = errors.answer(error)
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) is (status == 503)
    assert b"secret" not in answer.data


@pytest.mark.parametrize(
    ("reason", "words"),
    [(Reason.MODEL_WITHDRAWN, "was withdrawn"), (Reason.RELEASE_FROZEN, "is frozen")],
)
def test_what_is_withdrawn_or_frozen_is_a_gate_with_its_own_words(
    app: Flask, reason: Reason, words: str
) -> None:
    with app.test_request_context("/"):
        answer = errors.answer(Refused(reason, model=T0))
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (403, "GatedRepo")
    assert words in answer.headers["X-Error-Message"]


@pytest.mark.parametrize("availability", Availability)
def test_a_model_that_is_withdrawn_is_disabled(world: World, availability: Availability) -> None:
    """Its page stays."""
    model = replace(world.models["T0"], availability=availability)
    described = wire.model_info(model, None, 0, {})
    assert described["disabled"] is (availability is Availability.WITHDRAWN)
