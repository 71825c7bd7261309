"""`Idempotency-Key` around every POST: the same request under its key is done once.

The same request is the same method, address, body and token scope of one person. What failed gives
its key back, for it changed nothing; what was done keeps its answer for a day.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flask import Response, request
from werkzeug.exceptions import BadRequest

from gatekeeper.domain.errors import Unavailable
from gatekeeper.domain.people import Context
from gatekeeper.services import idempotency
from gatekeeper.services.idempotency import Kept
from gatekeeper.web.api.exchange import text_of, write
from gatekeeper.web.api.wire.shapes import Answer
from gatekeeper.web.wiring import house

log = logging.getLogger("gatekeeper.web.api")
A = TypeVar("A", bound=Answer)
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class Done(Generic[A]):
    """An act that took place: how to show what came of it; the status, where it is not the usual.

    `kept` is what a repeat is answered from, where the answer itself may not be stored.
    """

    show: Callable[[], A]
    status: int | None = None
    kept: str | None = None


def once(
    ctx: Context,
    act: Callable[[], Done[Any]],
    usual_status: int,
    repeat: Callable[[str], str] | None,
) -> Response:
    """Answer with what an act does, or did under the same key before.

    `repeat` writes the answer anew from what was kept of the first.
    """
    key = _key()
    if key is None:
        done = act()
        return write(text_of(done.show()), done.status or usual_status)
    kept = idempotency.claim(house(), ctx, key, _digest(ctx))
    if kept is None:
        return _carry_out(ctx, key, act, usual_status)
    text = repeat(kept.text) if repeat is not None else kept.text
    response = write(text, kept.status)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _carry_out(ctx: Context, key: str, act: Callable[[], Done[Any]], usual_status: int) -> Response:
    try:
        done = act()
    except BaseException:
        idempotency.release(house(), ctx, key)
        raise
    # From here on the act stands: whatever fails now must not give the key back.
    text, status = text_of(done.show()), done.status or usual_status
    try:
        idempotency.keep(house(), ctx, key, Kept(status, done.kept or text))
    except Unavailable:
        log.warning("the answer of an idempotent request was not kept: a repeat will be refused")
    return write(text, status)


def _key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key: 1 to 200 visible ASCII characters, such as a UUID")
    return key


def _digest(ctx: Context) -> str:
    digest = hashlib.sha256()
    for part in (request.method, request.full_path, str(ctx.actor.scope)):
        digest.update(part.encode() + b"\x00")
    digest.update(request.get_data())
    return digest.hexdigest()
