"""The mail of a demo, which never leaves the machine. Anywhere else there is no such page."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint
from flask.typing import ResponseReturnValue

from gatekeeper.domain.errors import NotFound
from gatekeeper.services import outbox
from gatekeeper.web.pages.frame import page
from gatekeeper.web.wiring import house

blueprint = Blueprint("dev", __name__)

LETTERS = 40


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a letter; `href` where it is an address of this site."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter as it would have left."""

    to: str
    subject: str
    at: object
    lines: tuple[Line, ...]


@blueprint.get("/dev/mail")
def mail() -> ResponseReturnValue:
    """Show the letters a demo kept, newest first."""
    if not house().policy.is_demo:
        raise NotFound("no such page")
    letters = [
        Letter(to, subject, at, tuple(_line(line) for line in text.strip().splitlines()))
        for to, subject, text, at in outbox.kept_letters(house())[:LETTERS]
    ]
    return page("dev/mail.html", letters=letters)


def _line(text: str) -> Line:
    site = f"{house().policy.public_url}/"
    return Line(text, text.removeprefix(site[:-1]) if text.startswith(site) else "")
