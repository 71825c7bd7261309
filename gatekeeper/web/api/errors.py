"""Every error as application/problem+json, in one table (RFC 9457).

`code` is a reason of interface.md and `next_step` says what to do. A hidden thing and a missing one
are answered byte for byte alike: no problem repeats what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.errors import (
    BadCredentials,
    BadLink,
    Busy,
    Conflict,
    IntegrityBroken,
    Invalid,
    NotAllowed,
    NotFound,
    TermsOutdated,
    TooLarge,
    Unavailable,
)
from gatekeeper.web import wording
from gatekeeper.web.api.wire.problems import Fault, FieldProblem, NextStep, Problem

_REFUSED = {Reason.NO_ACCOUNT: 401, Reason.NOT_VISIBLE: 404, Reason.MODEL_WITHDRAWN: 410}
_STEPS: Mapping[Reason | Fault, NextStep] = {
    Reason.NO_ACCOUNT: NextStep(
        text="Register or sign in, make an access token on your account page, and send it as "
        "`Authorization: Bearer gk_...`.",
        page="/account",
    ),
    Fault.TOKEN_INVALID: NextStep(text="Make a new access token.", page="/account"),
    Reason.WRONG_SCOPE: NextStep(
        text="Use a token with the scope it needs, or ask for the role.", page="/account"
    ),
    Reason.TERMS_OUTDATED: NextStep(text="Read the version in force and accept that one."),
    Fault.INVALID: NextStep(text="Mend what `errors` names and send it again."),
    Fault.BAD_REQUEST: NextStep(text="Mend the request and send it again."),
    Fault.NOT_FOUND: NextStep(text="Look in the catalogue.", page="/"),
    Fault.CONFLICT: NextStep(text="Read how it stands now, then decide again."),
    Fault.TOO_LARGE: NextStep(text="Send less."),
    Fault.RATE_LIMITED: NextStep(text="Wait as long as Retry-After says."),
    Fault.BUSY: NextStep(text="Wait as long as Retry-After says and send it again."),
    Fault.UNAVAILABLE: NextStep(text="Wait, look how it stands, and send it again."),
}


# Guards that no token and no role opens: somebody else has to.
_OTHERS_DECIDE = frozenset({"G-conflict", "G-two"})


def answer(error: Exception) -> Response:
    """Answer an exception; must not raise."""
    told = _problem(error)
    response = Response(
        told.model_dump_json(exclude_none=True),
        status=told.status,
        content_type="application/problem+json",
    )
    if told.status == 401:
        why = ' error="invalid_token"' if told.code is Fault.TOKEN_INVALID else ""
        response.headers["WWW-Authenticate"] = f'Bearer realm="gatekeeper"{why and "," + why}'
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(error.valid_methods or ())
    return response


def _problem(error: Exception) -> Problem:
    tell = next((_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE), _unforeseen)
    return tell(error)


def _tell(
    status: int, code: Reason | Fault, detail: str, step: NextStep | None = None, **more: Any
) -> Problem:
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        next_step=step or _STEPS[code],
        **more,
    )


def _refused(error: Refused) -> Problem:
    status = _REFUSED.get(error.reason, 403)
    said = wording.step(error)
    if error.reason is Reason.NO_ACCOUNT:
        return _tell(status, error.reason, "This needs a person, and the call names none.")
    return _tell(status, error.reason, said.said, NextStep(text=said.do, page=said.page))


def _invalid(error: Invalid) -> Problem:
    errors = tuple(FieldProblem(field=e.field, detail=e.detail) for e in error.errors)
    detail = "; ".join(f"{e.field}: {e.detail}" for e in errors[:3])
    return _tell(422, Fault.INVALID, detail, errors=errors)


def _conflict(error: Conflict) -> Problem:
    state, version = error.state or None, error.version or None
    return _tell(409, Fault.CONFLICT, str(error), state=state, version=version)


def _not_allowed(error: NotAllowed) -> Problem:
    step = NextStep(text="Leave it to a colleague.") if error.guard in _OTHERS_DECIDE else None
    return _tell(403, Reason.WRONG_SCOPE, f"{error} ({error.guard})", step)


def _bad_link(error: BadLink) -> Problem:
    reason = Reason.LINK_EXPIRED if error.expired else Reason.LINK_INVALID
    return _refused(Refused(reason))


def _http(error: HTTPException) -> Problem:
    status = error.code or 500
    codes = {404: Fault.NOT_FOUND, 413: Fault.TOO_LARGE, 429: Fault.RATE_LIMITED}
    if status >= 500:
        return _unforeseen(error)
    detail = _NO_ADDRESS if status == 404 else error.description or HTTPStatus(status).phrase
    return _tell(status, codes.get(status, Fault.BAD_REQUEST), detail)


def _unforeseen(_error: Exception) -> Problem:
    return _tell(500, Fault.UNAVAILABLE, "Something went wrong on our side; it was written down.")


_NO_ADDRESS = "there is nothing at this address"
_TABLE: Mapping[type[BaseException], Callable[[Any], Problem]] = {
    Refused: _refused,
    Invalid: _invalid,
    NotFound: lambda error: _tell(404, Fault.NOT_FOUND, str(error)),
    NotAllowed: _not_allowed,
    Conflict: _conflict,
    TermsOutdated: lambda error: _tell(409, Reason.TERMS_OUTDATED, str(error), sha256=error.sha256),
    BadCredentials: lambda error: _tell(401, Fault.TOKEN_INVALID, str(error)),
    BadLink: _bad_link,
    TooLarge: lambda error: _tell(413, Fault.TOO_LARGE, str(error)),
    Busy: lambda error: _tell(503, Fault.BUSY, str(error)),
    Unavailable: lambda error: _tell(503, Fault.UNAVAILABLE, str(error)),
    IntegrityBroken: lambda _: _tell(
        503, Fault.UNAVAILABLE, "What was stored cannot be read back."
    ),
    HTTPException: _http,
}
