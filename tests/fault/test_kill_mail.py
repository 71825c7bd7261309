"""kill -9 exactly between handing a letter over and noting it: nothing is lost, one comes twice."""

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
from gatekeeper.domain.notices import Letter, NoticeKind
from gatekeeper.domain.people import SYSTEM
from gatekeeper.services import outbox
from gatekeeper.services.ports import House
from tests.cast import context
from tests.conftest import Site
from tests.contract.test_mail_smtp import Office, office
from tests.fault.test_kill import SERVER

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
