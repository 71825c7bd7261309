"""Two at once, on both databases: never two outcomes, and nothing after a revocation has returned.

Every second round the two sides go through houses of their own, as two processes would.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.applications import Application, ApplicationState, RejectReason
from gatekeeper.domain.errors import Conflict
from gatekeeper.domain.grants import EndReason, Grant, GrantCommand
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.services import audit, downloads, grants
from gatekeeper.services.applications import decisions, drafts
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.applications.drafts import Submission
from gatekeeper.services.downloads import IssuedLink
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import revisions
from gatekeeper.services.publishing.revisions import Target
from tests import builders
from tests.builders import World
from tests.cast import Member, context
from tests.rooms import depth

ROUNDS = depth(20, 200)
CHANCE = random.Random(1)


@dataclass(frozen=True, slots=True)
class Arena:
    """One furnished house, opened twice, and the database it is on."""

    world: World
    other: House
    database: str

    def sides(self, turn: int) -> tuple[House, House]:
        """Return the houses of the two sides: the same one, or one each."""
        return self.world.house, (self.other if turn % 2 else self.world.house)


@pytest.fixture(params=["sqlite", "postgres"])
def arena(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """A place to race in; at the end its ledger must verify and replay to its tables."""
    copy: Callable[..., Any] = request.getfixturevalue(f"{request.param}_copy")
    site, world = copy(True)
    house, other = site.open(), site.open()
    yield Arena(replace(world, house=house), other, request.param)
    house.db.sequence_all()
    assert list(audit.verify(house)) == []
    assert audit.compare(house) == []
    house.db.close()
    other.db.close()


def race(*sides: Callable[[], object]) -> list[object]:
    """Let all sides go at almost the same moment; return what each returned or was refused with."""
    start = threading.Barrier(len(sides))

    def run(side: Callable[[], object], late: int) -> object:
        start.wait(60)
        for _ in range(late):
            pass  # up to some milliseconds, so that each side comes first now and then
        try:
            return side()
        except (Conflict, Refused) as refused:
            return refused

    with ThreadPoolExecutor(len(sides)) as pool:
        running = [pool.submit(run, side, CHANCE.randrange(1_000_000)) for side in sides]
        return [done.result() for done in running]


def decider(
    house: House, member: Member, case: Application, verdict: VerdictKind = VerdictKind.APPROVE
) -> Callable[[], Application]:
    """Return the act of deciding a case as it was seen."""
    decision = Decision(
        verdict, case.version, note="Because.", reason=RejectReason.OUT_OF_SCOPE
    )  # a reason is for a rejection and ignored by an approval
    return lambda: decisions.decide(house, context(member.actor), case.id, decision)


def grants_of(house: House, case: Application) -> list[Grant]:
    """Return what came of a case."""
    with house.db.reading() as read:
        return read.grants.of_application(case.id)


def end(house: House, member: Member, found: list[Grant]) -> None:
    """Revoke what a round granted, so that the next round can apply again."""
    for grant in found:
        grants.change(house, context(member.actor), grant.id, GrantCommand.REVOKE, EndReason.ERROR)


def say(capsys: pytest.CaptureFixture[str], arena: Arena, what: str, seen: Counter[str]) -> None:
    """Print the figures of a race."""
    counts = ", ".join(f"{n} {outcome}" for outcome, n in sorted(seen.items()))
    with capsys.disabled():
        print(f"\nrace on {arena.database}: {what}, {sum(seen.values())} rounds: {counts}")


@pytest.mark.parametrize("second", [VerdictKind.APPROVE, VerdictKind.REJECT])
def test_of_two_approvers_at_once_one_decides(
    arena: Arena, second: VerdictKind, capsys: pytest.CaptureFixture[str]
) -> None:
    world, cast, seen = arena.world, arena.world.cast, Counter[str]()
    for turn in range(ROUNDS):
        case = builders.apply_for(world.house, cast.applicant, world.models["T3"])
        here, there = arena.sides(turn)
        answers = race(
            decider(here, cast.approver, case),
            decider(there, cast.approver2, case, second),
        )
        done = [a for a in answers if isinstance(a, Application)]
        lost = [a for a in answers if isinstance(a, Conflict)]
        assert (len(done), len(lost)) == (1, 1), answers
        # The loser learns how it stands now, and it stands as the winner left it.
        assert (lost[0].state, lost[0].version) == (done[0].state, done[0].version)
        found = grants_of(world.house, case)
        assert len(found) == (done[0].state is ApplicationState.APPROVED)
        seen[f"{done[0].state} by the {'first' if answers[0] is done[0] else 'second'}"] += 1
        end(world.house, cast.approver, found)
    say(capsys, arena, f"approve against {second}", seen)


def test_of_two_first_approvals_at_once_one_counts_and_nothing_is_granted(
    arena: Arena, capsys: pytest.CaptureFixture[str]
) -> None:
    world, cast, seen = arena.world, arena.world.cast, Counter[str]()
    for turn in range(ROUNDS):
        case = builders.apply_for(world.house, cast.applicant, world.models["T4"])
        here, there = arena.sides(turn)
        answers = race(decider(here, cast.approver, case), decider(there, cast.approver2, case))
        done = [a for a in answers if isinstance(a, Application)]
        assert [a.state for a in done] == [ApplicationState.SECOND_APPROVAL], answers
        assert grants_of(world.house, case) == []
        seen[str(done[0].state)] += 1
        drafts.withdraw(world.house, context(cast.applicant.actor), case.id, None)
    say(capsys, arena, "first approval against first approval", seen)


def test_an_approval_and_a_withdrawal_at_once_have_one_outcome(
    arena: Arena, capsys: pytest.CaptureFixture[str]
) -> None:
    world, cast, seen = arena.world, arena.world.cast, Counter[str]()
    for turn in range(ROUNDS):
        case = builders.apply_for(world.house, cast.applicant, world.models["T3"])
        here, there = arena.sides(turn)
        version = case.version if turn % 3 else None
        answers = race(
            decider(here, cast.approver, case),
            lambda house=there, case=case, version=version: drafts.withdraw(  # type: ignore[misc]
                house, context(cast.applicant.actor), case.id, version
            ),
        )
        done = [a for a in answers if isinstance(a, Application)]
        assert len(done) == 1, answers
        with world.house.db.reading() as read:
            now = read.applications.by_id(case.id)
        assert now is not None
        assert now.state is done[0].state
        found = grants_of(world.house, case)
        assert len(found) == (now.state is ApplicationState.APPROVED)
        seen[str(now.state)] += 1
        end(world.house, cast.approver, found)
    say(capsys, arena, "approve against withdraw", seen)


def test_a_submission_and_a_withdrawal_at_once_have_one_outcome(
    arena: Arena, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a question: whatever was acknowledged last is how the case stands."""
    world, cast, seen = arena.world, arena.world.cast, Counter[str]()
    ctx = context(cast.applicant.actor)
    for turn in range(ROUNDS):
        case = builders.apply_for(world.house, cast.applicant, world.models["T3"])
        question = Decision(VerdictKind.ASK, case.version, note="Which data?")
        decisions.decide(world.house, context(cast.handler.actor), case.id, question)
        here, there = arena.sides(turn)
        answers = race(
            lambda house=here, case=case: drafts.submit(house, ctx, case.id, Submission()),  # type: ignore[misc]
            lambda house=there, case=case: drafts.withdraw(house, ctx, case.id, None),  # type: ignore[misc]
        )
        with world.house.db.reading() as read:
            now = read.applications.by_id(case.id)
        assert now is not None
        # A submitted case may still be withdrawn; a withdrawn one is never submitted.
        withdrawn = isinstance(answers[1], Application)
        assert withdrawn, answers
        assert now.state is ApplicationState.WITHDRAWN, answers
        first = isinstance(answers[0], Application)
        seen["submitted, then withdrawn" if first else "withdrawn first"] += 1
    say(capsys, arena, "submit against withdraw", seen)


def test_links_for_one_path_at_once_are_all_issued(
    arena: Arena, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, cast, seen = arena.world, arena.world.cast, Counter[str]()
    members = (cast.applicant, cast.pending, cast.researcher)
    for turn in range(depth(5, 50)):
        name = f"path-{turn}.bin"
        folder = builders.write_files(tmp_path / f"t1-{turn}", "lyra-t1")
        (folder / name).write_bytes(b"x" * (turn + 1))
        target = Target(
            namespace="northfield", name="lyra-t1", release="lyra", tier=world.house.tiers["T1"]
        )
        revisions.publish(world.house, context(), folder, target)
        ref = world.ref("T1", name)
        sides = [*arena.sides(turn), arena.world.house]
        answers = race(
            *(
                partial(downloads.issue_link, house, context(member.actor), ref)
                for house, member in zip(sides, members, strict=True)
            )
        )
        assert all(isinstance(a, IssuedLink) for a in answers), answers
        seen["issued to all three"] += 1
    say(capsys, arena, "link against link", seen)


@dataclass(slots=True)
class Downloader:
    """Somebody who fetches one file again and again, in one of the three ways."""

    fetch: Callable[[], object]
    revoked: threading.Event
    warm: threading.Event
    served_before: int = 0
    served_after: int = 0
    refused: int = 0

    def run(self) -> None:
        """Fetch until refused a few times after the revocation returned."""
        tries_after = 0
        while tries_after < 3:
            is_after = self.revoked.is_set()
            try:
                self.fetch()
            except Refused as error:
                if error.reason is not Reason.GRANT_REVOKED:
                    raise
                self.refused += 1
            else:
                if is_after:
                    self.served_after += 1
                self.served_before += 1
                self.warm.set()
            tries_after += is_after


def test_no_request_that_starts_after_a_revocation_returned_is_served(
    arena: Arena, capsys: pytest.CaptureFixture[str]
) -> None:
    world, cast = arena.world, arena.world.cast
    seen, served = Counter[str](), 0
    for turn in range(depth(10, 200)):
        case = builders.apply_for(world.house, cast.applicant, world.models["T3"])
        builders.decide(world.house, cast.approver, case.id)
        (grant,) = grants_of(world.house, case)
        here, there = arena.sides(turn)
        fetchers = _downloaders(here, world, cast.applicant)
        threads = [threading.Thread(target=one.run) for one in fetchers]
        for thread in threads:
            thread.start()
        try:
            for one in fetchers:
                one.warm.wait(30)
            end(there, cast.approver, [grant])
        finally:
            fetchers[0].revoked.set()
            for thread in threads:
                thread.join()
        assert [one.served_after for one in fetchers] == [0] * len(fetchers)
        assert all(one.refused >= 3 for one in fetchers)
        _nothing_follows(world.house, grant)
        served += sum(one.served_before for one in fetchers)
        seen["without a byte after"] += 1
    say(capsys, arena, f"revoke against download ({served} served before)", seen)


def _downloaders(house: House, world: World, member: Member) -> list[Downloader]:
    ctx = context(member.actor)
    files = ["model.safetensors", "config.json", "deep/vocab.txt"]
    ref = world.ref("T3", CHANCE.choice(files))
    token = downloads.issue_link(house, ctx, ref).path.split("/")[2]
    revoked = threading.Event()
    ways: list[Callable[[], object]] = [
        lambda: downloads.redeem(house, context(), token, serves=True),
        lambda: downloads.request_file(house, context(member.actor), ref),
        lambda: downloads.issue_link(house, context(member.actor), ref),
    ]
    return [Downloader(way, revoked, threading.Event()) for way in ways]


def _nothing_follows(house: House, grant: Grant) -> None:
    """Check that the ledger has no link and no byte of a grant after its revocation."""
    house.db.sequence_all()
    with house.db.reading() as read:
        entries = read.audit.search(EntryFilter(subjects=(grant.id,), limit=10_000))
    of_grant = [e for e in entries if e.kind in {"GrantRevoked", "LinkIssued", "FileServed"}]
    newest = max(of_grant, key=lambda e: e.index if e.index is not None else -1)
    assert newest.kind == "GrantRevoked"
    assert max(of_grant, key=lambda e: e.row_id).kind == "GrantRevoked"
