"""Large files by Xet: what a session takes, from whom, what it makes of it; and attacks on it."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import lz4.frame
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gatekeeper.app import create_app, read_keys
from gatekeeper.domain.people import SYSTEM, Role, Scope
from gatekeeper.domain.uploads import UploadState
from gatekeeper.domain.xet import LARGEST_SHARD_BYTES, LARGEST_XORB_BYTES
from gatekeeper.services import members, tokens
from gatekeeper.services.uploads import sending, verifying, xet
from tests.builders import World
from tests.cast import context
from tests.conftest import Site
from tests.http.hub import xet_builder as x
from tests.http.hub.conftest import Hub, elsewhere
from tests.http.hub.test_lfs import named
from tests.http.hub.xet_builder import File, Term

MODEL = "northfield/lyra-t3"
BLOB = hashlib.shake_256(b"noise").digest(300_001)
TEXT = b"".join(b"line %d\n" % n for n in range(40_000))
A, B = x.named("a"), x.named("b")


@dataclass(slots=True)
class Session:
    """Somebody's session, as the client has it."""

    client: FlaskClient
    address: str
    token: str

    def post(self, path: str, body: bytes, token: str | None = None) -> TestResponse:
        """Send bytes."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return self.client.post(f"{self.address}{path}", data=body, headers=headers)

    def xorb(self, name: str, body: bytes) -> TestResponse:
        """Send a xorb."""
        return self.post(f"/v1/xorbs/default/{name}", body)

    def shard(self, *files: File) -> TestResponse:
        """Send a shard of these files."""
        return self.post("/v1/shards", x.shard(*files))

    def whole(self, content: bytes, name: str = A, *kinds: int) -> TestResponse:
        """Send a file that is a xorb of its own."""
        assert self.xorb(name, x.xorb_of(content, *kinds)).status_code == 200
        return self.shard(x.file(content, x.term(name, content)))


def token_of(hub: Hub, model: str = MODEL) -> TestResponse:
    """Ask for a token."""
    return hub.client.get(f"/api/models/{model}/xet-write-token/main", headers=hub.headers)


def begin(hub: Hub, model: str = MODEL) -> Session:
    """Begin a session."""
    told = token_of(hub, model).get_json()
    return Session(hub.client, told["casUrl"].removeprefix("http://localhost"), told["accessToken"])


@pytest.fixture
def session(owner: Hub) -> Session:
    """A session of the owner's."""
    return begin(owner)


def is_usable(hub: Hub, content: bytes, model: str = MODEL) -> bool:
    """Say whether somebody may name these bytes in a commit."""
    oid = hashlib.sha256(content).hexdigest()
    answer = hub.commit(model, named("new.bin", oid, len(content)))
    assert answer.status_code in {200, 400}, answer.get_json()
    return answer.status_code == 200


def fetched(hub: Hub, path: str = "new.bin") -> bytes:
    """Return a file of the model."""
    answer = hub.client.get(f"/{MODEL}/resolve/main/{path}", headers=hub.headers)
    assert answer.status_code == 200
    return answer.data


def refused(answer: TestResponse, *statuses: int) -> str:
    """Return what a refusal says; it says something, in the body and in the header."""
    assert answer.status_code in (statuses or {400}), (answer.status_code, answer.data)
    said: str = answer.get_json()["error"]
    assert said
    assert answer.headers["X-Error-Message"]
    return said


# --- what works -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [(x.RAW,), (x.LZ4,), (x.GROUPED,), (x.GROUPED, x.RAW, x.LZ4)])
def test_a_file_is_put_together_and_named(
    session: Session, owner: Hub, kinds: tuple[int, ...]
) -> None:
    content = TEXT[: 200_000 + len(kinds)]  # its last chunk has 1 to 3 bytes over
    assert not is_usable(owner, content)
    assert session.whole(content, A, *kinds).get_json() == {"result": 1}
    assert is_usable(owner, content)
    assert fetched(owner) == content


def test_a_token_says_where_and_until_when_in_body_and_headers(owner: Hub) -> None:
    first, second = token_of(owner), token_of(owner)
    told = first.get_json()
    assert first.headers["X-Xet-Access-Token"] == told["accessToken"]
    assert first.headers["X-Xet-Token-Expiration"] == str(told["exp"])
    assert first.headers["X-Xet-Cas-Url"] == told["casUrl"]
    assert "no-store" in first.headers["Cache-Control"]
    now = context().now.timestamp()
    assert now < told["exp"] <= now + 3600
    assert told["casUrl"] != second.get_json()["casUrl"]


def test_files_share_xorbs_and_lie_in_several(session: Session, owner: Hub) -> None:
    """Also twice the same file in one shard, and a file that goes back to a xorb it had left."""
    one, two = BLOB[: x.CHUNK * 3], TEXT[: x.CHUNK * 2]
    session.xorb(A, x.xorb_of(one))
    session.xorb(B, x.xorb_of(two, x.LZ4))
    both = one + two + one[x.CHUNK :]
    mixed = x.file(both, x.term(A, one), x.term(B, two), x.term(A, one[x.CHUNK :], 1))
    part = x.file(two[x.CHUNK :], x.term(B, two[x.CHUNK :], 1))
    assert session.shard(mixed, part, mixed).status_code == 200
    assert is_usable(owner, both)
    assert fetched(owner) == both
    assert is_usable(owner, two[x.CHUNK :])


def test_a_later_shard_names_xorbs_of_an_earlier_one(session: Session, owner: Hub) -> None:
    assert session.whole(BLOB).status_code == 200
    assert is_usable(owner, BLOB)
    rest = BLOB[x.CHUNK :]
    assert session.shard(x.file(rest, x.term(A, rest, 1))).status_code == 200
    assert is_usable(owner, rest)


def test_a_xorb_may_end_in_a_footer(session: Session, owner: Hub) -> None:
    footer = b"XETBLOB\x01" + os.urandom(100)
    session.xorb(A, x.xorb_of(BLOB) + footer + struct.pack("<I", len(footer)))
    assert session.shard(x.file(BLOB, x.term(A, BLOB))).status_code == 200
    assert is_usable(owner, BLOB)


def test_what_is_sent_again_changes_nothing(session: Session, owner: Hub) -> None:
    body, made = x.xorb_of(BLOB), x.file(BLOB, x.term(A, BLOB))
    assert session.xorb(A, body).get_json() == {"was_inserted": True}
    assert session.xorb(A, body).get_json() == {"was_inserted": False}
    assert [session.shard(made).status_code for _ in range(2)] == [200, 200]
    assert is_usable(owner, BLOB)
    assert session.shard(made).status_code == 200  # it is in the model now


def test_an_upload_that_was_killed_is_nothing_and_may_be_made_again(
    session: Session, owner: Hub, world: World
) -> None:
    before = sorted(world.house.objects.walk())
    session.xorb(A, x.xorb_of(BLOB))
    assert not is_usable(owner, BLOB)
    assert sorted(world.house.objects.walk()) == before
    assert sending.mine(world.house, context(world.cast.owner.actor)) == []
    assert begin(owner).whole(BLOB).status_code == 200
    assert is_usable(owner, BLOB)


def test_a_new_token_opens_the_old_session(session: Session, owner: Hub) -> None:
    session.xorb(A, x.xorb_of(BLOB))
    session.token = begin(owner).token
    assert session.shard(x.file(BLOB, x.term(A, BLOB))).status_code == 200
    assert is_usable(owner, BLOB)


def test_several_servers_share_a_session(session: Session, site: Site) -> None:
    """Nothing of it is in a process: another one over the same house goes on with it."""
    session.xorb(A, x.xorb_of(BLOB))
    house = site.open()
    other = create_app(site.settings, house, read_keys(site.settings, site.data).sessions)
    session.client = other.test_client()
    assert session.shard(x.file(BLOB, x.term(A, BLOB))).status_code == 200
    house.db.close()


def test_a_session_goes_on_under_the_models_new_name(session: Session, owner: Hub) -> None:
    session.xorb(A, x.xorb_of(BLOB))
    moved = {"fromRepo": MODEL, "toRepo": "northfield/lyra-anew"}
    assert owner.post("/api/repos/move", moved).status_code < 300
    assert (
        token_of(owner).headers["Location"].endswith("/northfield/lyra-anew/xet-write-token/main")
    )
    assert session.shard(x.file(BLOB, x.term(A, BLOB))).status_code == 200
    assert is_usable(owner, BLOB, "northfield/lyra-anew")


# --- who may --------------------------------------------------------------------------------------


def test_who_may_not_publish_gets_no_token(world: World, client: FlaskClient) -> None:
    assert token_of(Hub(client, None)).status_code == 401
    reader = token_of(Hub(client, world.cast["researcher"]))
    assert (reader.status_code, "X-Xet-Access-Token" in reader.headers) == (403, False)
    hidden = "/".join(world.name("hidden"))
    for hub in (Hub(client, None), Hub(client, world.cast["researcher"])):
        answers = [token_of(hub, model) for model in (hidden, "northfield/none")]
        assert answers[0].data == answers[1].data
        assert {a.headers["X-Error-Code"] for a in answers} == {"RepoNotFound"}


def test_a_token_that_only_reads_begins_nothing(world: World, client: FlaskClient) -> None:
    person = world.cast["owner"].id
    _, text = tokens.create(world.house, context(), person, "r", Scope.READ, 1)
    assert token_of(Hub(client, None, text)).status_code == 403


def test_nothing_but_a_token_of_this_kind_opens_a_session(
    session: Session, owner: Hub, client: FlaskClient
) -> None:
    from tests.http.hub.test_lfs import address

    ticket = address(owner).rpartition("/")[2]
    access_token = owner.headers["Authorization"].removeprefix("Bearer ")
    for token in ("", "x", access_token, ticket, session.token[:-4] + "AAAA", session.token + "A"):
        for path in (f"/v1/xorbs/default/{A}", "/v1/shards"):
            refused(session.post(path, x.xorb_of(BLOB), token), 401)
    assert client.post(f"{session.address}/v1/shards", data=b"").status_code == 401
    assert client.put(f"/api/lfs/{session.token}", data=b"x").status_code == 403


def test_a_token_ends(session: Session, world: World, owner: Hub) -> None:
    actor = world.cast.owner.actor
    early = context(replace(actor, scope=Scope.WRITE), context().now - xet.TICKET_FOR)
    old = xet.begin(world.house, early, ("northfield", "lyra-t3"))
    session.token = old.ticket
    refused(session.xorb(A, x.xorb_of(BLOB)), 401)


@pytest.mark.parametrize("what", ["the token that asked", "the role"])
def test_a_session_ends_with(what: str, session: Session, world: World, owner: Hub) -> None:
    session.xorb(A, x.xorb_of(BLOB))
    status = 403
    if what == "the role":
        email = world.cast["owner"].email
        for role in (Role.OWNER, Role.PUBLISHER):
            members.set_role(world.house, context(), "northfield", email, role, remove=True)
    else:
        status = 401
        tokens.revoke(world.house, context(), owner.token_id)
    refused(session.xorb(B, x.xorb_of(BLOB)), status)
    refused(session.shard(x.file(BLOB, x.term(A, BLOB))), status)
    with world.house.db.reading() as read:
        oid, now = hashlib.sha256(BLOB).hexdigest(), context().now
        assert not read.uploads.held(world.cast.owner.id, {oid}, now)


def test_a_role_that_ends_while_a_xorb_comes_in_keeps_nothing(
    session: Session, world: World, owner: Hub
) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                tokens.revoke(world.house, context(), owner.token_id)
            return super().read(min(size or 0, 1000) if size and size > 0 else size)

    body = x.xorb_of(BLOB)
    place, actor = xet.sender(world.house, context(), session.token, session.address[-28:])
    with pytest.raises(Exception, match="revoked"):
        xet.receive(
            world.house,
            lambda: context(xet.sender(world.house, context(), session.token, place.session)[1]),
            place, A, (len(body), Slow(body)),
        )  # fmt: skip
    with world.house.db.reading() as read:
        assert actor.person_id is not None
        [row] = read.uploads.within(actor.person_id, place.model_id, place.folder, context().now)
    assert world.house.objects.staging.parts(row.staging) == frozenset()


def test_xorbs_of_another_session_cannot_be_named(
    session: Session, owner: Hub, world: World, client: FlaskClient
) -> None:
    """Not of one's own other upload, not of another model's, and not of somebody else's."""
    session.xorb(A, x.xorb_of(BLOB))
    made = x.file(BLOB, x.term(A, BLOB))
    other = elsewhere(world, client)
    other.post("/api/repos/create", {"name": "elsewhere/theirs"})
    later, elsewhere_model = begin(owner), begin(owner, "northfield/lyra-t0")
    stranger = begin(other, "elsewhere/theirs")
    elsewhere_model.address = stranger.address = session.address
    for thief in (later, elsewhere_model, stranger):
        assert A in refused(thief.shard(made))
    assert not is_usable(owner, BLOB)
    assert not is_usable(other, BLOB, "elsewhere/theirs")


def test_what_somebody_else_has_put_together_cannot_be_named(
    session: Session, world: World, client: FlaskClient
) -> None:
    session.whole(BLOB)
    other = elsewhere(world, client)
    other.post("/api/repos/create", {"name": "elsewhere/theirs"})
    assert not is_usable(other, BLOB, "elsewhere/theirs")


# --- what is refused ------------------------------------------------------------------------------

FRAME = lz4.frame.compress(BLOB[:1000])
BOMB = lz4.frame.compress(bytes(64 << 20))

# what is wrong -> the first chunk of a xorb that is else as it should be
BAD_CHUNKS: dict[str, bytes] = {
    "no frame": x.framed(b"garbage garbage garbage", 1000, x.LZ4),
    "a broken frame": x.framed(FRAME[:500] + b"????" + FRAME[504:], 1000, x.LZ4),
    "half a frame": x.framed(FRAME[:-300], 1000, x.LZ4),
    "two frames": x.framed(FRAME + lz4.frame.compress(b""), 1000, x.LZ4),
    "a frame of more than it says": x.framed(FRAME, 999, x.LZ4),
    "a frame of less than it says": x.framed(FRAME, 1001, x.LZ4),
    "bytes that are more than it says": x.framed(BLOB[:1000], 999, x.RAW),
    "bytes that are fewer than it says": x.framed(BLOB[:1000], 1001, x.RAW),
    "a bomb": x.framed(BOMB[:130_000], 128 << 10, x.LZ4),
    "too large a chunk": x.framed(bytes(200_000), 200_000, x.RAW),
    "nothing in it": x.framed(b"", 0, x.RAW),
    "much packed into little": x.framed(bytes(70_000), 10, x.LZ4),
    "an unknown packing": x.framed(BLOB[:1000], 1000, 3),
    "another version": x.framed(BLOB[:1000], 1000, x.RAW, version=1),
    "more than came": x.framed(BLOB[:1000], 70_000, x.RAW, packed_bytes=70_000),
}


def test_a_xorb_with_a_chunk_that_is_none_becomes_no_file(
    session: Session, owner: Hub, world: World
) -> None:
    before = sorted(world.house.objects.walk())
    digest = hashlib.sha256(BLOB[:1000]).hexdigest()
    for wrong, body in BAD_CHUNKS.items():
        assert session.xorb(x.named(wrong), body).status_code == 200
        said = refused(session.shard(File([Term(x.named(wrong), 1000, 0, 1)], digest)))
        assert "chunk" in said or "xorb" in said or "announced" in said, wrong
        assert not is_usable(owner, BLOB[:1000]), wrong
    assert sorted(world.house.objects.walk()) == before
    # Nothing of it stands in the way of the right one.
    assert session.whole(BLOB[:1000]).status_code == 200
    assert is_usable(owner, BLOB[:1000])


def test_a_bomb_is_left_after_the_first_byte_that_is_too_many() -> None:
    import tracemalloc

    from gatekeeper.domain.errors import Invalid
    from gatekeeper.domain.xet import Chunk, Packing
    from gatekeeper.services.uploads.unpacking import unpack

    tracemalloc.start()
    with pytest.raises(Invalid, match="not one LZ4 frame"):
        unpack(Chunk(Packing.LZ4, len(BOMB), 128 << 10), memoryview(BOMB))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_another_sha256_than_announced_becomes_no_file(
    session: Session, owner: Hub, world: World
) -> None:
    before = sorted(world.house.objects.walk())
    session.xorb(A, x.xorb_of(BLOB))
    other = BLOB[:-1] + b"?"
    wrong = File([x.term(A, BLOB)], hashlib.sha256(other).hexdigest())
    assert "announced" in refused(session.shard(wrong))
    assert not is_usable(owner, other)
    assert not is_usable(owner, BLOB)
    assert sorted(world.house.objects.walk()) == before
    assert session.shard(x.file(BLOB, x.term(A, BLOB))).status_code == 200


RIGHT = Term(A, len(BLOB), 0, len(x.cut(BLOB)))
OID = hashlib.sha256(BLOB).hexdigest()
BAD_SHARDS: dict[str, bytes] = {
    "nothing": b"",
    "half a header": x.shard()[:40],
    "another tag": x.shard(tag=b"MerkleDB Shard".ljust(32, b"\0")),
    "another version": x.shard(version=3),
    "no end": x.shard(File([RIGHT], OID))[:-96],
    "half an entry": x.shard(File([RIGHT], OID))[:-110],
    "more terms than came": x.shard(File([RIGHT], OID, count=1000)),
    "as many terms as a number can say": x.shard(File([RIGHT], OID, count=2**32 - 1)),
    "no SHA-256": x.shard(File([RIGHT], "")),
    "a xorb that never came": x.shard(File([replace(RIGHT, xorb=B)], OID)),
    "chunks beyond the last": x.shard(File([replace(RIGHT, end=RIGHT.end + 1)], OID)),
    "far beyond": x.shard(File([Term(A, len(BLOB), 65_530, 65_535)], OID)),
    "a range of nothing": x.shard(File([replace(RIGHT, end=0)], OID)),
    "a range the wrong way": x.shard(File([Term(A, len(BLOB), 4, 2)], OID)),
    "more bytes than the chunks": x.shard(File([replace(RIGHT, size_bytes=len(BLOB) + 1)], OID)),
    "fewer bytes than the chunks": x.shard(File([replace(RIGHT, size_bytes=len(BLOB) - 1)], OID)),
    "a term without bytes": x.shard(File([RIGHT, Term(A, 0, 0, 1)], OID)),
    "crumbs": x.shard(File([Term(A, 1, 0, 60)] * 20, OID)),
}


def test_a_shard_that_is_none_makes_no_file(session: Session, owner: Hub, world: World) -> None:
    before = sorted(world.house.objects.walk())
    session.xorb(A, x.xorb_of(BLOB))
    for wrong, body in BAD_SHARDS.items():
        assert refused(session.post("/v1/shards", body), 400, 411), wrong
        assert not is_usable(owner, BLOB), wrong
    assert sorted(world.house.objects.walk()) == before
    assert session.shard(File([RIGHT], OID)).status_code == 200


def test_a_file_larger_than_one_may_upload_is_refused_before_it_is_made(
    session: Session, world: World
) -> None:
    session.xorb(A, x.xorb_of(BLOB))
    most = world.house.policy.uploads.max_file_bytes
    many = [Term(A, 1 << 31, 0, 1)] * (most // (1 << 31) + 1)
    assert str(most) in refused(session.shard(File(many, OID)), 413)


def test_what_one_may_have_unpublished_bounds_xorbs_and_files(
    owner: Hub, world: World, app: Flask, client: FlaskClient
) -> None:
    room = len(x.xorb_of(BLOB)) + len(BLOB) - 1
    limited(app, max_open_bytes=room, max_open=1)
    session = begin(owner)
    assert session.xorb(A, x.xorb_of(BLOB)).status_code == 200
    refused(session.shard(x.file(BLOB, x.term(A, BLOB))), 413)
    refused(session.xorb(B, bytes(room)), 413)
    assert session.xorb(B, b"small").status_code == 200  # counted by bytes, not as a file


def limited(app: Flask, **limits: int) -> None:
    """Give the application's house other limits."""
    wiring = app.extensions["gatekeeper"]
    policy = wiring.house.policy
    uploads = replace(policy.uploads, **limits)
    house = replace(wiring.house, policy=replace(policy, uploads=uploads))
    app.extensions["gatekeeper"] = replace(wiring, house=house)


def test_a_person_has_so_many_xorbs_and_no_more(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MOST_XORBS", 2)
    assert [session.xorb(x.named(str(n)), b"xorb").status_code for n in range(3)] == [200, 200, 413]


def test_bodies_that_are_too_large_are_refused_unread(session: Session) -> None:
    class Unread(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("it was read")

    ways = {f"/v1/xorbs/default/{A}": LARGEST_XORB_BYTES, "/v1/shards": LARGEST_SHARD_BYTES}
    for path, most in ways.items():
        answer = session.client.post(
            session.address + path,
            input_stream=Unread(),
            environ_overrides={"CONTENT_LENGTH": str(most + 1)},
            headers={"Authorization": f"Bearer {session.token}"},
        )
        assert str(most) in refused(answer, 413)


def test_a_xorb_has_chunks_and_a_name_of_its_kind(session: Session) -> None:
    for name in ("0", "x" * 64, A.upper(), A + "0", "..%2F" + A[5:]):
        refused(session.xorb(name, x.xorb_of(BLOB)))
    refused(session.xorb(A, b""), 400, 411)


ELSE = ("chunks/default/", "xorb-grants/default/", "xorbs/other/", "reconstructions/")


def test_the_rest_of_the_protocol_is_not_here(session: Session) -> None:
    for path in ("/v2/shards", *(f"/v1/{path}{A}" for path in ELSE)):
        for answer in (session.post(path, b"x"), session.client.get(session.address + path)):
            refused(answer, 404)


def test_a_session_that_is_none_takes_nothing(session: Session) -> None:
    for made_up in ("x", "xet_0", "..%2F..", "xet_" + "g" * 24):
        session.address = f"/api/xet/{made_up}"
        assert session.xorb(A, x.xorb_of(BLOB)).status_code in {401, 404}


def test_nothing_is_downloaded_by_xet(owner: Hub, client: FlaskClient) -> None:
    answer = client.get(f"/api/models/{MODEL}/xet-read-token/main", headers=owner.headers)
    assert "resolve" in refused(answer, 404)
    assert client.post("/v1/telemetry", json={}).status_code == 200


# --- what is left ---------------------------------------------------------------------------------


def rows(world: World) -> int:
    """Return how many uploads the owner has, xorbs and others."""
    me, now = world.cast.owner.id, context().now
    with world.house.db.reading() as read:
        return sum(read.uploads.total(me, now, xorbs=are)[0] for are in (True, False))


def later(world: World, by: timedelta) -> None:
    """Let time pass and forget what nobody came back to."""
    verifying.forget_expired(world.house, context(SYSTEM, context().now + by))


def test_xorbs_go_soon_after_their_files_were_made(
    session: Session, owner: Hub, world: World
) -> None:
    session.whole(BLOB)
    session.xorb(B, x.xorb_of(TEXT))  # for a shard that is still to come
    place, actor = xet.sender(world.house, context(), session.token, session.address[-28:])
    assert actor.person_id is not None
    with world.house.db.reading() as read:
        xorbs = read.uploads.within(actor.person_id, place.model_id, place.folder, context().now)
    later(world, xet.SPENT_FOR / 2)
    assert rows(world) == 3
    later(world, xet.SPENT_FOR * 2)
    assert rows(world) == 2  # the file and the other xorb
    spent = next(upload for upload in xorbs if upload.path.endswith(A))
    with pytest.raises(Exception, match="given up"):
        world.house.objects.staging.parts(spent.staging)
    later(world, sending.OPEN_FOR * 2)
    assert rows(world) == 1
    assert is_usable(owner, BLOB)
    assert rows(world) == 0


def test_a_store_that_is_down_is_said_so_and_the_upload_goes_on_later(
    session: Session, owner: Hub, site: Site
) -> None:
    """Where blobs are written first is away: the disk's folder, or the spool before S3."""
    is_local = site.settings.store.backend == "local"
    folder = site.data / ("store/tmp" if is_local else "spool")
    session.xorb(A, x.xorb_of(BLOB))
    made = x.file(BLOB, x.term(A, BLOB))
    away = folder.rename(folder.with_name("away"))
    folder.write_bytes(b"no folder")
    answer = session.shard(made)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    folder.unlink()
    away.rename(folder)
    assert not is_usable(owner, BLOB)
    assert session.shard(made).status_code == 200
    assert is_usable(owner, BLOB)


def test_who_puts_a_file_together_is_waited_for_while_alive_and_no_longer(
    session: Session, owner: Hub, world: World
) -> None:
    """The row stands as another request leaves it that is at work, or was killed at it."""
    session.xorb(A, x.xorb_of(BLOB))
    oid, me = hashlib.sha256(BLOB).hexdigest(), context(world.cast.owner.actor)
    wanted = sending.Wanted(f".git/lfs/objects/{oid}", len(BLOB), oid, "xet")
    begun = sending.begin_at(world.house, me, ("northfield", "lyra-t3"), wanted, len(BLOB))
    now = context().now
    with world.house.db.acting(context()) as act:
        act.uploads.move(
            begun.upload.id, UploadState.OPEN, UploadState.VERIFYING, now + timedelta(days=1),
            leased_until=now + verifying.LEASE,
        )  # fmt: skip
    made = x.file(BLOB, x.term(A, BLOB))
    answer = session.shard(made)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    verifying.verify_next(world.house, lambda: context(SYSTEM, now + verifying.LEASE * 2))
    assert session.shard(made).status_code == 200
    assert is_usable(owner, BLOB)
