"""SMTP against a real server on loopback that refuses, hangs, breaks off, or is an impostor.

Whatever happens, every letter owed arrives in the end, twice at most where the server went away.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from sqlalchemy import select

from gatekeeper.adapters.mail_smtp import Security, SmtpMail, SmtpServer
from gatekeeper.db import tables as t
from gatekeeper.domain.errors import MailFailed
from gatekeeper.domain.notices import Letter
from gatekeeper.services import outbox
from gatekeeper.services.ports import House
from gatekeeper.settings import SettingsError
from tests.builders import World
from tests.cast import context
from tests.conftest import make_settings
from tests.live import free_port

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")

LETTER = Letter(
    "a@uni.example",
    "[Site] Für Zoë",
    "Dear Zoë,\n\nhttps://x.example/page\n",
    '<p>Dear Zoë,</p><a href="https://x.example/page">page</a>',
    "event.1",
    context().now,
)


@dataclass(slots=True)
class PostOffice:
    """An SMTP server's desk: keeps what came, or answers as it is told to."""

    answers: list[str] = field(default_factory=list)  # to DATA, one a letter; then it accepts
    kept: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    async def handle_DATA(self, server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Answer to the end of a letter."""
        answer = self.answers.pop(0) if self.answers else "250 kept"
        if answer.startswith(("4", "5")):
            return answer
        message = message_from_bytes(cast("bytes", envelope.content), policy=default)
        self.kept.append(cast("EmailMessage", message))
        self.recipients += envelope.rcpt_tos
        if answer == "drop":
            server.transport.abort()
        return answer


@dataclass(frozen=True, slots=True)
class Office:
    """A post office that listens, and how to reach it."""

    desk: PostOffice
    port: int

    def mailer(self, **changes: Any) -> SmtpMail:
        """Return a mailer that hands over here."""
        server = SmtpServer(
            "127.0.0.1", self.port, Security.NONE, "", "", "desk@lab.example", "The Lab", 2.0
        )
        return SmtpMail(replace(server, **changes))


@pytest.fixture
def office() -> Iterator[Office]:
    """A post office on loopback."""
    desk, port = PostOffice(), free_port()
    controller = Controller(desk, hostname="127.0.0.1", port=port)
    controller.start()
    yield Office(desk, port)
    controller.stop()


def test_a_letter_arrives_whole_in_text_and_html(office: Office) -> None:
    office.mailer().send(LETTER)
    (message,) = office.desk.kept
    assert message["From"] == "The Lab <desk@lab.example>"
    assert message["To"] == "a@uni.example"
    assert message["Subject"] == "[Site] Für Zoë"
    assert message["Message-ID"] == "<event.1@lab.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert cast("EmailMessage", text).get_content().split() == LETTER.text.split()
    assert cast("EmailMessage", html).get_content().strip() == LETTER.html


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Hello\r\nBcc: all@evil.example"},
        {"to_address": "a@uni.example\r\nBcc: all@evil.example"},
        {"to_address": "a@uni.example, all@evil.example"},
        {"message_id": "x>\r\nBcc: all@evil.example"},
    ],
)
def test_no_line_of_a_letter_becomes_a_header_or_another_recipient(
    office: Office, changes: dict[str, str]
) -> None:
    with pytest.raises(MailFailed):
        office.mailer().send(replace(LETTER, **changes))  # type: ignore[arg-type]
    assert office.desk.recipients == []


@pytest.mark.parametrize(
    ("answer", "for_good"), [("451 later", False), ("554 never", True), ("drop", False)]
)
def test_what_the_server_says_decides_whether_it_is_tried_again(
    office: Office, answer: str, for_good: bool
) -> None:
    office.desk.answers = [answer]
    with pytest.raises(MailFailed) as failed:
        office.mailer().send(LETTER)
    assert failed.value.for_good is for_good
    assert "uni.example" not in str(failed.value)


def test_a_server_that_does_not_listen_or_hangs_fails_in_time() -> None:
    silent = socket.create_server(("127.0.0.1", 0))  # accepts and says nothing
    for port in (free_port(), silent.getsockname()[1]):
        with pytest.raises(MailFailed):
            Office(PostOffice(), port).mailer(timeout_seconds=0.5).send(LETTER)
    silent.close()


def test_a_server_whose_certificate_nobody_vouches_for_gets_no_letter(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=127.0.0.1", "-keyout", tmp_path / "key", "-out", tmp_path / "cert"],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    desk, port = PostOffice(), free_port()
    controller = Controller(desk, hostname="127.0.0.1", port=port, tls_context=tls)
    controller.start()
    try:
        with pytest.raises(MailFailed) as failed:
            Office(desk, port).mailer(security=Security.STARTTLS).send(LETTER)
    finally:
        controller.stop()
    assert desk.kept == []
    assert not failed.value.for_good  # the operator mends it, and the letter leaves


def test_a_password_is_never_sent_to_a_server_that_offers_no_tls(office: Office) -> None:
    with pytest.raises(MailFailed):
        office.mailer(security=Security.STARTTLS, username="u", password="p").send(LETTER)
    assert office.desk.kept == []


def test_after_every_fault_each_mail_owed_arrives_and_only_a_drop_doubles_it(
    office: Office, world: World
) -> None:
    house = replace(world.house, mail=office.mailer())
    office.desk.answers = ["451 busy", "drop", "451 busy", "452 full"]
    now = context().now
    for _ in range(8):
        while outbox.deliver(house, context(now=now)):
            pass
        now += timedelta(hours=12)
    unsent = _rows(house, lambda row: row.sent_at is None)
    assert unsent == []
    ids = [message["Message-ID"] for message in office.desk.kept]
    assert len(ids) == len(set(ids)) + 1


def test_a_letter_refused_for_good_is_dead_at_once_and_the_others_leave(
    office: Office, world: World
) -> None:
    house = replace(world.house, mail=office.mailer())
    office.desk.answers = ["554 no such person"]
    while outbox.deliver(house, context()):
        pass
    (dead,) = _rows(house, lambda row: row.sent_at is None)
    assert dead.next_try_at is None
    assert dead.last_error == "refused: 554"


def _rows(house: House, keep: Callable[[Any], bool]) -> list[Any]:
    with house.db.reading() as read:
        return [row for row in read.connection.execute(select(t.outbox)) if keep(row)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"HOST": ""}, {"SENDER": "nobody"}, {"SECURITY": "none"},
        {"SECURITY": "none", "HOST": "127.0.0.1", "USERNAME": "u"},
    ],
)  # fmt: skip
def test_settings_that_would_lose_or_bare_mail_stop_the_start(wrong: dict[str, str]) -> None:
    right = {"BACKEND": "smtp", "HOST": "mail.example.org", "SENDER": "desk@lab.example"}
    make_settings(**{f"GATEKEEPER_MAIL__{k}": v for k, v in right.items()})
    with pytest.raises(SettingsError):
        make_settings(**{f"GATEKEEPER_MAIL__{k}": v for k, v in {**right, **wrong}.items()})
