"""The list of models over many pages: each model once, whatever is asked, at the same cost."""

from __future__ import annotations

import io
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gatekeeper.domain.catalogue import File, ModelId, Release, Visibility
from gatekeeper.domain.facts.catalogue import ModelCreated
from gatekeeper.domain.sealed import content
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import revisions
from tests import builders
from tests.builders import COMMUNITY, World
from tests.cast import context
from tests.statements import counted

SHELF, MODELS, AT_ONCE = "shelf", 250, 25  # so many at a moment: ties are in the order of names
HIDDEN_EVERY, RARE_EVERY, EMPTY = 10, 60, 7  # the one that nothing was published of
ORDERS = ["", "sort=likes", "sort=lastModified", "sort=createdAt"]


def stock(house: House) -> None:
    """Record many models at several moments, some hidden, each with a card of its own."""
    release = builders.add_release(house, SHELF, "line")
    begun = context().now - timedelta(days=1)
    for first in range(0, MODELS, AT_ONCE):
        ctx = context(now=begun + timedelta(minutes=first))
        facts = [created(release, n) for n in range(first, first + AT_ONCE)]
        cards = [card(house, n) for n in range(first, first + AT_ONCE)]
        with house.db.acting(ctx) as act:
            act.record(*facts)
            for fact, readme in zip(facts, cards, strict=True):
                if fact.name != name(EMPTY):
                    manifest = content(revisions.write_manifest([readme]))
                    revisions.record_revision(act, ctx, fact.model_id, "main", "", manifest)
    house.db.sequence_all()


def created(release: Release, number: int) -> ModelCreated:
    return ModelCreated(
        model_id=ModelId(f"mod_shelf{number}"),
        release_id=release.id,
        namespace=SHELF,
        name=name(number),
        title=f"Title {number}",
        tier="T2",
        visibility=Visibility.HIDDEN if is_hidden(number) else Visibility.PUBLIC,
        agreements=(COMMUNITY,),
        form=None,
        open_files=(),
    )


def card(house: House, number: int) -> File:
    tags = ["small", *(["rare"] if is_rare(number) else [])]
    written = f"---\nlicense: mit\ntags: [{', '.join(tags)}]\n---\n# Model {number}\n".encode()
    stored = house.objects.put(io.BytesIO(written), len(written))
    return File("README.md", stored.size_bytes, stored.sha256, stored.git_sha1, lfs=False)


def name(number: int) -> str:
    return f"model-{number:03}"


def is_hidden(number: int) -> bool:
    return number % HIDDEN_EVERY == 3


def is_rare(number: int) -> bool:
    return number % RARE_EVERY == 0


def shelf() -> list[str]:
    """Return the names on the shelf that anybody sees, in their order."""
    return [f"{SHELF}/{name(n)}" for n in range(MODELS) if not is_hidden(n)]


RARE = [f"{SHELF}/{name(n)}" for n in range(MODELS) if is_rare(n)]


@pytest.fixture(scope="module")
def stocked(shared: tuple[World, Flask]) -> tuple[World, Flask]:
    """The house of this module, with the shelf in it."""
    stock(shared[0].house)
    return shared


@pytest.fixture
def world(stocked: tuple[World, Flask]) -> World:
    """The house with the shelf."""
    return stocked[0]


@pytest.fixture
def client(stocked: tuple[World, Flask]) -> FlaskClient:
    """A client of the house with the shelf."""
    return stocked[1].test_client()


def pages(client: FlaskClient, query: str, headers: dict[str, str] | None = None) -> list[Any]:
    """Follow a list to its end; return what each page lists."""
    return [answer.get_json() for answer in walk(client, query, headers)]


def walk(
    client: FlaskClient, query: str, headers: dict[str, str] | None = None
) -> Iterator[TestResponse]:
    path = f"/api/models?{query}"
    while path:
        answer = client.get(path, headers=headers or {})
        assert answer.status_code == 200, (path, answer.text)
        yield answer
        path = answer.headers.get("Link", "").partition("http://localhost")[2].partition(">")[0]


def names(found: list[Any]) -> list[str]:
    return [model["id"] for page in found for model in page]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [100, 37])
def test_every_model_comes_once_in_its_order_over_all_pages(
    client: FlaskClient, order: str, limit: int
) -> None:
    found = pages(client, f"{order}&author={SHELF}&limit={limit}")
    is_timed = "Modified" in order or "created" in order
    assert names(found) == (shelf()[::-1] if is_timed else shelf())
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert found[-1]


@pytest.mark.parametrize("order", ORDERS)
def test_hidden_models_come_to_their_members_once_as_well(
    world: World, client: FlaskClient, order: str
) -> None:
    """Those of the one namespace to its owner; those of the other to nobody but its own."""
    hidden = world.models[builders.HIDDEN].full_name
    owner = names(pages(client, f"{order}&limit=100", world.cast.owner.headers))
    anonymous = names(pages(client, f"{order}&limit=100"))
    assert len(owner) == len(set(owner))
    assert set(owner) - set(anonymous) == {hidden}
    assert {found for found in anonymous if found.startswith(SHELF)} == set(shelf())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_tag_is_found_wherever_it_is_and_a_page_looks_at_no_more_than_a_hundred(
    client: FlaskClient, order: str, limit: int
) -> None:
    found = pages(client, f"{order}&filter=rare&limit={limit}")
    assert sorted(names(found)) == RARE
    assert all(len(page) <= limit for page in found)
    assert len(found) <= len(RARE) + 3  # a page a model at most, and one a hundred models


def test_a_tag_that_all_have_fills_every_page(client: FlaskClient) -> None:
    found = pages(client, f"filter=small&filter=license:mit&author={SHELF}&limit=50")
    assert names(found) == [found for found in shelf() if not found.endswith(name(EMPTY))]
    assert [len(page) for page in found[:4]] == [50] * 4


def test_a_tag_that_none_has_ends_after_as_many_pages_as_there_are(client: FlaskClient) -> None:
    assert pages(client, "filter=nowhere&limit=1") == [[], [], []]


def test_what_no_model_here_has_is_answered_without_a_walk(client: FlaskClient) -> None:
    """No page of nothing leads to the next one."""
    assert pages(client, "apps=ollama") == [[]]
    assert pages(client, "inference=warm&filter=small&full=true") == [[]]


@pytest.mark.parametrize("limit", [7, 100])
def test_a_search_finds_names_and_titles_over_the_borders_of_pages(
    client: FlaskClient, limit: int
) -> None:
    by_name = pages(client, f"search=MODEL-1&limit={limit}")
    by_title = pages(client, f"search=title 24&limit={limit}")
    assert names(by_name) == [found for found in shelf() if "model-1" in found]
    wanted = [24, *range(240, 250)]
    assert names(by_title) == [f"{SHELF}/{name(n)}" for n in wanted if not is_hidden(n)]


def test_files_are_those_of_each_model_shown(client: FlaskClient) -> None:
    """None where nothing was published, and with a tag of those alone that have it."""
    every = [m for page in pages(client, f"full=true&author={SHELF}") for m in page]
    rare = [m for page in pages(client, "filter=rare&expand=siblings&limit=2") for m in page]
    readme = [{"rfilename": "README.md"}]
    assert {m["id"]: m["siblings"] for m in every} == {
        found: [] if found.endswith(name(EMPTY)) else readme for found in shelf()
    }
    assert [m["siblings"] for m in rare] == [readme] * len(RARE)
    assert all("cardData" in m for m in every)


@pytest.mark.parametrize(
    "query", ["", "full=true", "sort=lastModified", "filter=rare", "search=model", "limit=30"]
)
@pytest.mark.parametrize("who", ["", "researcher", "owner"])
def test_the_last_page_takes_no_more_statements_than_the_first(
    world: World, client: FlaskClient, query: str, who: str
) -> None:
    headers = world.cast[who].headers if who else {}
    client.get("/api/models", headers=headers)  # that a token was used is written once an hour
    taken = []
    walking = walk(client, query, headers)
    while True:
        with counted(world.house) as seen:
            answer = next(walking, None)
        if answer is None:
            break
        taken.append(len(seen))
    assert len(taken) >= 3
    assert set(taken) == {taken[0]}


def written(*place: object) -> str:
    text = str(list(place)).replace("'", '"')
    return urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=%D9%A1", "limit=9999999999",
        "cursor=", "cursor=x", "cursor=%ff", f"cursor={written('one')}", f"cursor={written(1, 2)}",
        f"cursor={written('a', 'b', 'c')}", f"cursor={written('a', 'b')}&sort=createdAt",
        f"cursor={written('yesterday', 'a', 'b')}&sort=lastModified",
        f"cursor={written('2026-01-01', 'a', 'b')}&sort=lastModified",
        f"cursor={urlsafe_b64encode(b'[' * 5000).decode()}",
    ],
)  # fmt: skip
def test_a_limit_or_a_cursor_that_is_none_is_refused(client: FlaskClient, query: str) -> None:
    for more in ("", "&filter=rare", "&apps=ollama"):
        answer = client.get(f"/api/models?{query}{more}")
        assert answer.status_code == 400, (query, answer.text)
        assert answer.headers["X-Error-Message"].startswith(("limit:", "cursor:"))


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_cursor_at_either_end_of_time_is_a_place(client: FlaskClient, at: str) -> None:
    answer = client.get(f"/api/models?sort=createdAt&cursor={written(at, 'a', 'b')}")
    assert answer.status_code == 200
    assert len(answer.get_json()) == (100 if at.startswith("9999") else 0)
