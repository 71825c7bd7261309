"""What keeps the server running, for administrators: the mail that was given up.

Not here: settings, backups and the rest of the machine (the command line).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.errors import NotAllowed
from gatekeeper.domain.notices import DeadLetter
from gatekeeper.domain.people import Person, PersonId
from gatekeeper.services import outbox
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages.frame import notify, number, page, see, signed_in, viewer
from gatekeeper.web.wiring import house

blueprint = Blueprint("admin", __name__)

LETTERS = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One mail that was given up."""

    id: int
    kind: str
    whom: str
    owed_at: datetime
    tries: int
    error: str


@blueprint.get("/admin/mail")
@signed_in
def mail() -> ResponseReturnValue:
    """List the mail that will not be tried again."""
    _check()
    before = number("before")
    found = outbox.dead(house(), session_context(), before=before, limit=LETTERS)
    return page(
        "admin/mail.html",
        lines=[_line(letter, found.people) for letter in found.letters],
        first="/admin/mail" if before is not None else None,
        older=f"/admin/mail?before={found.before}" if found.before is not None else None,
    )


@blueprint.post("/admin/mail/retry")
@signed_in
def retry_mail() -> ResponseReturnValue:
    """Try one mail again, or all of them."""
    _check()
    named = request.form.getlist("mail", type=int)
    ids = [n for n in named if 0 < n < 1 << 63] if "mail" in request.form else None
    tried = outbox.retry(house(), session_context(), ids)
    notify("ok", "1 mail is tried again." if tried == 1 else f"{tried} mails are tried again.")
    return see("/admin/mail")


def _check() -> None:
    me = viewer()
    if me is None or not me.is_admin:
        raise NotAllowed("G-role", "only administrators see to the mail of this site")


def _line(letter: DeadLetter, people: Mapping[PersonId, Person]) -> Line:
    person = people.get(letter.person_id)
    return Line(
        id=letter.id,
        kind=letter.kind.replace("_", " ").capitalize(),
        whom=person.name if person is not None and person.name else "Nobody who has an account",
        owed_at=letter.owed_at,
        tries=letter.tries,
        error=letter.error,
    )
