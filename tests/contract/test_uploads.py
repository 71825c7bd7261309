"""Uploads before they are published: who may, how they go on, and what a revision is made of.

Each on SQLite and on Postgres, with parts on a disk.
"""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gatekeeper.domain.access import Refused
from gatekeeper.domain.errors import Conflict, Invalid, NotAllowed, NotFound, TooLarge, Unavailable
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.domain.people import SYSTEM, Actor, ActorKind, Context, Role, Scope
from gatekeeper.domain.uploads import Upload, UploadState
from gatekeeper.services import contents, members, storage
from gatekeeper.services.publishing import additions
from gatekeeper.services.publishing.additions import Additions
from gatekeeper.services.uploads import sending, verifying
from gatekeeper.services.uploads.sending import Wanted
from tests.builders import WEIGHTS, World
from tests.cast import context

PART = 1000
BODY = bytes(range(250)) * 10  # parts of 1000, 1000 and 500 bytes
DIGEST = hashlib.sha256(BODY).hexdigest()
NOW = context().now
NEW = Wanted("new.bin", len(BODY), mark="m")


@pytest.fixture
def world(any_world: World) -> World:
    """A house that cuts files into small parts."""
    limits = replace(any_world.house.policy.uploads, part_bytes=PART, max_open=3)
    policy = replace(any_world.house.policy, uploads=limits)
    return replace(any_world, house=replace(any_world.house, policy=policy))


@pytest.fixture
def owner(world: World) -> Context:
    """The owner in a browser."""
    return context(world.cast.owner.actor)


def send(world: World, who: Context, upload: Upload, *numbers: int, body: bytes = BODY) -> None:
    """Send some parts."""
    for number in numbers:
        part = body[(number - 1) * PART : number * PART]
        sending.receive(world.house, lambda: who, upload.id, number, (len(part), io.BytesIO(part)))


def verify(world: World, later: timedelta = timedelta()) -> bool:
    """Let the worker do one."""
    return verifying.verify_next(world.house, lambda: context(SYSTEM, context().now + later))


def ready(world: World, who: Context, path: str = "new.bin", body: bytes = BODY) -> Upload:
    """Upload a file whole."""
    wanted = Wanted(path, len(body), mark=hashlib.sha256(body).hexdigest())
    upload = sending.begin(world.house, who, world.name("T3"), wanted).upload
    send(world, who, upload, *range(1, upload.staging.parts + 1), body=body)
    sending.complete(world.house, who, upload.id)
    assert verify(world)
    return sending.look(world.house, who, upload.id).upload


def files(world: World) -> dict[str, str]:
    """Return the files of the model, as its owner sees them."""
    shown = contents.show(world.house, context(world.cast.owner.actor), *world.name("T3"))
    return {file.path: file.sha256 for file in shown.files}


def head(world: World) -> str:
    """Return the model's revision."""
    owner = context(world.cast.owner.actor)
    found = additions.draft(world.house, owner, world.name("T3")).revision
    assert found is not None
    return found.id


def entries(world: World) -> int:
    """Count what was recorded."""
    with world.house.db.reading() as read:
        return len(read.audit.search(EntryFilter(kinds=(), limit=10_000)))


# --- going on -------------------------------------------------------------------------------------


def test_a_file_in_parts_becomes_one_of_a_new_revision(world: World, owner: Context) -> None:
    before, base, recorded = files(world), head(world), entries(world)
    upload = ready(world, owner)
    assert (upload.state, upload.sha256) == (UploadState.READY, DIGEST)
    assert (files(world), entries(world)) == (before, recorded), "seen before it was published"
    done = additions.publish(
        world.house, owner, world.name("T3"), Additions(base, [upload.id], message="One more")
    )
    assert done.is_new
    assert files(world) == {**before, "new.bin": DIGEST}
    assert entries(world) == recorded + 1
    assert list(storage.fsck(world.house, read_data=True)) == []
    assert sending.mine(world.house, owner) == []


def test_the_same_file_goes_on_where_it_stopped_and_another_begins_anew(
    world: World, owner: Context
) -> None:
    house, model = world.house, world.name("T3")
    first = sending.begin(house, owner, model, NEW).upload
    send(world, owner, first, 2)
    again = sending.begin(house, owner, model, NEW)
    assert (again.upload.id, again.missing) == (first.id, (1, 3))
    other = sending.begin(house, owner, model, replace(NEW, mark="changed since"))
    assert (other.upload.id != first.id, other.missing) == (True, (1, 2, 3))
    with pytest.raises(NotFound):
        send(world, owner, first, 1)
    assert [s.upload.id for s in sending.mine(house, owner)] == [other.upload.id]
    unmarked = replace(NEW, path="b", mark="")
    ids = {sending.begin(house, owner, model, unmarked).upload.id for _ in range(2)}
    assert len(ids) == 2, "without a mark nobody knows that it is the same file"


def test_an_upload_with_missing_parts_is_not_completed_and_goes_on(
    world: World, owner: Context
) -> None:
    upload = sending.begin(world.house, owner, world.name("T3"), NEW).upload
    send(world, owner, upload, 1, 3)
    with pytest.raises(Conflict, match="1 of 3"):
        sending.complete(world.house, owner, upload.id)
    send(world, owner, upload, 2)
    states = [sending.complete(world.house, owner, upload.id).upload.state for _ in range(2)]
    assert states == [UploadState.VERIFYING] * 2, "completing twice is completing"
    with pytest.raises(Conflict, match="takes no parts"):
        send(world, owner, upload, 2, body=bytes(len(BODY)))
    assert verify(world)
    assert not verify(world)
    assert sending.look(world.house, owner, upload.id).upload.sha256 == DIGEST


def test_bytes_of_another_digest_than_announced_fail_and_leave_nothing(
    world: World, owner: Context
) -> None:
    wanted = replace(NEW, sha256="0" * 64)
    upload = sending.begin(world.house, owner, world.name("T3"), wanted).upload
    send(world, owner, upload, 1, 2, 3)
    sending.complete(world.house, owner, upload.id)
    assert verify(world)
    failed = sending.look(world.house, owner, upload.id).upload
    assert failed.state is UploadState.FAILED
    assert DIGEST in failed.detail
    assert world.house.objects.size(DIGEST) is None
    with pytest.raises(Conflict):
        sending.complete(world.house, owner, upload.id)
    again = sending.begin(world.house, owner, world.name("T3"), wanted).upload
    assert again.id != upload.id


def test_a_worker_that_dies_is_followed_by_another_once_its_lease_has_ended(
    world: World, owner: Context
) -> None:
    upload = sending.begin(world.house, owner, world.name("T3"), NEW).upload
    send(world, owner, upload, 1, 2, 3)
    sending.complete(world.house, owner, upload.id)
    with world.house.db.acting(context(SYSTEM)) as act:  # all that a killed worker leaves
        act.uploads.claim(context().now, context().now + verifying.LEASE)
    assert not verify(world)
    assert verify(world, later=verifying.LEASE)
    assert sending.look(world.house, owner, upload.id).upload.state is UploadState.READY


def test_a_worker_that_reads_for_long_keeps_its_lease(world: World, owner: Context) -> None:
    upload = sending.begin(world.house, owner, world.name("T3"), NEW).upload
    send(world, owner, upload, 1, 2, 3)
    sending.complete(world.house, owner, upload.id)
    ticks = itertools.count()
    others: list[bool] = []

    def clock() -> Context:
        tick = next(ticks)
        at = context(SYSTEM, NOW + tick * timedelta(seconds=50))
        if tick in {2, 3}:  # while the second and the third part are read
            others.append(verifying.verify_next(world.house, lambda: at))
        return at

    assert verifying.verify_next(world.house, clock)
    assert others == [False, False]


def test_what_nobody_comes_back_to_is_given_up_and_what_goes_on_is_not(
    world: World, owner: Context
) -> None:
    house, model = world.house, world.name("T3")
    left = sending.begin(house, owner, model, NEW).upload
    kept = sending.begin(house, owner, model, replace(NEW, path="kept")).upload
    send(world, owner, left, 1)
    send(world, owner, kept, 1)
    later = context(world.cast.owner.actor, NOW + timedelta(hours=23))
    sending.look(house, later, kept.id)
    verifying.sweep(house, context(SYSTEM, NOW + timedelta(hours=25)))
    with pytest.raises(NotFound):
        sending.look(house, owner, left.id)
    with pytest.raises(NotFound):
        house.objects.staging.parts(left.staging)
    assert sending.look(house, later, kept.id).missing == (2, 3)


# --- who may --------------------------------------------------------------------------------------


def test_nobody_but_owners_and_publishers_begins_an_upload(world: World) -> None:
    for member in world.cast:
        if member.key != "owner":
            with pytest.raises((NotAllowed, Refused)):
                sending.begin(world.house, context(member.actor), world.name("T3"), NEW)
    reader = replace(world.cast.owner.bearer, scope=Scope.READ)
    for actor in (Actor(ActorKind.ANONYMOUS), reader):
        with pytest.raises(Refused):
            sending.begin(world.house, context(actor), world.name("T3"), NEW)


def test_an_upload_is_known_to_nobody_but_who_began_it(world: World, owner: Context) -> None:
    house, upload = world.house, ready(world, owner)
    members.set_role(
        house, context(), "northfield", world.cast.handler.email, Role.PUBLISHER, remove=False
    )
    other = context(world.cast.handler.actor)
    asks: list[Callable[[], object]] = [
        lambda: sending.look(house, other, upload.id),
        lambda: send(world, other, upload, 1),
        lambda: sending.complete(house, other, upload.id),
        lambda: sending.give_up(house, other, upload.id),
        lambda: additions.publish(
            house, other, world.name("T3"), Additions(head(world), [upload.id])
        ),
    ]
    for ask in asks:
        with pytest.raises(NotFound):
            ask()
    assert sending.mine(house, other) == []
    assert sending.look(house, owner, upload.id).upload == upload


@pytest.mark.parametrize("ended", ["role", "account", "scope"])
def test_a_right_that_ends_while_a_body_comes_in_takes_nothing(
    world: World, owner: Context, ended: str
) -> None:
    house, email = world.house, world.cast.owner.email
    upload = sending.begin(house, owner, world.name("T3"), NEW).upload
    whole = ready(world, owner, "whole")
    who = {"now": owner}

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if not (chunk := super().read(size)):
                if ended == "role":
                    members.set_role(house, context(), "northfield", email, Role.OWNER, remove=True)
                elif ended == "account":
                    members.set_suspended(house, context(), email, "left", suspended=True)
                else:
                    reader = replace(world.cast.owner.bearer, scope=Scope.READ)
                    who["now"] = context(reader)
            return chunk

    with pytest.raises((NotAllowed, Refused)):
        sending.receive(house, lambda: who["now"], upload.id, 1, (PART, Slow(BODY[:PART])))
    assert house.objects.staging.parts(upload.staging) == frozenset()
    for ask in (
        lambda: sending.complete(house, who["now"], upload.id),
        lambda: additions.publish(house, who["now"], world.name("T3"), Additions(None, [whole.id])),
    ):
        with pytest.raises((NotAllowed, Refused)):
            ask()


def test_whose_role_was_taken_still_gives_their_own_uploads_up(
    world: World, owner: Context
) -> None:
    """And does nothing else with them; with a token it needs the scope as before."""
    house, email = world.house, world.cast.owner.email
    upload = sending.begin(house, owner, world.name("T3"), NEW).upload
    send(world, owner, upload, 1)
    whole = ready(world, owner, "whole")
    members.set_role(house, context(), "northfield", email, Role.OWNER, remove=True)
    reader = context(replace(world.cast.owner.bearer, scope=Scope.READ))
    with pytest.raises(Refused):
        sending.give_up(house, reader, upload.id)
    with pytest.raises(NotFound):
        sending.give_up(house, context(world.cast.handler.actor), upload.id)
    for ask in (
        lambda: sending.look(house, owner, upload.id),
        lambda: send(world, owner, upload, 2),
        lambda: sending.complete(house, owner, upload.id),
    ):
        with pytest.raises(NotAllowed):
            ask()
    assert {standing.upload.id for standing in sending.mine(house, owner)} == {upload.id, whole.id}
    for left in (upload, whole):
        sending.give_up(house, owner, left.id)
        with pytest.raises(NotFound):
            sending.give_up(house, owner, left.id)
    assert sending.mine(house, owner) == []
    with pytest.raises(NotFound):
        house.objects.staging.parts(upload.staging)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".git/config", "a\\b", "a\nb", "x" * 513]
)
def test_a_path_that_no_revision_may_have_is_refused(
    world: World, owner: Context, path: str
) -> None:
    with pytest.raises(Invalid):
        sending.begin(world.house, owner, world.name("T3"), replace(NEW, path=path))


def test_one_person_has_so_many_uploads_and_bytes_at_once_and_no_more(
    world: World, owner: Context
) -> None:
    house, model = world.house, world.name("T3")
    most = replace(house.policy.uploads, max_file_bytes=10_000, max_open_bytes=12_000)
    house = replace(house, policy=replace(house.policy, uploads=most))
    for wanted in (replace(NEW, size_bytes=10_001), replace(NEW, size_bytes=1 << 60)):
        with pytest.raises(TooLarge, match="at most 10000"):
            sending.begin(house, owner, model, wanted)
    sending.begin(house, owner, model, replace(NEW, size_bytes=9_000))
    with pytest.raises(TooLarge, match="12000 bytes"):
        sending.begin(house, owner, model, Wanted("b", 3_001))
    sending.begin(house, owner, model, replace(NEW, size_bytes=8_000))  # replaces the first
    for path in ("b", "c"):
        sending.begin(house, owner, model, Wanted(path, 1))
    with pytest.raises(TooLarge, match="3 uploads"):
        sending.begin(house, owner, model, Wanted("d", 1))
    assert house.objects.staging.sweep(-1, frozenset()) == 3, "a refused one left its folder"


# --- publishing -----------------------------------------------------------------------------------


def test_of_two_who_publish_on_one_base_the_second_learns_of_the_first(
    world: World, owner: Context
) -> None:
    base, model = head(world), world.name("T3")
    first, second = ready(world, owner, "a"), ready(world, owner, "b", BODY[:7])
    additions.publish(world.house, owner, model, Additions(base, [first.id]))
    with pytest.raises(Conflict) as caught:
        additions.publish(world.house, owner, model, Additions(base, [second.id]))
    assert caught.value.state == head(world) != base
    additions.publish(world.house, owner, model, Additions(head(world), [second.id]))
    assert {"a", "b"} <= set(files(world))


def test_files_are_replaced_and_removed_and_terms_stay(world: World, owner: Context) -> None:
    with world.house.db.reading() as read:
        before = read.catalogue.model(*world.name("T3"))
    there = files(world)
    gone = next(path for path in there if path != WEIGHTS)
    upload = ready(world, owner, WEIGHTS)
    wanted = Additions(head(world), [upload.id], [gone], "Retrained")
    additions.publish(world.house, owner, world.name("T3"), wanted)
    assert files(world) == {**{p: s for p, s in there.items() if p != gone}, WEIGHTS: DIGEST}
    with world.house.db.reading() as read:
        after = read.catalogue.model(*world.name("T3"))
    assert before is not None
    assert after == replace(before, changed_at=after.changed_at if after else before.changed_at)


def test_what_cannot_be_a_revision_is_refused_and_nothing_is_lost(
    world: World, owner: Context
) -> None:
    there, base = list(files(world)), head(world)
    upload = ready(world, owner, f"{WEIGHTS}/inside")
    same = ready(world, owner, WEIGHTS)
    wrong = [
        Additions(base, [upload.id]),
        Additions(base, [], there),
        Additions(base, [], ["no such file"]),
        Additions(base, [same.id], [WEIGHTS]),
    ]
    for wanted in wrong:
        with pytest.raises(Invalid):
            additions.publish(world.house, owner, world.name("T3"), wanted)
    unfinished = sending.begin(world.house, owner, world.name("T3"), NEW).upload
    with pytest.raises(Conflict, match="not ready"):
        additions.publish(world.house, owner, world.name("T3"), Additions(base, [unfinished.id]))
    with pytest.raises(NotFound):
        additions.publish(world.house, owner, world.name("T0"), Additions(base, [same.id]))
    assert head(world) == base
    assert len(sending.mine(world.house, owner)) == 3


def test_nothing_that_changes_nothing_is_a_revision(world: World, owner: Context) -> None:
    upload = ready(world, owner, "a")
    done = additions.publish(
        world.house, owner, world.name("T3"), Additions(head(world), [upload.id])
    )
    upload = ready(world, owner, "a")
    again = additions.publish(
        world.house, owner, world.name("T3"), Additions(done.revision_id, [upload.id])
    )
    assert (again.is_new, again.revision_id) == (False, done.revision_id)


def test_a_blob_that_is_gone_is_not_published(world: World, owner: Context, tmp_path: Path) -> None:
    upload = ready(world, owner)
    path = world.house.objects.path(upload.sha256)
    assert path is not None
    (blob,) = tmp_path.rglob(f"blobs/{path}")
    blob.unlink()
    with pytest.raises(Unavailable, match=r"new\.bin"):
        additions.publish(world.house, owner, world.name("T3"), Additions(head(world), [upload.id]))
