"""Mail that goes to the log: the demo's and the first install's backend.

The log names address and subject; the text, which may hold a one-time address, it does not.
"""

from __future__ import annotations

import logging

from gatekeeper.domain.notices import Letter

log = logging.getLogger("gatekeeper.mail")


class LogMail:
    """A `Mailer` that writes one line a letter."""

    def send(self, letter: Letter) -> None:
        """Log that a letter left."""
        log.info("mail to %s: %s", letter.to_address, letter.subject)
