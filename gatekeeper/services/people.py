"""Accounts: register, prove an address, sign in, change and reset a password, tokens, roles.

No answer tells whether an address is registered: registering twice looks the same (a mail goes to
the one who has it), and a wrong address costs the same hashing as a wrong password.
Not here: sessions (services/sessions), what a person may fetch (services/access).
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email

from gatekeeper.db.unit_of_work import Act, Readers
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.errors import (
    BadCredentials,
    BadLink,
    Busy,
    FieldError,
    Invalid,
    NotFound,
    invalid,
)
from gatekeeper.domain.facts import people as f
from gatekeeper.domain.links import Claim, Purpose, check_times
from gatekeeper.domain.notices import Notice, NoticeKind, ToPerson
from gatekeeper.domain.people import (
    Context,
    Person,
    PersonId,
    Scope,
    SiteRole,
    check_owner_name,
    check_password,
    check_person_name,
)
from gatekeeper.services.ports import House

# Source: OWASP's minimum for argon2id (19 MiB, 2 passes); at most one hash per core at a time.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
_HASHING = threading.BoundedSemaphore(os.cpu_count() or 1)
_WAIT_SECONDS = 10
_NOBODYS_HASH = _HASHER.hash("nobody has this password")

VERIFY_SECONDS = 24 * 3600
RESET_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody typed to open an account."""

    email: str
    username: str
    name: str
    affiliation: str
    password: str


def register(house: House, ctx: Context, typed: Registration) -> None:
    """Open an account and owe the mail that proves its address; answers the same if it exists.

    Raises: Invalid with every field that is wrong (a taken username is one; an address never).
    """
    email = _check(typed)
    hashed = _hash(typed.password)
    with house.db.acting(ctx) as act:
        act.lock("owner-names")
        # The name first: a taken one must not tell by its refusal that the address is unknown.
        _check_free(act, typed.username)
        owner = act.people.by_email(email)
        if owner is not None:
            kind = NoticeKind.ALREADY_REGISTERED
            act.owe(Notice(kind, ToPerson(owner.id), "/sign-in", owner.id))
            return
        add_person(act, ctx, typed, email, hashed)


def add_person(act: Act, ctx: Context, typed: Registration, email: str, hashed: str) -> PersonId:
    """Record a new person inside an act; the caller checked what was typed."""
    _check_free(act, typed.username)
    person_id = PersonId(ctx.new_id("per"))
    act.record(
        f.PersonRegistered(
            person_id=person_id,
            username=ctx.sealed("username", typed.username),
            email=ctx.sealed("email", email),
            name=ctx.sealed("name", check_person_name(typed.name)),
            affiliation=ctx.sealed("affiliation", " ".join(typed.affiliation.split())[:200]),
            password=ctx.sealed("password", hashed),
        )
    )
    return person_id


def _check_free(act: Act, username: str) -> None:
    if not act.people.owner_name_is_free(username):
        raise invalid("username", "this name is taken; choose another")


def create_person(
    house: House, ctx: Context, typed: Registration, *, verified: bool, role: SiteRole | None
) -> PersonId:
    """Open an account from the command line; an empty password leaves sign-in to a reset."""
    email = normalise_email(typed.email)
    check_owner_name(typed.username)
    if typed.password:
        check_password(typed.password, email, typed.name, typed.username)
    hashed = _hash(typed.password) if typed.password else ""
    with house.db.acting(ctx) as act:
        act.lock("owner-names")
        if act.people.by_email(email) is not None:
            raise invalid("email", "this address is registered already")
        person_id = add_person(act, ctx, typed, email, hashed)
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
    _claim(house, ctx, Purpose.FIRST_ADMIN, token)
    with house.db.reading() as read:
        _check_nobody(read)


def register_first_admin(house: House, ctx: Context, token: str, typed: Registration) -> Person:
    """Open the first account, verified and administrator.

    Raises: Invalid with every field that is wrong; BadLink as `check_first_admin`.
    """
    check_first_admin(house, ctx, token)
    email = _check(typed)
    hashed = _hash(typed.password)
    with house.db.acting(ctx) as act:
        act.lock("owner-names")
        _check_nobody(act)
        person_id = add_person(act, ctx, typed, email, hashed)
        act.record(
            f.AddressVerified(person_id, act.people.commitments(person_id)[0]),
            f.SiteRoleGiven(person_id, SiteRole.ADMIN),
        )
        person = act.people.by_id(person_id)
    assert person is not None  # noqa: S101  it was recorded just now
    return person


def _check_nobody(read: Readers) -> None:
    if read.people.anybody():
        raise BadLink("this site has its first account already")


def prove_address(house: House, ctx: Context, token: str) -> Person:
    """Verify the address a mailed token was sent to; proving it twice is fine.

    Raises: BadLink for a token that is not ours, has expired, or is for an address since changed.
    """
    claim = _claim(house, ctx, Purpose.VERIFY, token)
    with house.db.acting(ctx) as act:
        person = act.people.by_id(PersonId(claim.subject), lock=True)
        if person is None or act.people.commitments(person.id)[0] != claim.check:
            raise BadLink("this address was changed since the mail was sent")
        if not person.is_verified:
            act.record(f.AddressVerified(person.id, claim.check))
    return person


def ask_again(house: House, ctx: Context) -> None:
    """Owe the verifying mail once more to the signed-in person."""
    with house.db.acting(ctx) as act:
        person = current(act, ctx)
        if not person.is_verified:
            act.owe(Notice(NoticeKind.VERIFY_ADDRESS, ToPerson(person.id), "/account", person.id))


def sign_in(house: House, email: str, password: str) -> Person:
    """Return the person whose password this is; raises BadCredentials for everything else.

    Raises: Busy when too many passwords are being checked at once.
    """
    with house.db.reading() as read:
        person = read.people.by_email(email.strip().lower()[:320])
        hashed = read.people.password_hash(person.id) if person is not None else ""
    right = _verify(hashed or _NOBODYS_HASH, password[:1024])
    if person is None or not hashed or not right or person.suspended:
        raise BadCredentials("the address or the password is wrong")
    return person


def ask_reset(house: House, ctx: Context, email: str) -> None:
    """Owe a reset mail if the address is registered; answers the same if it is not."""
    with house.db.acting(ctx) as act:
        person = act.people.by_email(email.strip().lower()[:320])
        if person is not None:
            act.owe(Notice(NoticeKind.RESET_PASSWORD, ToPerson(person.id), "/reset", person.id))


def reset_password(house: House, ctx: Context, token: str, password: str) -> Person:
    """Set a new password by a mailed token, once; every session of the person ends.

    Raises: BadLink for a token used, expired or not ours; Invalid for a weak password.
    """
    claim = _claim(house, ctx, Purpose.RESET, token)
    with house.db.reading() as read:
        person = read.people.by_id(PersonId(claim.subject))
        if person is None or read.people.commitments(person.id)[1] != claim.check:
            raise BadLink("this address was used already; ask for a new mail")
    check_password(password, person.email, person.name, person.username)
    hashed = _hash(password)
    with house.db.acting(ctx) as act:
        act.people.by_id(person.id, lock=True)
        if act.people.commitments(person.id)[1] != claim.check:
            raise BadLink("this address was used already; ask for a new mail")
        act.record(f.PasswordSet(person.id, ctx.sealed("password", hashed)))
        if not person.is_verified:  # they read mail at the address: that is what verifying asks
            act.record(f.AddressVerified(person.id, act.people.commitments(person.id)[0]))
        act.ephemeral.end_sessions_of(person.id)
    return person


def change_password(house: House, ctx: Context, old: str, new: str, *, keep_session: str) -> None:
    """Change the signed-in person's password; every other session ends."""
    with house.db.reading() as read:
        person = current(read, ctx)
        hashed = read.people.password_hash(person.id)
    if not _verify(hashed or _NOBODYS_HASH, old[:1024]):
        raise invalid("old_password", "this is not your present password")
    check_password(new, person.email, person.name, person.username)
    sealed = ctx.sealed("password", _hash(new))
    with house.db.acting(ctx) as act:
        act.record(f.PasswordSet(person.id, sealed))
        act.ephemeral.end_sessions_of(person.id, but=keep_session)


def current(read: Readers, ctx: Context) -> Person:
    """Return the person who acts; raises Refused(no_account) for anonymous."""
    person = read.people.by_id(ctx.actor.person_id) if ctx.actor.person_id else None
    if person is None:
        raise Refused(Reason.NO_ACCOUNT)
    return person


def person_named(read: Readers, me: Person, words: str) -> PersonId:
    """Return whom an id, a username, an address or `me` names; the words as an id for nobody."""
    if words == "me":
        return me.id
    email = words.strip().lower()
    found = read.people.by_username(words) or read.people.by_email(email)
    return found.id if found is not None else PersonId(words)


_MAY = {
    Scope.READ: frozenset(Scope),
    Scope.WRITE: frozenset({Scope.WRITE, Scope.ADMIN}),
    Scope.REVIEW: frozenset({Scope.REVIEW, Scope.ADMIN}),
    Scope.ADMIN: frozenset({Scope.ADMIN}),
}


def may_act(through: Scope | None, needed: Scope) -> bool:
    """Say whether a token of one scope, or a session (None), serves for acts that need another."""
    return through is None or through in _MAY[needed]


def need_scope(ctx: Context, scope: Scope) -> None:
    """Raise Refused(wrong_scope) when a token acts that was not made for this; sessions pass."""
    if not may_act(ctx.actor.scope, scope):
        raise Refused(Reason.WRONG_SCOPE)


def find(house: House, email: str) -> Person:
    """Return the person with this address (operator); raises NotFound."""
    with house.db.reading() as read:
        person = read.people.by_email(normalise_email(email))
    if person is None:
        raise NotFound("no such person")
    return person


def normalise_email(text: str) -> str:
    """Return the address in the one form we store; raises Invalid."""
    try:
        # `.test`, `.example` and the like are refused by default, and are what demos are made of.
        checked = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise invalid("email", f"this is no mail address: {error}"[:200]) from error
    return checked.normalized.lower()


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


def _claim(house: House, ctx: Context, purpose: Purpose, token: str) -> Claim:
    claim = house.links.verify(purpose, token)
    check_times(claim, ctx.now)
    return claim


def _hash(password: str) -> str:
    with _Hashing():
        return _HASHER.hash(password)


def _verify(hashed: str, password: str) -> bool:
    with _Hashing():
        try:
            return _HASHER.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


class _Hashing:
    """A place at the hasher: it costs 19 MiB and tens of milliseconds a password."""

    def __enter__(self) -> None:
        if not _HASHING.acquire(timeout=_WAIT_SECONDS):
            raise Busy("too many people are signing in at once")

    def __exit__(self, *_: object) -> None:
        _HASHING.release()
