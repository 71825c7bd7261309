"""Mail by SMTP: text and HTML in one letter, over TLS whose certificate is checked.

A letter is handed over once the server has said 250 to its last line. A server that goes away
after taking it leaves that open: the outbox sends again under the same Message-ID, by which the
receiving side may know the copy. Source: RFC 5321, RFC 3834.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from enum import StrEnum

from gatekeeper.domain.errors import MailFailed
from gatekeeper.domain.notices import Letter


class Security(StrEnum):
    """How the connection is protected; `none` is for a server on the same machine."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where letters are handed over and as whom; `username` empty means without signing in."""

    host: str
    port: int
    security: Security
    username: str
    password: str
    sender: str
    sender_name: str
    timeout_seconds: float


class SmtpMail:
    """A `Mailer` that opens a connection for each letter."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        # The platform's certificates; a server that cannot show a good one gets no letter.
        self._tls = ssl.create_default_context()

    def send(self, letter: Letter) -> None:
        """Hand one letter over; raises MailFailed, whose text names neither address nor words."""
        with _faults(), self._connected() as smtp:
            smtp.send_message(self._message(letter), to_addrs=[letter.to_address])

    def _message(self, letter: Letter) -> EmailMessage:
        server = self._server
        message = EmailMessage(policy=SMTP)
        message["From"] = formataddr((server.sender_name, server.sender))
        message["To"] = Address(addr_spec=letter.to_address)  # one, or it raises
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(letter.at)
        message["Message-ID"] = f"<{letter.message_id}@{server.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        return message

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        server = self._server
        if server.security is Security.TLS:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=server.timeout_seconds, context=self._tls
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout_seconds)
        with smtp:
            if server.security is Security.STARTTLS:
                smtp.starttls(context=self._tls)
            if server.username:
                smtp.login(server.username, server.password)
            yield smtp


@contextmanager
def _faults() -> Iterator[None]:
    """Turn what may go wrong into MailFailed; for good: no letter at all, or a 5xx to it."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise MailFailed(f"refused: {codes}", for_good=min(codes) >= 500) from None
    except smtplib.SMTPDataError as error:
        raise MailFailed(f"refused: {error.smtp_code}", for_good=error.smtp_code >= 500) from None
    except smtplib.SMTPResponseException as error:
        raise MailFailed(f"{type(error).__name__}: {error.smtp_code}") from None
    except (smtplib.SMTPException, OSError) as error:
        # Before ValueError, for a bad certificate is both.
        raise MailFailed(type(error).__name__) from None
    except (MessageError, ValueError) as error:
        raise MailFailed(f"no letter: {type(error).__name__}", for_good=True) from None
