"""Mail that was given up, for administrators: list it, and have it tried again."""

from __future__ import annotations

from gatekeeper.domain.people import Context, Scope
from gatekeeper.services import outbox
from gatekeeper.web.api.calls import Noun
from gatekeeper.web.api.once import Done
from gatekeeper.web.api.present import cases as present
from gatekeeper.web.api.wire import bodies, cases, queries
from gatekeeper.web.api.wire.answers import Page
from gatekeeper.web.wiring import house

noun = Noun("mail", "Letters to people that were tried often enough and given up.")


@noun.get("/mail/dead", scope=Scope.ADMIN)
def list_dead(ctx: Context, asked: queries.DeadMail) -> Page[cases.DeadLetter]:
    """Return mails that will not be tried again, newest first."""
    found = outbox.dead(house(), ctx, before=asked.before, limit=asked.limit)
    return Page[cases.DeadLetter](
        items=tuple(map(present.dead_letter, found.letters)),
        next=str(found.before) if found.before is not None else None,
    )


@noun.post("/mail/retry", scope=Scope.ADMIN, fails=(404,))
def retry(ctx: Context, sent: bodies.Retry) -> Done[cases.Retried]:
    """Have mails tried again from the start: those named, or all that were given up."""
    number = outbox.retry(house(), ctx, sent.mail)
    return Done(lambda: cases.Retried(retried=number))
