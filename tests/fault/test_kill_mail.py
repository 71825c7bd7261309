"""kill -9 of a sender, between handing over and noting and anywhere: what is owed comes.

Nothing is lost; what was being handed over comes twice, under one id.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gatekeeper.adapters.mail_smtp import Security, SmtpMail, SmtpServer
from gatekeeper.db import tables as t
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.notices import Letter, NoticeKind
from gatekeeper.domain.people import SYSTEM
from gatekeeper.services import grants, outbox
from gatekeeper.services.ports import House
from tests import builders
from tests.builders import World
from tests.cast import context
from tests.conftest import Site
from tests.contract.test_mail_smtp import Office, office
from tests.fault.test_kill import CHANCE, SERVER, check, say
from tests.rooms import depth

__all__ = ["office"]

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")

LETTERS_BEFORE = (1, 3)  # how many letters a sender hands over before it is killed, by round


@dataclass(slots=True)
class Dying:
    """A mailer that kills its process as soon as the server has its last letter."""

    mailer: SmtpMail
    left: int

    def send(self, letter: Letter) -> None:
        """Hand one letter over, and die after the last."""
        self.mailer.send(letter)
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


def mailer(port: int) -> SmtpMail:
    """Return a mailer that hands over on loopback."""
    server = SmtpServer("127.0.0.1", port, Security.NONE, "", "", "desk@lab.example", "Lab", 5.0)
    return SmtpMail(server)


def send_and_die(site: Site, port: int, letters: int) -> None:
    """Do what a worker does, until killed."""
    house = replace(site.open(), mail=Dying(mailer(port), letters))
    outbox.deliver(house, context(SYSTEM))


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_letter_that_was_handed_over_and_not_noted_comes_twice_under_one_id(
    office: Office, database: str, request: pytest.FixtureRequest
) -> None:
    copy: Callable[..., Any] = request.getfixturevalue(f"{database}_copy")
    site, _ = copy(True)
    house = site.open()
    owed = {(row.event_id, row.id) for row in rows(house) if not is_moot(house, row)}
    for letters in LETTERS_BEFORE:
        process = SERVER.Process(target=send_and_die, args=(site, office.port, letters))
        process.start()
        process.join()
        assert process.exitcode == -9
        assert len([row for row in rows(house) if row.sent_at is None]) > 1
        heal(house)
    now = context().now + timedelta(hours=1)
    while outbox.deliver(replace(house, mail=mailer(office.port)), context(SYSTEM, now)):
        pass
    assert [row for row in rows(house) if row.sent_at is None] == []
    house.db.close()
    came = Counter(str(message["Message-ID"]) for message in office.desk.kept)
    assert set(came) == {f"<{event_id}.{number}@lab.example>" for event_id, number in owed}
    assert sorted(came.values(), reverse=True)[: len(LETTERS_BEFORE)] == [2] * len(LETTERS_BEFORE)
    assert came.total() == len(owed) + len(LETTERS_BEFORE)


def send_until_killed(site: Site, port: int) -> None:
    """Send what is owed again and again."""
    house = replace(site.open(), mail=mailer(port))
    while True:
        outbox.deliver(house, context(SYSTEM))


def owe(world: World) -> None:
    """Owe some mails: an application comes, is approved, and its grant is taken back."""
    house, cast = world.house, world.cast
    case = builders.apply_for(house, cast.applicant, world.models["T3"])
    builders.decide(house, cast.approver, case.id)
    with house.db.reading() as read:
        (grant,) = read.grants.of_application(case.id)
    ctx = context(cast.approver.actor)
    grants.change(house, ctx, grant.id, GrantCommand.REVOKE, EndReason.ERROR)


@pytest.mark.parametrize("database", ["sqlite", "postgres_s3"])
def test_every_letter_owed_comes_and_none_more_often_than_its_sender_was_killed(
    office: Office,
    database: str,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy: Callable[..., Any] = request.getfixturevalue(f"{database}_copy")
    site, unopened = copy(True)
    world = replace(unopened, house=site.open())
    house, seen = world.house, Counter(kills=0, owed=0, twice=0)
    for _ in range(depth(5, 100)):
        owe(world)
        before, letters = len(office.desk.kept), CHANCE.randint(0, 3)
        process = SERVER.Process(target=send_until_killed, args=(site, office.port))
        process.start()
        while process.is_alive() and len(office.desk.kept) < before + letters:
            process.join(0.001)
        process.join(CHANCE.uniform(0, 0.03))
        process.kill()
        process.join()
        assert process.exitcode == -9, "it died before it was killed"
        heal(house)
        seen["kills"] += 1
    owed = {(row.event_id, row.id) for row in rows(house) if not is_moot(house, row)}
    now = context().now + timedelta(hours=1)
    while outbox.deliver(replace(house, mail=mailer(office.port)), context(SYSTEM, now)):
        pass
    assert [row for row in rows(house) if row.sent_at is None] == []
    came = Counter(str(message["Message-ID"]) for message in office.desk.kept)
    assert set(came) == {f"<{event_id}.{number}@lab.example>" for event_id, number in owed}
    seen["owed"], seen["twice"] = len(owed), came.total() - len(owed)
    assert seen["twice"] <= seen["kills"]
    check(house)
    house.db.close()
    say(capsys, f"{database}, mail", seen)


def is_moot(house: House, row: Any) -> bool:
    """Say whether a mail asks for an address to be proven that was proven meanwhile."""
    with house.db.reading() as read:
        person = read.people.by_id(row.person_id)
    return row.kind == NoticeKind.VERIFY_ADDRESS and person is not None and person.is_verified


def heal(house: House) -> None:
    """Let the leases of the sender that was killed run out, as two minutes would."""
    with house.db.acting(context()) as act:
        act.ephemeral.claim_mail(context().now + timedelta(hours=1), -3600)


def rows(house: House) -> list[Any]:
    """Return what is in the outbox."""
    with house.db.reading() as read:
        return list(read.connection.execute(select(t.outbox)))
