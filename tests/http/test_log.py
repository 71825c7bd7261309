"""The log after a walk through every door, failing ones too: one line each, no secret, nobody."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, abort

from gatekeeper.app import create_app, read_keys
from gatekeeper.cli.logs import Json, Line, redacted
from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.services import downloads
from tests.builders import WEIGHTS, World
from tests.cast import PASSWORD, context
from tests.conftest import Site, make_settings
from tests.http.doors import MEMBERS
from tests.http.test_matrix import DOORS, Stage, enter, knock, stage

__all__ = ["stage"]  # the fixture

CANARY = "zq-canary-password-zq"
LONELY = "zq.nobody@canary.example"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a server would have written as JSON while the block runs."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Json(personal=False))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


def events(out: io.StringIO, logger: str = "gatekeeper.requests") -> list[dict[str, Any]]:
    """Return the events of a logger."""
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    return [event for event in found if event["logger"] == logger]


def walk(stage: Stage) -> int:
    """Knock at every door as somebody who may pass and as nobody; return how often."""
    knocks = 0
    for (_, method), found in DOORS.items():
        for who in ("anonymous", *sorted(found[0].allowed - {"anonymous"})[:1]):
            knock(stage, found[0], method, who)
            knocks += 1
    return knocks


def type_passwords(stage: Stage) -> None:
    """Send the canary through every form that takes a password or an address."""
    client = stage.app.test_client()
    token = enter(stage, client, "researcher")
    for path, form in (
        ("/sign-in", {"email": LONELY, "password": CANARY}),
        ("/register", {"email": LONELY, "password": CANARY, "name": "N", "username": "zq-name"}),
        ("/register", {"email": "no address " + LONELY, "password": CANARY}),
        ("/account/password", {"old_password": CANARY, "password": CANARY + "2"}),
        ("/account/password", {"old_password": PASSWORD, "password": CANARY}),
        (f"/sign-in?password={CANARY}&email={LONELY}", {"email": LONELY}),
    ):
        client.post(path, data={**form, "csrf_token": token}, follow_redirects=True)
    headers = {**stage.world.cast.researcher.headers, "Content-Type": "application/json"}
    client.post("/api/v1/applications", data=f'{{"password": "{CANARY}"', headers=headers)
    for header in (f"Bearer {CANARY}", f"Basic {CANARY}", CANARY):
        client.get("/api/v1/me", headers={"Authorization": header})
    client.set_cookie("gk_session", CANARY * 3)
    client.get("/account")


def secrets_of(stage: Stage) -> set[str]:
    """Return what may stand in no log: of people, doors and hidden things."""
    world = stage.world
    link = stage.values["link"].split("/")[2]
    known = {stage.values["hidden"], stage.values["forged"]}
    found = {CANARY, LONELY, "canary.example", PASSWORD, link, link[:40], *known}
    for who in MEMBERS:
        member = world.cast[who]
        found |= {member.email, member.name, member.token, member.token[3:20], member.id}
    return found


def test_nothing_secret_or_personal_is_written_at_any_door(
    stage: Stage, site: Site, written: io.StringIO
) -> None:
    if site.url:
        pytest.skip("what is written does not depend on the database but for its own errors")
    knocks = walk(stage)
    assert len(events(written)) == knocks
    type_passwords(stage)
    lines = written.getvalue() + stage.app.test_client().get("/metrics").text
    assert [secret for secret in secrets_of(stage) if secret in lines] == []
    assert all(event["request_id"] and event["milliseconds"] >= 0 for event in events(written))
    routes = {event["route"] for event in events(written)}
    assert routes <= {rule.rule for rule in stage.app.url_map.iter_rules()} | {"unmatched"}
    assert {"/d/<token>/<path:filename>", "/sign-in"} <= routes


def test_a_request_is_told_with_what_it_was_and_not_with_whose(
    app: Flask, world: World, written: io.StringIO
) -> None:
    path = f"/northfield/lyra-t3/resolve/main/{WEIGHTS}"
    headers = {**world.cast.applicant.headers, "X-Request-Id": "of-the-proxy"}
    app.test_client().get(path, headers=headers, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    (event,) = events(written)
    assert event.pop("milliseconds") > 0
    assert event.pop("at").endswith("Z")
    rule = event.pop("route")
    assert rule.startswith("/<")
    assert event == {
        "request_id": "of-the-proxy", "dialect": "hub", "actor": "person", "bytes": event["bytes"],
        "reason": "pending" if event["reason"] == "pending" else "no_application",
        "method": "GET", "status": 403, "level": "info", "logger": "gatekeeper.requests",
        "message": "answered",
    }  # fmt: skip
    assert "192.0.2.7" not in written.getvalue()


def test_whose_it_was_is_told_where_that_is_wanted_and_nothing_where_it_is_not(
    world: World, site: Site, written: io.StringIO
) -> None:
    def ask(**environment: str) -> list[dict[str, Any]]:
        settings = make_settings(**environment)
        app = create_app(settings, world.house, read_keys(settings, site.data).sessions)
        before = len(events(written))
        app.test_client().get("/api/v1/me", headers=world.cast.owner.headers)
        return events(written)[before:]

    (event,) = ask(GATEKEEPER_LOG__PERSONAL="true")
    assert (event["person_id"], event["client"]) == (world.cast.owner.id, "127.0.0.1")
    assert ask(GATEKEEPER_LOG__REQUESTS="false") == []


# --- failures -------------------------------------------------------------------------------------


def test_an_exception_is_written_without_what_it_was_about(
    app: Flask, world: World, written: io.StringIO
) -> None:
    member = world.cast.researcher
    link = downloads.issue_link(world.house, context(member.actor), world.ref("T3"))
    app.testing = False

    def fail(what: str) -> str:
        if what == "late":
            abort(418)
        raise ValueError(
            f"{member.email} sent {member.token} for {link.path}; password={CANARY!r}, "
            f"Authorization: Bearer {CANARY}\nforged line {link.path.split('/')[2]}"
        ) from KeyError(f"Cookie: gk_session={CANARY}")

    app.add_url_rule("/planted/<what>", "planted", fail)
    answer = app.test_client().get("/planted/now")
    assert answer.status_code == 500
    (error,) = events(written, "gatekeeper.web")
    assert "ValueError" in error["exception"]
    assert error["request_id"] == answer.headers["X-Request-Id"]
    secrets = (CANARY, member.email, member.token, link.path.split("/")[2][:40])
    assert [secret for secret in secrets if secret in written.getvalue() + answer.text] == []
    assert [event["status"] for event in events(written)] == [500]


def test_what_a_database_says_of_a_row_is_not_written(
    app: Flask, world: World, written: io.StringIO
) -> None:
    app.testing = False

    @writes
    def fail() -> str:
        owner = world.cast.owner
        with world.house.db.engine.begin() as connection:
            row = dict(connection.execute(t.persons.select()).mappings().first() or {})
            row |= {"id": "another", "email_value": owner.email, "name_value": CANARY}
            connection.execute(t.persons.insert().values(**row))
        return ""

    app.add_url_rule("/planted", "planted", fail)
    assert app.test_client().get("/planted").status_code == 500
    (error,) = events(written, "gatekeeper.web")
    assert "IntegrityError" in error["exception"]
    secrets = (CANARY, world.cast.owner.email, world.cast.owner.name)
    assert [secret for secret in secrets if secret in written.getvalue()] == []


# --- the second fence -----------------------------------------------------------------------------

SIGNED = "A" * 200 + "." + "b-_" * 14 + "c"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"GET /d/{SIGNED}/model.bin", "GET /d/[...]/model.bin"),
        ("GET /d/cut-short/x and /verify/abc", "GET /d/[...]/x and /verify/[...]"),
        ("PUT /api/lfs/cut-short/1 failed", "PUT /api/lfs/[...]/1 failed"),
        (f"token {SIGNED} is odd", "token [...].[...] is odd"),
        ("gk_0123456789abcdef is dead", "gk_[...] is dead"),
        ("hf_abcDEF was sent", "hf_[...] was sent"),
        ("Authorization: Bearer abc def", "Authorization: Bearer [...]"),
        ("Cookie: gk_session=abc; x=y", "Cookie: [...]"),
        ("{'password': 'p w', 'a': 1}", "{'password': [...], 'a': 1}"),
        ("old_password=secret123&x=1", "old_password=[...]&x=1"),
        ("https://s3/b?X-Amz-Signature=" + "ab" * 32, "https://s3/b?X-Amz-Signature=[...]"),
        ("postgresql://gk:pass word@h/x", "postgresql://gk:pass word@h/x"),
        ("postgresql://gk:p4ss@h/x", "postgresql://gk:[...]@h/x"),
        ("mail to a.b+c@uni.example: Welcome", "mail to [address]: Welcome"),
        ("Invalid request from ip=192.0.2.7: x", "Invalid request from ip=[...] x"),
        ("DETAIL:  Key (email)=(a@b.c) exists.", "DETAIL [...]"),
        ("session " + "s" * 43, "session [...]"),
        # what an operator needs stays
        ("blob " + "ab" * 32 + " is missing", "blob " + "ab" * 32 + " is missing"),
        ("commit " + "cd" * 20, "commit " + "cd" * 20),
        ("/d/<token>/<path:filename> 404", "/d/<token>/<path:filename> 404"),
        ("northfield/lyra-t3 was published", "northfield/lyra-t3 was published"),
    ],
)
def test_what_looks_like_a_secret_is_struck_out(text: str, kept: str) -> None:
    assert redacted(text) == kept


def test_an_address_stays_where_that_is_wanted() -> None:
    assert redacted("mail to a@b.example", personal=True) == "mail to a@b.example"
    assert redacted("gk_abcdefgh", personal=True) == "gk_[...]"


def test_redacting_takes_no_longer_for_a_text_made_for_it() -> None:
    """Each pattern is linear in the text: where one was not, this test took minutes."""
    for part in ("a", "a@", "/d/", "password=", "-", "://", "=:", "gk_", "'", " Bearer ", "ip="):
        assert redacted(part * (100_000 // len(part))) is not None


@pytest.mark.parametrize("kind", [Line, Json])
def test_nobody_forges_a_line_or_a_colour(kind: type[Line]) -> None:
    record = logging.LogRecord(
        "x", logging.INFO, "", 0, "a\nb\r\x1b[31mc\u202ed\u2028e\x85f\x00", None, None
    )
    record.fields = {"route": "g\nh"}
    line = kind(personal=False).format(record)
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert line.isprintable()


def test_an_exception_in_words_cannot_pass_for_an_event() -> None:
    error = ValueError("\n2026-01-01T00:00:00.000Z info gatekeeper.web all is well")
    info = (type(error), error, None)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", None, info)
    first, *rest = Line(personal=False).format(record).splitlines()
    assert first.endswith("error x failed")
    assert rest
    assert all(line.startswith("  ") for line in rest)


def test_who_commits_is_told_from_nobody(stage: Stage, written: io.StringIO) -> None:
    """A commit looks at its token late, and again: the line names a person all the same."""
    headers = stage.world.cast.owner.headers
    path = "/api/models/{}/commit/main".format("/".join(stage.world.name("T3")))
    stage.app.test_client().post(path, data=b"{", headers=headers)
    assert [event["actor"] for event in events(written)] == ["person"]
