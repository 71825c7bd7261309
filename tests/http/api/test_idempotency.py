"""One key, one act: repeats are answered alike, whatever else is refused or released."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from gatekeeper.db import tables as t
from gatekeeper.db.tables import metadata
from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.errors import Unavailable
from gatekeeper.domain.facts.people import MemberRemoved
from gatekeeper.domain.people import Scope
from gatekeeper.services import idempotency
from gatekeeper.services.applications import drafts, reading
from tests.builders import COMMUNITY, WEIGHTS, World
from tests.cast import NAMESPACE, Member, context
from tests.http.api.conftest import As, through

Acceptance = Callable[[Member, AgreementId], dict[str, Any]]
T3, T4 = {"models": ["northfield/lyra-t3"]}, {"models": ["northfield/lyra-t4"]}


def drafts_of(world: World, member: Member) -> int:
    with world.house.db.reading() as read:
        return len(read.ephemeral.drafts_of(member.id))


def test_a_repeated_request_is_answered_alike_and_done_once(world: World, as_: As) -> None:
    api = as_(world.cast.applicant)
    first = api.post("applications", T3, key="a-key")
    again = api.post("applications", T3, key="a-key")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data
    assert first.headers.get("Idempotent-Replayed") is None
    assert again.headers["Idempotent-Replayed"] == "true"
    assert drafts_of(world, world.cast.applicant) == 1


def test_a_key_used_for_another_request_is_invalid(world: World, as_: As) -> None:
    api = as_(world.cast.applicant)
    api.post("applications", T3, key="a-key")
    for path, body in (
        ("applications", T4),
        ("links", T3),
        ("applications", T3 | {"purpose": "x"}),
    ):
        told = api.post(path, body, key="a-key")
        assert told.status_code == 422
        assert told.get_json()["errors"][0]["field"] == "Idempotency-Key"
    assert drafts_of(world, world.cast.applicant) == 1


def test_two_people_may_use_the_same_key(world: World, as_: As) -> None:
    first = as_(world.cast.applicant).post("applications", T3, key="a-key").get_json()
    second = as_(world.cast.stranger).post("applications", T3, key="a-key").get_json()
    assert first["id"] != second["id"]


def test_a_link_is_signed_again_and_stored_nowhere(world: World, as_: As) -> None:
    api = as_(world.cast.researcher)
    wanted = {"model": "northfield/lyra-t3", "path": WEIGHTS}
    first, again = (api.post("links", wanted, key="a-key") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data
    other = api.post("links", wanted).get_json()
    assert other["url"] != first.get_json()["url"]
    token = first.get_json()["url"].split("/d/")[1].split("/")[0]
    with world.house.db.reading() as read:
        rows = {
            table.name: str(read.connection.execute(select(table)).all())
            for table in metadata.sorted_tables
        }
    assert "a-key" in rows["idempotency_keys"]
    assert [name for name, text in rows.items() if token in text] == []


def test_a_refused_request_gives_its_key_back(
    world: World, as_: As, acceptance: Acceptance
) -> None:
    member = world.cast.applicant
    api, wanted = as_(member), {"model": "northfield/lyra-t2", "path": WEIGHTS}
    assert api.post("links", wanted, key="a-key").status_code == 403
    assert api.post("links", {"model": "x"}, key="a-key").status_code == 422
    assert api.post(f"agreements/{COMMUNITY}/acceptances", acceptance(member, COMMUNITY))
    assert api.post("links", wanted, key="a-key").status_code == 201


def test_a_request_that_broke_gives_its_key_back(
    world: World, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = as_(world.cast.applicant)
    with monkeypatch.context() as broken:
        broken.setattr(drafts, "start", _raise(Unavailable("the database is down")))
        down = api.post("applications", T3, key="a-key")
        assert (down.status_code, down.get_json()["code"]) == (503, "unavailable")
        assert down.headers["Retry-After"]
    with monkeypatch.context() as broken:
        broken.setattr(drafts, "start", _raise(KeyError("a bug")))
        bug = api.post("applications", T3, key="a-key")
        assert bug.status_code == 500
        assert "a bug" not in bug.text
    assert api.post("applications", T3, key="a-key").status_code == 201


def test_an_act_that_cannot_be_shown_keeps_its_key(
    world: World, as_: As, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The draft exists: to give the key back would let a repeat make a second one."""
    api = as_(world.cast.applicant)
    with monkeypatch.context() as broken:
        broken.setattr(reading, "open_case", _raise(Unavailable("the database is down")))
        assert api.post("applications", T3, key="a-key").status_code == 503
    told = api.post("applications", T3, key="a-key")
    assert (told.status_code, told.get_json()["code"]) == (409, "conflict")
    assert drafts_of(world, world.cast.applicant) == 1


def test_a_duplicate_of_a_running_request_is_a_conflict(world: World, as_: As) -> None:
    """The first request is still at work: inside of it the second one arrives."""
    api, seen = as_(world.cast.applicant), []
    start = drafts.start

    def slow(*args: Any) -> Any:
        drafts.start = start  # type: ignore[assignment]
        seen.append(api.client.application.test_client().post(
            "/api/v1/applications", json=T3,
            headers={**api.headers, "Idempotency-Key": "a-key"},
        ))  # fmt: skip
        return start(*args)

    drafts.start = slow  # type: ignore[assignment]
    try:
        first = api.post("applications", T3, key="a-key")
    finally:
        drafts.start = start  # type: ignore[assignment]
    assert first.status_code == 201
    assert (seen[0].status_code, seen[0].get_json()["code"]) == (409, "conflict")
    assert drafts_of(world, world.cast.applicant) == 1


def test_a_key_is_forgotten_after_a_day(world: World) -> None:
    ctx = context(world.cast.applicant.actor)
    assert idempotency.claim(world.house, ctx, "a-key", "a" * 64) is None
    idempotency.keep(world.house, ctx, "a-key", idempotency.Kept(201, "{}"))
    almost = replace(ctx, now=ctx.now + timedelta(hours=23, minutes=59))
    assert idempotency.claim(world.house, almost, "a-key", "a" * 64) is not None
    later = replace(ctx, now=ctx.now + timedelta(hours=24))
    assert idempotency.claim(world.house, later, "a-key", "b" * 64) is None


def test_a_key_of_another_scope_replays_nothing(world: World, as_: As) -> None:
    wide = through(world, as_, world.cast.approver, Scope.REVIEW)
    narrow = through(world, as_, world.cast.approver, Scope.READ)
    with world.house.db.reading() as read:
        case = read.applications.of_lead(world.cast.pending.id)[0]
    path, body = f"applications/{case.id}/claim", {"version": case.version}
    assert wide.post(path, body, key="a-key").status_code == 200
    assert narrow.post(path, body, key="a-key").status_code == 422


def test_a_repeat_tells_nothing_to_whom_may_not_see_it_any_more(world: World, as_: As) -> None:
    handler = world.cast.handler
    api = through(world, as_, handler, Scope.REVIEW)
    with world.house.db.reading() as read:
        case = read.applications.of_lead(world.cast.pending.id)[0]
    path, body = f"applications/{case.id}/messages", {"text": "A note.", "internal": True}
    first = api.post(path, body, key="a-key")
    assert (first.status_code, api.post(path, body, key="a-key").data) == (201, first.data)
    with world.house.db.acting(context()) as act:
        for role in act.people.roles_in(handler.id, NAMESPACE):
            act.record(MemberRemoved(NAMESPACE, handler.id, role))
    told = api.post(path, body, key="a-key")
    assert told.status_code == 404
    assert world.cast.pending.canary not in told.text
    assert idempotent_rows(world) == [case.id]


def idempotent_rows(world: World) -> list[str]:
    with world.house.db.reading() as read:
        return list(read.connection.scalars(select(t.idempotency_keys.c.answer)))


def test_a_strange_key_is_a_bad_request(world: World, as_: As) -> None:
    for key in ("", "two words", "x" * 201, "é", "a\tb"):
        api = as_(world.cast.applicant)
        headers = {**api.headers, "Idempotency-Key": key}
        told = api.client.post("/api/v1/applications", json=T3, headers=headers)
        assert (told.status_code, told.get_json()["code"]) == (400, "bad_request")


def test_every_post_honours_the_key(app: Flask, world: World) -> None:
    posts = [
        rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1") and "POST" in (rule.methods or ())
    ]
    assert len(posts) >= 12
    headers = {**world.cast.applicant.headers, "Idempotency-Key": "two words"}
    for rule in posts:
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        told = app.test_client().post(path, json={}, headers=headers)
        assert told.status_code == 400, rule
        assert "Idempotency-Key" in told.get_json()["detail"], rule


def _raise(error: Exception) -> Callable[..., Any]:
    def broken(*_: Any, **__: Any) -> Any:
        raise error

    return broken
