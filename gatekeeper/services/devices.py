"""Letting a program in from a browser: it shows a code, a person types it and decides.

The program's token is made when it comes for it: no secret lies here meanwhile. A person decides
about a code that somebody else may have sent them, so the page says what that means.
Source: RFC 8628. Not here: tokens made by hand (tokens).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from gatekeeper.db.devices import Device, DeviceState
from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.errors import Busy, GatekeeperError, NotFound
from gatekeeper.domain.people import Actor, ActorKind, Context, Scope
from gatekeeper.services import tokens
from gatekeeper.services.people import current
from gatekeeper.services.ports import House

WAITS_SECONDS = 900
ASK_EVERY_SECONDS = 5
TOKEN_DAYS = 90
MOST_WAITING = 5000
# No vowels and nothing that looks like another letter: 20^8 codes, which make no words.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_LENGTH = 8


class Refusal(StrEnum):
    """Why a program gets no token, in the words of RFC 8628 3.5 and RFC 6749 5.2."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    DENIED = "access_denied"
    EXPIRED = "expired_token"
    UNKNOWN = "invalid_grant"


class NoToken(GatekeeperError):
    """The program gets no token now; `refusal` says whether to ask again."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Codes:
    """What a program is given: the secret it comes back with, and what a person types."""

    device_code: str
    user_code: str


def begin(house: House, ctx: Context) -> Codes:
    """Let a program wait for `WAITS_SECONDS`; raises Busy when too many do."""
    secret = ctx.fresh(32).hex()
    code = "".join(_LETTERS[byte % len(_LETTERS)] for byte in _even(ctx))
    device = Device(
        digest=_digest(secret),
        user_code=code,
        state=DeviceState.WAITING,
        person_id=None,
        scope=Scope.READ,
        asked_at=ctx.now,
        polled_at=ctx.now,
        expires_at=ctx.now + timedelta(seconds=WAITS_SECONDS),
    )
    with house.db.acting(ctx) as act:
        if act.devices.waiting(ctx.now) >= MOST_WAITING:
            raise Busy("too many programs wait to be let in", retry_after_seconds=60)
        if act.devices.by_user_code(code, ctx.now) is None:
            act.devices.add(device)
            return Codes(secret, written(code))
    raise Busy("ask again", retry_after_seconds=1)  # the same code: once in a few million


def _even(ctx: Context) -> bytes:
    """Return random bytes of which each letter is as likely as another."""
    most = 256 - 256 % len(_LETTERS)
    drawn = bytes(byte for byte in ctx.fresh(8 * _LENGTH) if byte < most)
    return drawn[:_LENGTH]


def written(code: str) -> str:
    """Return a code as people read it: `BCDF-GHJK`."""
    return f"{code[:4]}-{code[4:]}"


def typed(text: str) -> str:
    """Return the code somebody typed, however it was written."""
    return "".join(letter for letter in text.upper()[:40] if letter in _LETTERS)


def find(house: House, ctx: Context, code: str) -> Device:
    """Return the program that waits with this code; raises NotFound, Refused for nobody."""
    with house.db.reading() as read:
        current(read, ctx)
        device = read.devices.by_user_code(typed(code), ctx.now)
    if device is None:
        raise NotFound("no program waits with this code")
    return device


def answer(house: House, ctx: Context, code: str, scope: Scope, *, allows: bool) -> None:
    """Let a program act as the caller within a scope, or turn it away.

    Raises: NotFound when none waits with this code, Refused for an address that is not verified.
    """
    state = DeviceState.ALLOWED if allows else DeviceState.DENIED
    with house.db.acting(ctx) as act:
        person = current(act, ctx)
        if allows and not person.is_verified:
            raise Refused(Reason.EMAIL_UNVERIFIED)
        device = act.devices.by_user_code(typed(code), ctx.now)
        if device is None or not act.devices.answer(device.digest, state, person.id, scope):
            raise NotFound("no program waits with this code")


def redeem(house: House, ctx: Context, device_code: str) -> str:
    """Return the token of a program that was let in, once; raises NoToken.

    Nothing is written for a code that nobody has, has expired, was turned away or comes too soon.
    """
    digest = _digest(device_code)
    with house.db.reading() as read:
        device = read.devices.by_digest(digest)
    refusal = _refusal(ctx, device)
    if refusal is Refusal.PENDING:
        with house.db.acting(ctx) as act:
            act.devices.note_poll(digest, ctx.now)
    if refusal is not None or device is None or device.person_id is None:
        raise NoToken(refusal or Refusal.UNKNOWN)
    owner = Context(Actor(ActorKind.PERSON, device.person_id), ctx.now, ctx.fresh, ctx.request_id)
    name = f"hf auth login {written(device.user_code)}"
    days = min(TOKEN_DAYS, house.policy.token_longest_days)
    with house.db.acting(owner) as act:
        person = act.people.by_id(device.person_id, lock=True)
        if person is None or person.suspended:
            raise NoToken(Refusal.DENIED)
        if not act.devices.drop(digest):
            raise NoToken(Refusal.UNKNOWN)
        return tokens.record(act, owner, person.id, name, device.scope, days)[1]


def _refusal(ctx: Context, device: Device | None) -> Refusal | None:
    if device is None:
        return Refusal.UNKNOWN
    if device.expires_at <= ctx.now:
        return Refusal.EXPIRED
    if device.state is DeviceState.DENIED:
        return Refusal.DENIED
    if device.state is DeviceState.ALLOWED:
        return None
    waited = (ctx.now - device.polled_at).total_seconds()
    is_first = device.polled_at == device.asked_at
    hasty = not is_first and waited < ASK_EVERY_SECONDS - 1
    return Refusal.SLOW_DOWN if hasty else Refusal.PENDING


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
