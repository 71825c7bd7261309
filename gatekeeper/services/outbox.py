"""Sends what the outbox owes: address and words are found at sending time, never stored.

At least once: a sender that dies between handing over and noting it sends again. Two kinds of mail
carry a secret, made here and kept nowhere: proving an address and resetting a password.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gatekeeper.db.outbox import OwedMail
from gatekeeper.db.readers import Readers
from gatekeeper.db.registrants import Registrant
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.errors import MailFailed, NotFound
from gatekeeper.domain.links import Claim, Purpose
from gatekeeper.domain.notices import DeadLetter, Letter, NoticeKind
from gatekeeper.domain.people import Context, Person, PersonId, Scope, SiteRole
from gatekeeper.services.people import RESET_SECONDS, current, need_scope
from gatekeeper.services.ports import House
from gatekeeper.services.registration import VERIFY_SECONDS

LEASE_SECONDS = 120


def deliver(house: House, ctx: Context) -> int:
    """Send every mail whose time has come; return how many left. Nothing is sent in an act."""
    with house.db.acting(ctx) as act:
        owed = act.ephemeral.claim_mail(ctx.now, LEASE_SECONDS)
    return sum(_deliver_one(house, ctx, mail) for mail in owed)


def _deliver_one(house: House, ctx: Context, mail: OwedMail) -> bool:
    letter = _write(house, ctx, mail)
    try:
        if letter is not None:
            house.mail.send(letter)
    except MailFailed as error:
        with house.db.acting(ctx) as act:
            act.ephemeral.mail_failed(mail, error, ctx.now)
        return False
    with house.db.acting(ctx) as act:
        if letter is not None and house.policy.keeps_letters:
            act.ephemeral.keep_letter(letter.to_address, letter.subject, letter.text, ctx.now)
        act.ephemeral.mail_sent(mail.id, ctx.now)
    return letter is not None


def _write(house: House, ctx: Context, mail: OwedMail) -> Letter | None:
    """Write one mail; None when its person was erased or nothing is left to say."""
    with house.db.reading() as read:
        person = read.people.by_id(mail.person_id) or read.registrants.by_id(
            mail.person_id, ctx.now
        )
        if person is None or not person.email or _is_moot(mail, person):
            return None
        page = house.policy.public_url + _page(house, ctx, read, mail, person)
        values = {
            "name": person.name,
            "page": page,
            "about": mail.about,
            "site": house.policy.site_title,
        }
    subject, text, html = house.write_letter(mail.kind, values)
    message_id = f"{mail.event_id}.{mail.id}"
    return Letter(person.email, subject, text, html, message_id, ctx.now)


def _is_moot(mail: OwedMail, person: Person | Registrant) -> bool:
    """Say whether what the mail asks was done meanwhile."""
    is_verified = isinstance(person, Person) and person.is_verified
    return mail.kind is NoticeKind.VERIFY_ADDRESS and is_verified


def _page(
    house: House, ctx: Context, read: Readers, mail: OwedMail, person: Person | Registrant
) -> str:
    now = int(ctx.now.timestamp())
    if isinstance(person, Registrant):  # whose row and id are new with each registration
        claim = Claim(ctx.fresh(12).hex(), person.id, "", now, now + VERIFY_SECONDS)
        return "/verify/" + house.links.sign(Purpose.VERIFY, claim)
    email, password = read.people.commitments(person.id)
    match mail.kind:
        case NoticeKind.VERIFY_ADDRESS:
            claim = Claim(ctx.fresh(12).hex(), person.id, email, now, now + VERIFY_SECONDS)
            return "/verify/" + house.links.sign(Purpose.VERIFY, claim)
        case NoticeKind.RESET_PASSWORD:
            claim = Claim(ctx.fresh(12).hex(), person.id, password, now, now + RESET_SECONDS)
            return "/reset/" + house.links.sign(Purpose.RESET, claim)
        case _:
            return mail.page


def kept_letters(house: House) -> list[tuple[str, str, str, object]]:
    """Return what a demo's log backend delivered, newest first: to, subject, text, when."""
    with house.db.reading() as read:
        return list(read.ephemeral.letters())


@dataclass(frozen=True, slots=True)
class Dead:
    """Mails that will not be tried again, the newest first; `before` continues below."""

    letters: Sequence[DeadLetter]
    people: Mapping[PersonId, Person]
    before: int | None


def dead(house: House, ctx: Context, *, before: int | None = None, limit: int = 50) -> Dead:
    """List what was given up (admin, operator): what kind of mail, to whom, and why.

    Neither address nor words are kept of a mail. Raises Refused for anybody else.
    """
    with house.db.reading() as read:
        _check_admin(read, ctx)
        found = read.ephemeral.dead_mail(before, limit + 1)
        shown = found[:limit]
        people = read.people.many({letter.person_id for letter in shown})
    return Dead(shown, people, shown[-1].id if len(found) > limit else None)


def retry(house: House, ctx: Context, ids: Collection[int] | None = None) -> int:
    """Let mails that were given up be tried again from the start, all or these; return how many.

    Nothing audited changes, so nothing is recorded. Raises: Refused; NotFound where none of `ids`
    was given up.
    """
    with house.db.acting(ctx) as act:
        _check_admin(act, ctx)
        number = act.ephemeral.retry_mail(ids, ctx.now)
    if ids is not None and not number:
        raise NotFound("no mail of these was given up")
    return number


def _check_admin(read: Readers, ctx: Context) -> None:
    if ctx.actor.is_operator:
        return
    need_scope(ctx, Scope.ADMIN)
    if SiteRole.ADMIN not in current(read, ctx).site_roles:
        raise Refused(Reason.WRONG_SCOPE)
