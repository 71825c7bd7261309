"""Mail: every kind has its words, each leaves once, late ones come again, and no secret is in one.

The two kinds that carry a one-time address are named; nothing of it is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gatekeeper import resources
from gatekeeper.adapters.letters import letter_writer
from gatekeeper.adapters.mail_log import LogMail
from gatekeeper.db import tables as t
from gatekeeper.domain.applications import ApplicationState
from gatekeeper.domain.errors import MailFailed
from gatekeeper.domain.notices import Letter, NoticeKind
from gatekeeper.domain.people import ANONYMOUS
from gatekeeper.services import outbox, people
from gatekeeper.services.applications import decisions
from gatekeeper.services.ports import House, Mailer
from tests import builders
from tests.builders import World
from tests.cast import Member, context

MAILERS: dict[str, Callable[[], Mailer]] = {"log": LogMail}
LETTER = Letter(
    "a@uni.example", "[Site] Subject", "A secret address: /verify/zqtokenzq", "<p>zqtokenzq</p>",
    "id.1", context().now,
)  # fmt: skip


@pytest.fixture(params=MAILERS)
def mailer(request: pytest.FixtureRequest) -> Mailer:
    """Every kind of mailer."""
    return MAILERS[request.param]()


def test_a_letter_is_handed_over_without_its_text_in_the_log(
    mailer: Mailer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        mailer.send(LETTER)
    assert "zqtokenzq" not in caplog.text


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_of_mail_has_one_subject_a_greeting_and_the_page(kind: NoticeKind) -> None:
    write = letter_writer(resources.directory("templates"))
    values = {"name": "Amara", "page": "https://x.example/page", "about": "GK-1", "site": "Site"}
    subject, text, html = write(kind, values)
    assert 10 <= len(subject) <= 120
    assert "\n" not in subject
    assert "Site" in subject
    assert "Amara" in text
    assert values["page"] in text
    assert "{" not in subject + text + html
    assert f'href="{values["page"]}"' in html


def test_a_name_cannot_write_markup_into_a_letter() -> None:
    write = letter_writer(resources.directory("templates"))
    name = '<a href="https://evil.example">click</a>'
    values = {"name": name, "page": "https://x.example/page", "about": "GK-1", "site": name}
    for kind in NoticeKind:
        _, _, html = write(kind, values)
        assert '<a href="https://evil' not in html
        assert html.count("<a ") == 1


def test_a_name_cannot_write_headers() -> None:
    write = letter_writer(resources.directory("templates"))
    values = {"name": "x", "page": "p", "about": "a", "site": "Site\r\nBcc: all@x.example"}
    for kind in NoticeKind:
        subject, _, _ = write(kind, values)
        assert "\n" not in subject
        assert "\r" not in subject


@dataclass(slots=True)
class Post:
    """A post office that can be closed."""

    sent: list[Letter] = field(default_factory=list)
    closed: bool = False

    def send(self, letter: Letter) -> None:
        """Take a letter, or fail."""
        if self.closed:
            raise MailFailed("the post office is closed")
        self.sent.append(letter)


@pytest.fixture
def post() -> Post:
    """A post office."""
    return Post()


@pytest.fixture
def mailing(world: World, post: Post) -> House:
    """The house with that post office."""
    return replace(world.house, mail=post)


def test_each_mail_leaves_once_to_the_address_of_its_person(
    mailing: House, post: Post, world: World
) -> None:
    ctx = context()
    while outbox.deliver(mailing, ctx):
        pass
    assert outbox.deliver(mailing, context()) == 0
    ids = [letter.message_id for letter in post.sent]
    assert len(set(ids)) == len(ids) > 5
    addresses = {member.email for member in world.cast}
    assert {letter.to_address for letter in post.sent} <= addresses
    (ready,) = [letter for letter in post.sent if "ready" in letter.subject]
    assert ready.to_address == world.cast.researcher.email


def test_a_mail_that_did_not_leave_is_tried_again_later(mailing: House, post: Post) -> None:
    now = context()
    post.closed = True
    assert outbox.deliver(mailing, now) == 0
    post.closed = False
    assert outbox.deliver(mailing, now) == 0
    later = context(now=now.now + timedelta(hours=1))
    assert outbox.deliver(mailing, later) > 0


def test_a_post_office_that_stays_closed_leaves_dead_letters_and_does_not_try_for_ever(
    mailing: House, post: Post
) -> None:
    post.closed = True
    now = context().now
    for _ in range(20):
        now += timedelta(days=1)
        outbox.deliver(mailing, context(now=now))
    post.closed = False
    assert outbox.deliver(mailing, context(now=now + timedelta(days=1))) == 0
    with mailing.db.reading() as read:
        rows = read.connection.execute(select(t.outbox)).all()
    unsent = [row for row in rows if row.sent_at is None]
    assert len(unsent) > 5
    assert all(row.last_error and row.next_try_at is None for row in unsent)


def test_of_two_senders_at_once_each_takes_its_own_mails(any_world: World) -> None:
    house, now = any_world.house, context()
    with house.db.acting(now) as act:
        first = act.ephemeral.claim_mail(now.now, 120)
    with house.db.acting(now) as act:
        second = act.ephemeral.claim_mail(now.now, 120)
    assert first
    assert not {m.id for m in first} & {m.id for m in second}


def owed(world: World, about: str) -> list[tuple[str, str]]:
    """Return which mails an object owes to whom, by the cast's keys."""
    keys = {member.id: member.key for member in world.cast}
    with world.house.db.reading() as read:
        rows = read.connection.execute(select(t.outbox).where(t.outbox.c.about == about)).all()
    return sorted((row.kind, keys[row.person_id]) for row in rows)


TEAM = ("approver", "approver2", "handler")


def test_the_team_hears_of_what_waits_for_a_person_alone(any_world: World, tmp_path: Path) -> None:
    house, cast = any_world.house, any_world.cast
    asked = builders.publish_model(house, tmp_path, "lyra-asked", "T2", form=builders.FORM)
    granted = builders.apply_for(house, cast.applicant, asked)
    assert granted.state is ApplicationState.APPROVED
    assert owed(any_world, granted.id) == [("application_received", "applicant")]
    waiting = builders.apply_for(house, cast.applicant, any_world.models["T4"])
    assert owed(any_world, waiting.id) == [
        ("application_received", "applicant"), *(("application_waiting", key) for key in TEAM),
    ]  # fmt: skip


def test_a_message_of_the_lead_reaches_somebody_also_while_nobody_works_on_it(
    any_world: World,
) -> None:
    house, cast = any_world.house, any_world.cast
    case = builders.apply_for(house, cast.applicant, any_world.models["T3"])

    def told(author: Member) -> list[str]:
        before = owed(any_world, case.id)
        decisions.post_message(house, context(author.actor), case.id, "Hello", internal=False)
        after = owed(any_world, case.id)
        for one in before:
            after.remove(one)
        assert {kind for kind, _ in after} == {"message_posted"}
        return [key for _, key in after]

    assert told(cast.applicant) == list(TEAM)
    assert told(cast.approver) == ["applicant"]
    with house.db.reading() as read:
        seen = read.applications.by_id(case.id)
    assert seen is not None
    decisions.claim(house, context(cast.handler.actor), case.id, seen.version)
    assert told(cast.applicant) == ["handler"]
    assert told(cast.approver) == ["applicant", "handler"]


def one_time(letters: list[Letter], prefix: str) -> str:
    """Return the one-time token of the newest letter."""
    found = [line for letter in letters for line in letter.text.splitlines() if prefix in line]
    return found[-1].rpartition(prefix)[2].strip()


def everything_stored(path: Path) -> bytes:
    """Return every byte of a data directory's database."""
    return b"".join(p.read_bytes() for p in path.glob("gatekeeper.db*"))


def test_the_one_time_address_of_a_mail_works_once_and_is_stored_nowhere(
    mailing: House, post: Post, world: World, site: Any
) -> None:
    quiet = replace(mailing, policy=replace(mailing.policy, keeps_letters=False))
    people.ask_reset(quiet, context(ANONYMOUS), world.cast.stranger.email)
    while outbox.deliver(quiet, context()):
        pass
    token = one_time(post.sent, "/reset/")
    assert token.encode() not in everything_stored(site.data)
    people.reset_password(quiet, context(ANONYMOUS), token, "another horse battery")
    assert people.sign_in(quiet, world.cast.stranger.email, "another horse battery")
    with pytest.raises(Exception, match="used already"):
        people.reset_password(quiet, context(ANONYMOUS), token, "a third horse battery")


def test_no_other_mail_carries_a_token(mailing: House, post: Post) -> None:
    while outbox.deliver(mailing, context()):
        pass
    for letter in post.sent:
        if "/verify/" not in letter.text:
            assert not any(len(word) > 80 for word in letter.text.split()), letter
            assert "gk_" not in letter.text
            assert "/d/" not in letter.text
