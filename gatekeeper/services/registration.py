"""Opening accounts: an address that nobody has proven has none.

What somebody typed waits beside the accounts until the mailed address is opened; an address that
has an account gets another mail and leaves the same trace here. So neither the answer, nor signing
in, nor the name one asked for tells whether an address is registered.
Not here: signing in and passwords (services/people).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gatekeeper.db.readers import Readers
from gatekeeper.db.registrants import Registrant
from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.errors import BadLink, FieldError, Invalid, invalid
from gatekeeper.domain.facts import people as f
from gatekeeper.domain.links import Claim, Purpose
from gatekeeper.domain.notices import Notice, NoticeKind, ToPerson
from gatekeeper.domain.people import (
    Context,
    Person,
    PersonId,
    SiteRole,
    check_owner_name,
    check_password,
    check_person_name,
)
from gatekeeper.services.people import current, hash_password, normalise_email, read_claim
from gatekeeper.services.ports import House

VERIFY_SECONDS = 24 * 3600
_NAMES = "owner-names"  # the lock under which a name is asked for and given


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody typed to open an account."""

    email: str
    username: str
    name: str
    affiliation: str
    password: str


def register(house: House, ctx: Context, typed: Registration) -> None:
    """Keep what was typed until its address is proven, and owe the mail that proves it.

    Raises: Invalid with every field that is wrong (a taken username is one; an address never).
    """
    email = _check(typed)
    registrant = _registrant(ctx, typed, email, hash_password(typed.password))
    with house.db.acting(ctx) as act:
        act.lock(_NAMES)
        is_free = act.people.owner_name_is_free(typed.username)
        if not is_free or act.registrants.ask_for(typed.username, but=email, now=ctx.now):
            raise _taken()
        owner = act.people.by_email(email)
        act.registrants.add(registrant)
        if owner is None:
            act.owe(_proof(registrant.id))
        else:
            kind = NoticeKind.ALREADY_REGISTERED
            act.owe(Notice(kind, ToPerson(owner.id), "/sign-in", owner.id))


def waiting(house: House, ctx: Context, token: str) -> Registrant | None:
    """Return who would open an account by this mailed token; None where an account has one.

    Raises: BadLink, as `prove_address`.
    """
    claim = read_claim(house, ctx, Purpose.VERIFY, token)
    with house.db.reading() as read:
        if read.people.by_id(PersonId(claim.subject)) is not None:
            return None
        return _waiting(read, ctx, claim)


def prove_address(house: House, ctx: Context, token: str) -> Person:
    """Open the account that waited for this mailed token, or verify one that is open already.

    Proving an address twice is fine. Raises: BadLink for a token that is not ours, has expired, or
    is for an address or a name that changed hands meanwhile.
    """
    claim = read_claim(house, ctx, Purpose.VERIFY, token)
    with house.db.acting(ctx) as act:
        act.lock(_NAMES)
        person_id = PersonId(claim.subject)
        person = act.people.by_id(person_id, lock=True)
        if person is None:
            _open_account(act, ctx, _waiting(act, ctx, claim))
        elif claim.check and act.people.commitments(person_id)[0] != claim.check:
            raise BadLink("this address was changed since the mail was sent")
        proven = act.people.by_id(person_id)
        assert proven is not None  # noqa: S101  it was there, or was recorded just now
        if not proven.is_verified:
            act.record(f.AddressVerified(person_id, act.people.commitments(person_id)[0]))
    return proven


def ask_again(house: House, ctx: Context) -> None:
    """Owe the verifying mail once more to the signed-in person."""
    with house.db.acting(ctx) as act:
        person = current(act, ctx)
        if not person.is_verified:
            act.owe(_proof(person.id))


def create_person(
    house: House, ctx: Context, typed: Registration, *, verified: bool, role: SiteRole | None
) -> PersonId:
    """Open an account from the command line; an empty password leaves sign-in to a reset."""
    email = normalise_email(typed.email)
    check_owner_name(typed.username)
    if typed.password:
        check_password(typed.password, email, typed.name, typed.username)
    hashed = hash_password(typed.password) if typed.password else ""
    with house.db.acting(ctx) as act:
        act.lock(_NAMES)
        if act.people.by_email(email) is not None:
            raise invalid("email", "this address is registered already")
        person_id = _add_person(act, ctx, _registrant(ctx, typed, email, hashed))
        if verified:
            act.record(f.AddressVerified(person_id, act.people.commitments(person_id)[0]))
        if role is not None:
            act.record(f.SiteRoleGiven(person_id, role))
    return person_id


def first_admin_token(house: House, ctx: Context) -> str:
    """Return the token of the address that makes the first administrator, good for a day."""
    now = int(ctx.now.timestamp())
    claim = Claim(ctx.fresh(12).hex(), "first-admin", "", now, now + VERIFY_SECONDS)
    return house.links.sign(Purpose.FIRST_ADMIN, claim)


def check_first_admin(house: House, ctx: Context, token: str) -> None:
    """Raise BadLink unless this token makes the first administrator and nobody is here yet."""
    read_claim(house, ctx, Purpose.FIRST_ADMIN, token)
    with house.db.reading() as read:
        _check_nobody(read)


def register_first_admin(house: House, ctx: Context, token: str, typed: Registration) -> Person:
    """Open the first account, verified and administrator.

    Raises: Invalid with every field that is wrong; BadLink as `check_first_admin`.
    """
    check_first_admin(house, ctx, token)
    email = _check(typed)
    hashed = hash_password(typed.password)
    with house.db.acting(ctx) as act:
        act.lock(_NAMES)
        _check_nobody(act)
        person_id = _add_person(act, ctx, _registrant(ctx, typed, email, hashed))
        act.record(
            f.AddressVerified(person_id, act.people.commitments(person_id)[0]),
            f.SiteRoleGiven(person_id, SiteRole.ADMIN),
        )
        person = act.people.by_id(person_id)
    assert person is not None  # noqa: S101  it was recorded just now
    return person


def _registrant(ctx: Context, typed: Registration, email: str, hashed: str) -> Registrant:
    return Registrant(
        id=PersonId(ctx.new_id("per")),
        email=email,
        username=typed.username,
        name=check_person_name(typed.name),
        affiliation=" ".join(typed.affiliation.split())[:200],
        password=hashed,
        expires_at=ctx.now + timedelta(seconds=VERIFY_SECONDS),
    )


def _waiting(read: Readers, ctx: Context, claim: Claim) -> Registrant:
    registrant = read.registrants.by_id(PersonId(claim.subject), ctx.now)
    if registrant is None:
        raise BadLink("this registration ended, or was begun anew since the mail was sent")
    return registrant


def _open_account(act: Act, ctx: Context, registrant: Registrant) -> None:
    if act.people.by_email(registrant.email) is not None:
        raise BadLink("this address has an account by now")
    if not act.people.owner_name_is_free(registrant.username):
        raise BadLink("this name was taken meanwhile; register again with another")
    _add_person(act, ctx, registrant)
    act.registrants.drop(registrant.id)


def _add_person(act: Act, ctx: Context, registrant: Registrant) -> PersonId:
    """Record a new person inside an act; the caller checked what was typed."""
    if not act.people.owner_name_is_free(registrant.username):
        raise _taken()
    act.record(
        f.PersonRegistered(
            person_id=registrant.id,
            username=ctx.sealed("username", registrant.username),
            email=ctx.sealed("email", registrant.email),
            name=ctx.sealed("name", registrant.name),
            affiliation=ctx.sealed("affiliation", registrant.affiliation),
            password=ctx.sealed("password", registrant.password),
        )
    )
    return registrant.id


def _proof(person_id: PersonId) -> Notice:
    return Notice(NoticeKind.VERIFY_ADDRESS, ToPerson(person_id), "/account", person_id)


def _taken() -> Invalid:
    return invalid("username", "this name is taken; choose another")


def _check_nobody(read: Readers) -> None:
    if read.people.anybody():
        raise BadLink("this site has its first account already")


def _check(typed: Registration) -> str:
    """Return the normalised address; raise Invalid with everything that is wrong at once."""
    errors: list[FieldError] = []
    for check in (
        lambda: normalise_email(typed.email),
        lambda: check_owner_name(typed.username),
        lambda: check_person_name(typed.name),
        lambda: check_password(typed.password, typed.email, typed.name, typed.username),
    ):
        try:
            check()
        except Invalid as error:
            errors.extend(error.errors)
    if errors:
        raise Invalid(*errors)
    return normalise_email(typed.email)
