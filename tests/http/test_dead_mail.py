"""Mail that was given up: administrators see it, by page, call and command, and try it again."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select

from gatekeeper.cli import main
from gatekeeper.db import tables as t
from gatekeeper.domain.people import SYSTEM, Scope
from gatekeeper.services import audit, outbox, tokens
from tests import builders
from tests.builders import World
from tests.cast import Member, context
from tests.conftest import Site
from tests.http.pages.conftest import Browser

MAIL = "/api/v1/mail"


class Taking:
    """A mail server that takes every letter."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    def send(self, letter: Any) -> None:
        """Keep the letter."""
        self.taken.append(letter)


@pytest.fixture
def dead(world: World) -> list[Member]:
    """Three people whose mail was given up, the newest last, and nothing else that waits."""
    cast = world.cast
    outbox.deliver(replace(world.house, mail=Taking()), context(SYSTEM))
    people = [cast.researcher, cast.applicant, cast.pending]
    for member in people:
        builders.give_up_mail(world.house, [member.id])
    return people


def listed(client: FlaskClient, member: Member, **asked: Any) -> Any:
    """List by the API."""
    answer = client.get(f"{MAIL}/dead", headers=member.headers, query_string=asked)
    assert answer.status_code == 200
    return answer.get_json()


def waiting(world: World) -> list[Any]:
    """Return the rows that wait for a try."""
    with world.house.db.reading() as read:
        rows = read.connection.execute(select(t.outbox).where(t.outbox.c.next_try_at.is_not(None)))
        return list(rows)


def test_what_was_given_up_is_listed_newest_first_and_page_by_page(
    client: FlaskClient, world: World, dead: list[Member]
) -> None:
    admin = world.cast.admin
    found = listed(client, admin)
    assert [item["person"] for item in found["items"]] == [member.id for member in dead[::-1]]
    assert found["next"] is None
    assert {item["error"] for item in found["items"]} == {"refused: 554"}
    first = listed(client, admin, limit=2)
    rest = listed(client, admin, limit=2, before=first["next"])
    assert first["items"] + rest["items"] == found["items"]
    assert rest["next"] is None


def test_neither_list_tells_an_address(
    client: FlaskClient, world: World, dead: list[Member]
) -> None:
    browser = Browser(client).sign_in(world.cast.admin)
    text = browser.text("/admin/mail") + json.dumps(listed(client, world.cast.admin))
    for member in dead:
        assert member.name in text  # as in the ledger, which administrators search
        assert member.email not in text
    assert text.count("Password changed") >= 3


def test_one_mail_is_tried_again_from_the_start_and_leaves(
    client: FlaskClient, world: World, dead: list[Member]
) -> None:
    browser, admin = Browser(client).sign_in(world.cast.admin), world.cast.admin
    page = browser.text("/admin/mail")
    chosen = re.findall(r'name="mail" value="(\d+)"', page)[0]
    answer = browser.send("/admin/mail/retry", page="/admin/mail", mail=chosen)
    assert answer.headers["Location"] == "/admin/mail"
    assert "1 mail is tried again" in browser.text("/admin/mail")
    (row,) = waiting(world)
    assert (str(row.id), row.tries) == (chosen, 0)
    office = Taking()
    assert outbox.deliver(replace(world.house, mail=office), context(SYSTEM)) == 1
    assert [letter.to_address for letter in office.taken] == [dead[-1].email]
    assert len(listed(client, admin)["items"]) == 2


def test_all_are_tried_again_at_once_and_nothing_is_recorded_of_it(
    client: FlaskClient, world: World, dead: list[Member]
) -> None:
    size = audit.head(world.house).size
    browser = Browser(client).sign_in(world.cast.admin)
    browser.send("/admin/mail/retry", page="/admin/mail")
    assert f"{len(dead)} mails are tried again" in browser.text("/admin/mail")
    assert "Nothing was given up" in browser.text("/admin/mail")
    assert len(waiting(world)) == len(dead)
    world.house.db.sequence_all()
    assert audit.head(world.house).size == size


def test_the_api_tries_again_what_is_named_or_all_once_a_key(
    client: FlaskClient, world: World, dead: list[Member]
) -> None:
    headers = world.cast.admin.headers
    ids = [item["id"] for item in listed(client, world.cast.admin)["items"]]

    def retry(body: Any, **more: str) -> Any:
        return client.post(f"{MAIL}/retry", json=body, headers={**headers, **more})

    once = retry({"mail": ids[:1]}, **{"Idempotency-Key": "k"})
    assert once.get_json() == {"retried": 1}
    assert retry({"mail": ids[:1]}, **{"Idempotency-Key": "k"}).get_json() == {"retried": 1}
    assert retry({"mail": ids[:1]}).status_code == 404  # it waits already
    assert retry({"mail": [2**62]}).status_code == 404
    for wrong in ({"mail": []}, {"mail": ["1"]}, {"mail": [0]}, {"mail": [2**70]}, {"x": 1},
                  {"mail": [1] * 1001}):  # fmt: skip
        assert retry(wrong).status_code == 422, wrong
    assert retry({}).get_json() == {"retried": 2}
    assert retry({}).get_json() == {"retried": 0}


def test_a_form_that_names_no_mail_of_ours_changes_nothing(
    client: FlaskClient, world: World, dead: list[Member]
) -> None:
    browser = Browser(client).sign_in(world.cast.admin)
    for odd in ("x", "", "-1", "9" * 40, "1 OR 1=1"):
        answer = browser.send("/admin/mail/retry", page="/admin/mail", mail=odd)
        assert answer.status_code == 404, odd
    for odd in ("x", "-1", "9" * 40):
        assert browser.get(f"/admin/mail?before={odd}").status_code == 200
    assert waiting(world) == []


@pytest.mark.parametrize("key", ["owner", "handler", "approver", "compliance", "researcher"])
def test_nobody_else_sees_or_retries(
    client: FlaskClient, world: World, dead: list[Member], key: str
) -> None:
    member = world.cast[key]
    browser = Browser(client).sign_in(member)
    page = browser.get("/admin/mail")
    assert page.status_code == 403
    assert dead[0].name not in html.unescape(page.text) or dead[0] == member
    assert 'href="/admin/mail"' not in browser.get("/").text
    assert browser.send("/admin/mail/retry", page="/").status_code == 403
    for answer in (
        client.get(f"{MAIL}/dead", headers=member.headers),
        client.post(f"{MAIL}/retry", json={}, headers=member.headers),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (403, "wrong_scope")
    assert waiting(world) == []


def test_an_administrators_lesser_token_does_not_reach_the_mail(
    client: FlaskClient, world: World
) -> None:
    for scope in (Scope.READ, Scope.WRITE, Scope.REVIEW):
        _, text = tokens.create(world.house, context(), world.cast.admin.id, scope, scope, 1)
        headers = {"Authorization": f"Bearer {text}"}
        assert client.get(f"{MAIL}/dead", headers=headers).status_code == 403
        assert client.post(f"{MAIL}/retry", json={}, headers=headers).status_code == 403
    assert client.get(f"{MAIL}/dead").status_code == 401


def test_the_command_lists_and_retries(world: World, site: Site, dead: list[Member]) -> None:
    def run(*words: str, expect: int = 0) -> str:
        environment = {**site.store, **({"GATEKEEPER_DATABASE__URL": site.url} if site.url else {})}
        result = CliRunner().invoke(main, ["--data", str(site.data), *words], env=environment)
        assert result.exit_code == expect, result.output
        return result.stdout

    rows = json.loads(run("mail", "list", "--json"))
    assert [row["person"] for row in rows] == [member.id for member in dead[::-1]]
    older = json.loads(
        run("mail", "list", "--before", str(rows[0]["id"]), "--limit", "1", "--json")
    )
    assert older == rows[1:2]
    assert run("mail", "retry", str(rows[0]["id"])) == "1 tried again\n"
    run("mail", "retry", str(rows[0]["id"]), expect=4)
    run("mail", "retry", expect=2)
    run("mail", "retry", "1", "--all", expect=2)
    assert run("mail", "retry", "--all") == "2 tried again\n"
    assert run("mail", "list", "--json", expect=4) == "[]\n"
