"""The straight way to bytes answers as the doors behind it do, and is no way around them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

import gatekeeper.app
from gatekeeper.app import create_app, read_keys
from gatekeeper.domain.errors import Unavailable
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.services import downloads, grants
from tests.builders import WEIGHTS, World
from tests.cast import context
from tests.conftest import Site

Apps = tuple[Flask, Flask]
WHO = ("anonymous", "researcher", "pending", "owner", "stranger", "liar")
HOW: tuple[dict[str, str], ...] = (
    {},
    {"Range": "bytes=5-9"},
    {"Range": "bytes=999999-"},
    {"Range": "lines=1-2"},
    {"If-None-Match": "*"},
    {"If-Match": '"other"'},
    {"Range": "bytes=5-9", "If-Range": '"other"'},
    {"Cookie": "gk_session=nobodys"},
    {"X-Request-Id": "given"},
)
FILES = (
    "{T0}/resolve/main/" + WEIGHTS,
    "{T3}/resolve/main/" + WEIGHTS,
    "{T3}/resolve/main/README.md",
    "{T3}/resolve/main/deep/vocab.txt",
    "{T3}/resolve/main/deep%2Fvocab.txt",
    "{T3}/resolve/main/none",
    "{T3}/resolve/none/" + WEIGHTS,
    "{hidden}/resolve/main/" + WEIGHTS,
    "{T3}x/resolve/main/" + WEIGHTS,
)
ODD = (
    "//northfield/x/resolve/main/" + WEIGHTS,
    "{T3}/resolve/main//" + WEIGHTS,
    "{T3}/resolve/main/../" + WEIGHTS,
    "{T3}/resolve/main/" + WEIGHTS + "/",
    "/datasets{T3}/resolve/main/" + WEIGHTS,
    "/api{T3}/resolve/main/" + WEIGHTS,
    "/api/models/resolve/main/" + WEIGHTS,
    "{T3}/resolve/main/a%00b",
    "{T3}/resolve/main/%1F" + WEIGHTS,
    "/d/x/" + WEIGHTS,
    "/d//" + WEIGHTS,
)


@pytest.fixture
def apps(site: Site, world: World, monkeypatch: pytest.MonkeyPatch) -> Apps:
    """The application as it is, and one without the straight way, over the same house."""
    key = read_keys(site.settings, site.data).sessions
    with_it = create_app(site.settings, world.house, key)
    monkeypatch.setattr(gatekeeper.app, "straight", lambda app, _: app)
    without = create_app(site.settings, world.house, key)
    return with_it, without


@pytest.fixture
def straight_answers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gather the status of what leaves by the straight way, of applications made after this."""
    seen: list[int] = []
    real = gatekeeper.app.straight

    def noting(app: Callable[..., Iterable[bytes]], wiring: Any) -> Callable[..., Iterable[bytes]]:
        went_on = []

        def after(environ: Any, start: Any) -> Iterable[bytes]:
            went_on.append(1)
            return app(environ, start)

        wrapped = real(after, wiring)

        def noted(environ: Any, start: Any) -> Iterable[bytes]:
            went_on.clear()

            def started(status: str, headers: Any, exc_info: Any = None) -> Any:
                if not went_on:
                    seen.append(int(status[:3]))
                return start(status, headers, exc_info)

            return wrapped(environ, started)

        return noted

    monkeypatch.setattr(gatekeeper.app, "straight", noting)
    return seen


def told(answer: TestResponse) -> tuple[Any, ...]:
    """Return all that a client sees of an answer but the request's id."""
    headers = {k: v for k, v in answer.headers.items() if k != "X-Request-Id"}
    found = (answer.status, headers, answer.get_data())
    answer.close()
    return found


def requests(world: World) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Go through method, address and headers of every request that is compared."""
    names = {key: "/" + "/".join(world.name(key)) for key in ("T0", "T3", "hidden")}
    bearers = {who: world.cast[who].headers for who in WHO if who not in {"anonymous", "liar"}}
    bearers |= {"anonymous": {}, "liar": {"Authorization": "Bearer gk_nothing"}}
    for path, who in itertools.product(FILES, WHO):
        yield "GET", path.format_map(names), bearers[who]
        yield "HEAD", path.format_map(names), bearers[who]
    for path, how in itertools.product(FILES[:2], HOW):
        yield "GET", path.format_map(names), {**bearers["researcher"], **how}
        yield "HEAD", path.format_map(names), {**bearers["researcher"], **how}
    for path in ODD:
        yield "GET", path.format_map(names), bearers["researcher"]
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        yield method, FILES[0].format_map(names), {}


def test_it_answers_what_the_doors_behind_it_answer(
    straight_answers: list[int], apps: Apps, world: World
) -> None:
    with_it, without = (app.test_client(use_cookies=False) for app in apps)
    for method, path, headers in requests(world):
        one = told(with_it.open(path, method=method, headers=headers))
        other = told(without.open(path, method=method, headers=headers))
        assert one == other, (method, path, headers)
    assert {200, 206} <= set(straight_answers) <= {200, 206, 302}


def test_a_signed_link_is_answered_alike(apps: Apps, world: World) -> None:
    ctx = context(world.cast.researcher.actor)
    issued = downloads.issue_link(world.house, ctx, world.ref("T3")).path
    token = issued.split("/")[2]
    tampered = issued.replace(token, f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}")
    clients = [app.test_client(use_cookies=False) for app in apps]

    def compare() -> None:
        for path, how in itertools.product((issued, tampered, f"/d/{token}/a/b"), HOW):
            one, other = (told(client.get(path, headers=how)) for client in clients)
            assert one == other, (path, how)

    compare()
    held = grants.mine(world.house, ctx)[0]
    grants.change(world.house, context(), held.id, GrantCommand.SUSPEND, EndReason.LEAK, "a leak")
    compare()
    assert clients[0].get(issued).status_code == 403


def test_what_leaves_by_it_is_counted_and_recorded_once(apps: Apps, world: World) -> None:
    client = apps[0].test_client()
    path = "/{}/{}/resolve/main/{}".format(*world.name("T3"), WEIGHTS)
    headers = world.cast.researcher.headers
    for _ in range(3):
        client.get(path, headers=headers).close()
    with world.house.db.reading() as read:
        kinds = [entry.kind for entry in read.audit.search(EntryFilter(kinds=("FileServed",)))]
    assert kinds == ["FileServed"]
    route = "/<segment:namespace>/<segment:name>/resolve/<segment:revision>/<rest:path>"
    labels = f'dialect="hub",method="GET",route="{route}",status="200"'
    counted = client.get("/metrics").get_data(as_text=True)
    assert f"gatekeeper_http_requests_total{{{labels}}} 3.0" in counted


def test_a_refusal_behind_it_is_recorded_once(apps: Apps, world: World) -> None:
    client = apps[0].test_client()
    path = "/{}/{}/resolve/main/{}".format(*world.name("T3"), WEIGHTS)
    for _ in range(3):
        assert client.get(path, headers=world.cast.stranger.headers).status_code == 403
    with world.house.db.reading() as read:
        assert len(read.audit.search(EntryFilter(kinds=("AccessRefused",)))) == 1


def test_what_does_not_answer_is_asked_once(
    apps: Apps, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def open_nothing(*_: Any) -> None:
        asked.append(1)
        raise Unavailable("the store does not answer")

    monkeypatch.setattr(type(world.house.objects), "open", open_nothing)
    path = "/{}/{}/resolve/main/{}".format(*world.name("T3"), WEIGHTS)
    answer = apps[0].test_client().get(path, headers=world.cast.researcher.headers)
    assert (answer.status_code, len(asked)) == (503, 1)
    assert answer.headers["Retry-After"]


def test_a_fault_on_the_way_is_a_500_and_stands_in_the_log(
    apps: Apps,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(world.house.objects), "open", fail)
    app = apps[0]
    app.testing = False
    path = "/{}/{}/resolve/main/{}".format(*world.name("T3"), WEIGHTS)
    answer = app.test_client().get(path, headers=world.cast.researcher.headers)
    assert answer.status_code == 500
    assert "ZeroDivisionError" in caplog.text
