"""The small tree of refusals that verbs raise; each dialect of `web` translates it in one table.

Not here: HTTP statuses and wire codes (web/*/errors.py), and access reasons (access.py).
"""

from __future__ import annotations

from dataclasses import dataclass


class GatekeeperError(Exception):
    """Base of everything the product raises on purpose."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one named field; `detail` says what was expected."""

    field: str
    detail: str


class Invalid(GatekeeperError):
    """The request is well formed and wrong; nothing was changed and nothing typed is lost."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{e.field}: {e.detail}" for e in errors))
        self.errors = errors


def invalid(field: str, detail: str) -> Invalid:
    """Make an `Invalid` for one field."""
    return Invalid(FieldError(field, detail))


class NotFound(GatekeeperError):
    """There is no such thing, or this person may not know of it; the two look the same."""


class Moved(NotFound):
    """What was asked for by its `former` name has another one now: `name`."""

    def __init__(self, former: str, name: str) -> None:
        super().__init__(f"{former} is called {name} now")
        self.former = former
        self.name = name

    @property
    def pair(self) -> tuple[str, str]:
        """Return the two parts of the name it has now."""
        namespace, _, name = self.name.partition("/")
        return namespace, name


class NotAllowed(GatekeeperError):
    """The person may see the thing and may not do this to it; `guard` names the rule."""

    def __init__(self, guard: str, detail: str) -> None:
        super().__init__(detail)
        self.guard = guard


class Conflict(GatekeeperError):
    """Somebody else was first; `state` and `version` are how the thing stands now."""

    def __init__(self, detail: str, *, state: str = "", version: int = 0) -> None:
        super().__init__(detail)
        self.state = state
        self.version = version


class TermsOutdated(GatekeeperError):
    """The text that was shown is not the current one; `sha256` names the current text."""

    def __init__(self, detail: str, *, sha256: str) -> None:
        super().__init__(detail)
        self.sha256 = sha256


class BadCredentials(GatekeeperError):
    """Unknown address, wrong password, or a bad, expired or revoked token: never says which."""


class BadLink(GatekeeperError):
    """The signed address is not one of ours, was altered, or has ended (`expired`)."""

    def __init__(self, detail: str, *, expired: bool = False) -> None:
        super().__init__(detail)
        self.expired = expired


class TooLarge(GatekeeperError):
    """More bytes than the stated limit."""


class Busy(GatekeeperError):
    """Every place is taken; the same request may succeed after `retry_after_seconds`."""

    def __init__(self, detail: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(Busy):
    """Something we depend on is down (database, store, disk); nothing was granted."""


class Exposed(GatekeeperError):
    """A stranger could read what only this server may give out; the message says what to close."""


class IntegrityBroken(GatekeeperError):
    """Stored bytes or entries are not what they were when they were recorded."""


class MailFailed(GatekeeperError):
    """The letter did not leave; the outbox tries again later unless it was refused for good."""

    def __init__(self, detail: str, *, for_good: bool = False) -> None:
        super().__init__(detail)
        self.for_good = for_good
