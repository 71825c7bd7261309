"""kill -9 in the middle of publishing, deciding and minting: SQLite and disk, Postgres and S3.

Nothing acknowledged is lost, nothing half-made is visible, and ledger, tables and store are clean.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from gatekeeper.db import tables as t
from gatekeeper.domain.applications import ApplicationState as S
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.grants import GrantState as G
from gatekeeper.domain.ledger import CompactRange, EntryFilter, leaf_hash
from gatekeeper.services import audit, downloads, grants, storage
from gatekeeper.services.applications import drafts
from gatekeeper.services.ports import House
from tests import builders
from tests.builders import World
from tests.cast import context
from tests.conftest import Site
from tests.fault import worker
from tests.fault.worker import Told
from tests.rooms import depth

CHANCE = random.Random(9)
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.fault.worker"])


def killed(site: Site, world: World, verb: str, number: int) -> list[Told]:
    """Let a process do a verb, kill it at a random point, and return what it had acknowledged."""
    ours, theirs = SERVER.Pipe(duplex=False)
    unopened = replace(world, house=None)  # type: ignore[arg-type]  # the process opens its own
    process = SERVER.Process(target=worker.work, args=(site, unopened, verb, number, theirs))
    process.start()
    theirs.close()
    told: list[Told] = [ours.recv() for _ in range(CHANCE.randint(1, 6))]
    process.join(CHANCE.uniform(0, 0.08))
    process.kill()
    process.join()
    assert process.exitcode == -9, "it died before it was killed"
    with contextlib.suppress(EOFError):
        while ours.poll():
            told.append(ours.recv())
    ours.close()
    return told


def check(house: House, *, read_data: bool = True) -> None:
    """Look through ledger, tables and store, as after a crash."""
    house.db.sequence_all()
    assert list(audit.verify(house)) == []
    assert audit.compare(house) == []
    assert list(storage.fsck(house, read_data=read_data)) == []


@pytest.fixture(params=["sqlite", "postgres_s3"])
def crashing(request: pytest.FixtureRequest) -> tuple[Site, World, str]:
    """A house that nobody holds open, and what it lies on."""
    copy: Callable[..., Any] = request.getfixturevalue(f"{request.param}_copy")
    site, world = copy(True)
    return site, world, request.param


def say(capsys: pytest.CaptureFixture[str], database: str, seen: Counter[str]) -> None:
    """Print the figures."""
    counts = ", ".join(f"{n} {what}" for what, n in seen.items())
    with capsys.disabled():
        print(f"\nkill -9 on {database}: {counts}")


def test_publishing_is_one_revision_or_nothing(
    crashing: tuple[Site, World, str], capsys: pytest.CaptureFixture[str]
) -> None:
    site, world, database = crashing
    seen = Counter(kills=0, acknowledged=0, unacknowledged=0, leftovers=0)
    model = world.models["T3"]
    known = revisions_of(site, world)
    for number in range(depth(5, 100)):
        told = killed(site, world, "publish", number)
        house = site.open()
        now = revisions_of(site, world)
        acknowledged = {t[1] for t in told}
        assert acknowledged <= now, "an acknowledged revision is lost"
        assert len(now - known - acknowledged) <= 1
        with house.db.reading() as read:
            head = read.catalogue.revision(model.id, "main")
            for revision_id in now - known:
                names = {f.path for f in read.catalogue.files(revision_id)}
                assert names == {"README.md", "same.bin", "new.bin"}
        assert head is not None
        assert head.id in (now - known - acknowledged or {told[-1][1]})
        for _, _, *blobs in told:
            assert all(house.objects.size(blob) is not None for blob in blobs)
        seen["leftovers"] += house.objects.sweep(0)
        check(house, read_data=number % 25 == 4)  # all that was ever published, each time anew
        house.db.close()
        seen["kills"] += 1
        seen["acknowledged"] += len(told)
        seen["unacknowledged"] += len(now - known - acknowledged)
        known = now
    say(capsys, f"{database}, publish", seen)


def revisions_of(site: Site, world: World) -> set[Any]:
    """Return the ids of every revision of the model."""
    house = site.open()
    with house.db.reading() as read:
        entries = read.audit.search(EntryFilter(kinds=("RevisionPublished",), limit=100_000))
        ids = {e.data["revision_id"] for e in entries}
        model = world.models["T3"].id
        found = {i for i in ids if read.catalogue.revision(model, str(i)) is not None}
    house.db.close()
    return found


STEPS = {"submitted": 0, "approved": 1, "revoked": 2}


def test_a_decision_is_taken_with_its_grant_and_mail_or_not_at_all(
    crashing: tuple[Site, World, str], capsys: pytest.CaptureFixture[str]
) -> None:
    site, world, database = crashing
    seen = Counter(kills=0, acknowledged=0, unacknowledged=0)
    for number in range(depth(5, 100)):
        told = killed(site, world, "decide", number)
        house = site.open()
        reached: dict[str, int] = {}
        for step, case in told:
            reached[case] = STEPS[step]
        for case, step in reached.items():
            ahead = step_of(house, case) - step
            assert ahead >= 0, "an acknowledged step is lost"
            assert ahead <= (case == told[-1][1])
            seen["unacknowledged"] += ahead
        check(house)
        tidy(house, world)
        house.db.close()
        seen["kills"] += 1
        seen["acknowledged"] += len(told)
    say(capsys, f"{database}, decide", seen)


def step_of(house: House, case_id: str) -> int:
    """Return how far a case came; every part of the step must be there."""
    with house.db.reading() as read:
        case = read.applications.by_id(case_id)  # type: ignore[arg-type]
        found = read.grants.of_application(case_id)  # type: ignore[arg-type]
        kinds = [e.kind for e in read.audit.search(EntryFilter(subjects=(case_id,), limit=100))]
    assert case is not None, "an acknowledged application is lost"
    if case.state is S.SUBMITTED:
        assert found == []
        assert "GrantCreated" not in kinds
        return STEPS["submitted"]
    assert case.state is S.APPROVED
    (grant,) = found
    assert grant.sound
    assert {"ApplicationSubmitted", "ApplicationClaimed", "ApplicationApproved"} <= set(kinds)
    assert mails_about(house, grant.id) == (1 if grant.stored_state is G.ACTIVE else 2)
    return STEPS["approved" if grant.stored_state is G.ACTIVE else "revoked"]


def mails_about(house: House, grant_id: str) -> int:
    """Count the mails owed about a grant."""
    with house.db.reading() as read:
        return read.connection.execute(
            select(func.count()).select_from(t.outbox).where(t.outbox.c.about == grant_id)
        ).scalar_one()


def tidy(house: House, world: World) -> None:
    """Bring what the killed process left open to an end, so that the next can apply again."""
    cast = world.cast
    with house.db.reading() as read:
        cases = read.applications.of_lead(cast.applicant.id)
        held = read.grants.of_person(cast.applicant.id)
    for case in cases:
        if case.is_open:
            drafts.withdraw(house, context(cast.applicant.actor), case.id, None)
    for grant in held:
        if grant.stored_state is G.ACTIVE:
            ctx = context(cast.approver.actor)
            grants.change(house, ctx, grant.id, GrantCommand.REVOKE, EndReason.ERROR)
    for draft in drafts_of(house, world):
        drafts.withdraw(house, context(cast.applicant.actor), draft, None)


def drafts_of(house: House, world: World) -> list[Any]:
    """Return the drafts that were never submitted."""
    with house.db.reading() as read:
        return [d.application_id for d in read.ephemeral.drafts_of(world.cast.applicant.id)]


def test_every_link_that_was_given_out_opens_and_is_recorded(
    crashing: tuple[Site, World, str], capsys: pytest.CaptureFixture[str]
) -> None:
    site, world, database = crashing
    seen = Counter(kills=0, acknowledged=0, unacknowledged=0)
    known: set[str] = set()
    for number in range(depth(5, 100)):
        told = killed(site, world, "mint", number)
        house = site.open()
        with house.db.reading() as read:
            entries = read.audit.search(EntryFilter(kinds=("LinkIssued",), limit=100_000))
        now = {str(e.data["link_id"]) for e in entries}
        acknowledged = {t[1] for t in told}
        assert acknowledged <= now, "a link was given out and is not recorded"
        for _, _, token in told:
            assert (
                downloads.redeem(house, context(), token, serves=True).file.path == builders.WEIGHTS
            )
        check(house)
        house.db.close()
        seen["kills"] += 1
        seen["acknowledged"] += len(told)
        seen["unacknowledged"] += len(now - known - acknowledged)
        known = now
    say(capsys, f"{database}, mint", seen)


def test_the_tree_goes_on_where_the_sequencer_was_killed(
    postgres_s3_copy: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Postgres alone: on SQLite an entry has its leaf in the transaction of its act."""
    site, world = postgres_s3_copy(True)
    seen = Counter(kills=0, acknowledged=0, leaves=0)
    before = 0
    for number in range(depth(5, 100)):
        told = killed(site, world, "sequence", number)
        house = site.open()
        house.db.sequence_all()
        hashes = leaves_of(house)
        for _, link_id, size, root in told:
            tree = CompactRange().extend(leaf for _, leaf in hashes[: int(size)])
            assert tree.root().hex() == root, "a head that was told is not one of this tree"
            assert link_id in {link for link, _ in hashes[before : int(size)]}
        check(house)
        house.db.close()
        seen["kills"] += 1
        seen["acknowledged"] += len(told)
        before = seen["leaves"] = len(hashes)
    say(capsys, "postgres_s3, sequence", seen)


def leaves_of(house: House) -> list[tuple[str, bytes]]:
    """Return the leaves in order: the link that each is about, '' for another, and its hash."""
    with house.db.reading() as read:
        entries = read.audit.search(EntryFilter(limit=100_000))
    by_index = sorted(entries, key=lambda entry: -1 if entry.index is None else entry.index)
    assert [entry.index for entry in by_index] == list(range(len(by_index)))
    return [(str(entry.data.get("link_id", "")), leaf_hash(entry.body)) for entry in by_index]
