"""Accounts: sign in, change and reset a password, who acts and with which scope.

No answer tells whether an address is registered: a wrong address costs the same hashing as a wrong
password, and asking for a reset the same writing.
Not here: opening accounts (services/registration), sessions, what a person may fetch (access).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email

from gatekeeper.db.readers import Readers
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.errors import (
    BadCredentials,
    BadLink,
    Busy,
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
    check_password,
)
from gatekeeper.services.ports import House

# Source: OWASP's minimum for argon2id (19 MiB, 2 passes).
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
_WAIT_SECONDS = 10
_NOBODYS_HASH = _HASHER.hash("nobody has this password")

RESET_SECONDS = 3600

_Result = TypeVar("_Result")


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
        # Mail to nobody is owed as well, and never sent: the answer takes as long either way.
        to = person.id if person is not None else PersonId(ctx.new_id("per"))
        act.owe(Notice(NoticeKind.RESET_PASSWORD, ToPerson(to), "/reset", to))


def check_reset(house: House, ctx: Context, token: str) -> tuple[Claim, Person]:
    """Return what a mailed token says and whose password it sets; raises BadLink."""
    claim = read_claim(house, ctx, Purpose.RESET, token)
    with house.db.reading() as read:
        person = read.people.by_id(PersonId(claim.subject))
        if person is None or read.people.commitments(person.id)[1] != claim.check:
            raise BadLink("this address was used already; ask for a new mail")
    return claim, person


def reset_password(house: House, ctx: Context, token: str, password: str) -> Person:
    """Set a new password by a mailed token, once; every session and token of the person ends.

    So does every login of a program that they let in and that has not fetched its token.
    Raises: BadLink for a token used, expired or not ours; Invalid for a weak password.
    """
    claim, person = check_reset(house, ctx, token)
    check_password(password, person.email, person.name, person.username)
    hashed = hash_password(password)
    with house.db.acting(ctx) as act:
        act.people.by_id(person.id, lock=True)
        if act.people.commitments(person.id)[1] != claim.check:
            raise BadLink("this address was used already; ask for a new mail")
        act.record(f.PasswordSet(person.id, ctx.sealed("password", hashed)))
        # Whoever held the account before may have made tokens: they end with the sessions.
        live = [token for token in act.people.tokens_of(person.id) if token.is_live(ctx.now)]
        act.record(*(f.TokenRevoked(token.id, person.id) for token in live))
        if not person.is_verified:  # they read mail at the address: that is what verifying asks
            act.record(f.AddressVerified(person.id, act.people.commitments(person.id)[0]))
        act.ephemeral.end_sessions_of(person.id)
        act.devices.drop_of(person.id)
    return person


def change_password(house: House, ctx: Context, old: str, new: str, *, keep_session: str) -> None:
    """Change the signed-in person's password; every other session and login of a program ends."""
    with house.db.reading() as read:
        person = current(read, ctx)
        hashed = read.people.password_hash(person.id)
    if not _verify(hashed or _NOBODYS_HASH, old[:1024]):
        raise invalid("old_password", "this is not your present password")
    check_password(new, person.email, person.name, person.username)
    sealed = ctx.sealed("password", hash_password(new))
    with house.db.acting(ctx) as act:
        act.record(f.PasswordSet(person.id, sealed))
        act.ephemeral.end_sessions_of(person.id, but=keep_session)
        act.devices.drop_of(person.id)


def current(read: Readers, ctx: Context) -> Person:
    """Return the person who acts; raises Refused: no_account for anonymous, blocklisted."""
    person = read.people.by_id(ctx.actor.person_id) if ctx.actor.person_id else None
    if person is None:
        raise Refused(Reason.NO_ACCOUNT)
    if person.suspended:
        raise Refused(Reason.BLOCKLISTED)
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


def read_claim(house: House, ctx: Context, purpose: Purpose, token: str) -> Claim:
    """Return what a mailed token says; raises BadLink for one that is not ours or not in time."""
    claim = house.links.verify(purpose, token)
    check_times(claim, ctx.now)
    return claim


def hash_password(password: str) -> str:
    """Return the argon2id hash; raises Busy when too many passwords wait."""
    return _by_hasher(lambda: _HASHER.hash(password))


def _verify(hashed: str, password: str) -> bool:
    try:
        return _by_hasher(lambda: _HASHER.verify(hashed, password))
    except (VerificationError, InvalidHashError):
        return False


def _by_hasher(work: Callable[[], _Result]) -> _Result:
    waiting = _hashers(os.getpid()).submit(work)
    try:
        return waiting.result(_WAIT_SECONDS)
    except TimeoutError:
        waiting.cancel()
        raise Busy("too many people are signing in at once") from None


@lru_cache(maxsize=1)
def _hashers(_process: int) -> ThreadPoolExecutor:
    """Return the threads of this process that hash, one a core: none survives a fork.

    A hash takes 19 MiB and tens of milliseconds: were it any thread of the server, a crowd that
    signs in would take gigabytes, and be served no sooner.
    """
    return ThreadPoolExecutor(os.cpu_count() or 1, "hasher")
