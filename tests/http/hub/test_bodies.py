"""Bodies that are larger than a form: where they lie meanwhile, and how many at once."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from gatekeeper.domain.errors import Busy
from gatekeeper.web import bodies
from gatekeeper.web.wiring import Room
from tests.http.hub import xet_builder as x
from tests.http.hub.conftest import Hub, file, ndjson
from tests.http.hub.test_xet import BLOB, A, begin

MODEL = "northfield/lyra-t0"


def with_rooms(app: Flask, **rooms: Room) -> None:
    """Give the application other rooms."""
    app.extensions["gatekeeper"] = replace(app.extensions["gatekeeper"], **rooms)


def is_busy(answer: TestResponse) -> bool:
    """Say whether an answer is 503 and when to come again."""
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0


def test_what_is_in_a_commit_never_lies_in_the_systems_own_folder(
    owner: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That may be memory: it has five megabytes, and is refused once all of them were read."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    large = [file(f"{n}.bin", bytes(12_000)) for n in range(450)]
    assert owner.commit(MODEL, *large).status_code == 413
    assert owner.commit(MODEL, file("a", b"1")).status_code == 200


def test_commits_have_so_many_bytes_at_once_and_no_more(owner: Hub, app: Flask) -> None:
    room = Room(10_000, "full")
    with_rooms(app, spooling=room)
    padded = ndjson(("header", {"summary": "s"}), file("a", b"1")).ljust(9_000)
    with room.taken("one", 1_001):
        assert is_busy(owner.commit_raw(MODEL, padded))
    for body, status in ((padded + b"\n{oops", 400), (padded, 200), (padded, 200)):
        assert owner.commit_raw(MODEL, body).status_code == status
    assert is_busy(owner.commit_raw(MODEL, padded.ljust(10_001)))


def test_a_commit_longer_than_the_longest_is_refused_unread(owner: Hub, app: Flask) -> None:
    answer = owner.client.post(
        f"/api/models/{MODEL}/commit/main",
        environ_overrides={"CONTENT_LENGTH": str(bodies.LARGEST_COMMIT_BYTES + 1)},
        headers=owner.headers,
    )
    assert answer.status_code == 413
    assert str(bodies.LARGEST_COMMIT_BYTES) in answer.get_json()["error"]


def test_so_many_shards_are_put_together_at_once_and_no_more(owner: Hub, app: Flask) -> None:
    """A client asks again after 503; what waits for its turn lies on the disk, not in memory."""
    room = Room(1, "full")
    with_rooms(app, assembling=room)
    session = begin(owner)
    made = x.file(BLOB, x.term(A, BLOB))
    with room.taken("one"):
        assert session.xorb(A, x.xorb_of(BLOB)).status_code == 200
        assert is_busy(session.shard(made))
    assert session.post("/v1/shards", b"no shard").status_code == 400
    assert session.shard(made).status_code == 200


def test_who_finds_a_room_full_waits_a_while() -> None:
    room, began, heard = Room(2, "full", patience_seconds=60), threading.Event(), []

    def wait() -> None:
        began.set()
        with room.taken("other", 2):
            heard.append("in")

    waits: Any = threading.Thread(target=wait)
    with room.taken("one"):
        waits.start()
        assert began.wait(60)
        assert heard == []
    waits.join(60)
    assert heard == ["in"]


def test_what_one_person_takes_leaves_room_for_others() -> None:
    room = Room(4, "full", most_each=2)
    with room.taken("one", 2):
        with pytest.raises(Busy), room.taken("one"):
            raise AssertionError("there was none left for them")
        with room.taken("other", 2):
            pass
    with room.taken("one", 2):
        pass
