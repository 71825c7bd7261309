"""A store that is down, slow, failing, cut or altered: nothing half, no long wait, and it heals.

Source: security.md 6.1 F8.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from gatekeeper.adapters.objects_s3 import S3Objects
from gatekeeper.app import create_app, read_keys
from gatekeeper.domain.errors import Unavailable
from gatekeeper.domain.uploads import UploadId
from gatekeeper.services.publishing import revisions
from gatekeeper.services.publishing.revisions import Target
from tests import builders
from tests.builders import RELEASE, WEIGHTS, World
from tests.cast import context
from tests.conftest import Copy
from tests.faulty import Fault, FaultyProxy, faulty_proxy
from tests.seaweed import Seaweed, s3_objects

HELD = os.urandom(1 << 20)
DIGEST = hashlib.sha256(HELD).hexdigest()
NEW = os.urandom(200_000)
UPLOAD, OTHER = UploadId("upl_" + "0a" * 12), UploadId("upl_" + "0b" * 12)
ANSWERS: dict[str, Callable[[S3Objects], object]] = {
    "size": lambda store: store.size(DIGEST),
    "open": lambda store: store.open(DIGEST, 0, len(HELD)).read(),
    "open all": lambda store: store.open(DIGEST).read(),
    "verify": lambda store: store.verify(DIGEST),
    "put": lambda store: store.put(io.BytesIO(NEW), len(NEW)),
    "put again": lambda store: store.put(io.BytesIO(HELD), len(HELD)),
}


@pytest.fixture
def proxy(seaweed: Seaweed) -> Iterator[FaultyProxy]:
    """What stands between the store and us."""
    with faulty_proxy(seaweed.port) as found:
        yield found


@pytest.fixture
def store(proxy: FaultyProxy, bucket: str, tmp_path: Path) -> S3Objects:
    """A store that holds one blob, reached through the proxy."""
    found = s3_objects(proxy.url, bucket, tmp_path / "spool", answer_seconds=0.5)
    found.put(io.BytesIO(HELD), len(HELD))
    return found


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.HANG, Fault.FAIL])
def test_a_store_that_does_not_answer_is_unavailable_soon_and_heals(
    store: S3Objects, proxy: FaultyProxy, fault: Fault
) -> None:
    """Also over a connection that was open before; what was asked leaves nothing."""
    for act in ANSWERS.values():
        before = dict(store.walk())
        proxy.fault = fault
        began = time.monotonic()
        with pytest.raises(Unavailable):
            act(store)
        assert not store.is_ready()
        assert time.monotonic() - began < 2 * 2  # two questions, of two seconds at most
        proxy.fault = Fault.NONE
        assert store.is_ready()
        assert dict(store.walk()) == before
        assert act(store)


def test_an_answer_that_breaks_off_is_asked_for_again_where_it_ended(
    store: S3Objects, proxy: FaultyProxy
) -> None:
    source = store.open(DIGEST)
    begun = source.read(50_000)
    proxy.fault = Fault.BREAK
    while len(begun) < 200_000:
        begun += source.read(10_000)
    proxy.fault = Fault.NONE
    assert begun + b"".join(iter(lambda: source.read(1 << 16), b"")) == HELD
    source.close()


def test_an_answer_that_always_breaks_off_ends_as_unavailable_and_never_as_the_whole(
    store: S3Objects, proxy: FaultyProxy
) -> None:
    proxy.fault = Fault.SLOW
    source = store.open(DIGEST)
    read = source.read(1 << 14)
    proxy.fault = Fault.DOWN
    with pytest.raises(Unavailable):
        read += b"".join(iter(lambda: source.read(1 << 14), b""))
    assert HELD.startswith(read)


def test_a_slow_store_is_waited_for_while_bytes_come(store: S3Objects, proxy: FaultyProxy) -> None:
    proxy.fault = Fault.SLOW
    source = store.open(DIGEST, 0, 150_000)
    assert b"".join(iter(lambda: source.read(1 << 14), b"")) == HELD[:150_000]


def test_bytes_that_were_altered_on_the_way_are_found(store: S3Objects, proxy: FaultyProxy) -> None:
    proxy.fault = Fault.ALTER
    assert not store.verify(DIGEST)
    proxy.fault = Fault.NONE
    assert store.verify(DIGEST)


def test_wrong_credentials_are_no_missing_blob(
    seaweed: Seaweed, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not the secret")
    store = s3_objects(seaweed.url, bucket, tmp_path)
    for act in ANSWERS.values():
        with pytest.raises(Unavailable):
            act(store)
    assert not store.is_ready()


def test_an_upload_goes_on_where_a_store_that_was_down_left_it(
    store: S3Objects, proxy: FaultyProxy
) -> None:
    """At each step: nothing is lost, nothing is half, and the same step then goes through."""
    staging = store.staging.begin(UPLOAD, len(NEW), 5 << 20)
    steps: list[Callable[[], object]] = [
        lambda: store.staging.begin(OTHER, len(NEW), 5 << 20),
        lambda: store.staging.receive(staging, 1, io.BytesIO(NEW)),
        lambda: store.staging.parts(staging),
        lambda: store.staging.finish(staging, ""),
        lambda: store.staging.finish(staging, ""),
        lambda: store.staging.give_up(staging),
    ]
    for step in steps:
        for fault in (Fault.DOWN, Fault.HANG, Fault.FAIL):
            proxy.fault = fault
            began = time.monotonic()
            with pytest.raises(Unavailable):
                step()
            assert time.monotonic() - began < 2 * 2
        proxy.fault = Fault.NONE
        step()
    assert store.verify(hashlib.sha256(NEW).hexdigest())
    assert store.staging.sweep(0, {OTHER}) == 0


# --- the whole application over such a store ------------------------------------------------------


@pytest.fixture
def world(
    postgres_s3_copy: Copy, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[FlaskClient, World]]:
    """A furnished house on Postgres and S3, its store reached through the proxy."""
    site, world = postgres_s3_copy(True)
    assert world is not None
    through = {
        "GATEKEEPER_STORE__S3__ENDPOINT_URL": proxy.url,
        "GATEKEEPER_STORE__S3__ANSWER_SECONDS": "0.5",
    }
    site = replace(site, store={**site.store, **through})
    house = site.open()
    app = create_app(site.settings, house, read_keys(site.settings, site.data).sessions)
    yield app.test_client(), replace(world, house=house)
    house.db.close()


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.HANG, Fault.FAIL])
def test_without_its_store_the_site_says_503_for_bytes_and_the_rest_goes_on(
    world: tuple[FlaskClient, World], proxy: FaultyProxy, fault: Fault
) -> None:
    """A decision, a link and a page need no store; a byte needs one, and comes when it is back."""
    client, there = world
    mine = there.cast.researcher.headers
    weights = f"/northfield/lyra-t3/resolve/main/{WEIGHTS}"
    whole = client.get(weights, headers=mine).data
    proxy.fault = fault
    answer = client.get(weights, headers=mine)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.data not in whole
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert client.head(weights, headers=mine).status_code == 200
    body = {"model": "northfield/lyra-t3", "revision": "main", "path": WEIGHTS}
    link = client.post("/api/v1/links", json=body, headers=mine)
    assert link.status_code == 201
    assert link.json is not None
    address = urlsplit(link.json["url"]).path
    assert client.get(address).status_code == 503
    card = client.get("/northfield/lyra-t3")
    assert card.status_code in {200, 503}
    proxy.fault = Fault.NONE
    assert client.get(address).data == whole
    assert client.get("/readyz").status_code == 200


def test_an_answer_that_the_store_broke_off_never_looks_whole(
    world: tuple[FlaskClient, World], proxy: FaultyProxy, tmp_path: Path
) -> None:
    """The length was announced; what comes is shorter and ends in an error."""
    client, there = world
    model = builders.publish_model(there.house, tmp_path, "large", "T0")
    (tmp_path / "large" / WEIGHTS).write_bytes(HELD)
    target = Target(model.namespace, model.name, RELEASE, tier=model.tier)
    revisions.publish(there.house, context(), tmp_path / "large", target)
    proxy.fault = Fault.SLOW
    answer = client.get(f"/{model.full_name}/resolve/main/{WEIGHTS}", buffered=False)
    assert answer.headers["Content-Length"] == str(len(HELD))
    proxy.fault = Fault.DOWN
    with pytest.raises(Unavailable):
        b"".join(answer.iter_encoded())
    answer.close()
