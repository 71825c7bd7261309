"""What every call goes through: who calls, what came in, how an answer leaves.

Only `Authorization: Bearer` counts: a session cookie opens nothing here, so that no other site can
make a browser call the API. Not here: Idempotency-Key (once), errors (errors).
"""

from __future__ import annotations

from typing import TypeVar, get_origin

from flask import Response, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.errors import FieldError, Invalid
from gatekeeper.domain.people import Context
from gatekeeper.web.api.wire.shapes import Answer, Body, Query
from gatekeeper.web.identity import bearer_context

MAX_ERRORS = 20
B = TypeVar("B", bound=Body)
Q = TypeVar("Q", bound=Query)


def caller() -> Context:
    """Return who calls: the bearer's person, or anybody; raises BadCredentials for a bad token."""
    return bearer_context()


def person_calling() -> Context:
    """Return who calls, before their body is read; raises Refused(no_account) for nobody."""
    ctx = caller()
    if ctx.actor.person_id is None:
        raise Refused(Reason.NO_ACCOUNT)
    return ctx


def body(shape: type[B]) -> B:
    """Read the JSON body; an empty one counts as `{}`.

    Raises: UnsupportedMediaType, BadRequest for what is not JSON, Invalid naming each field,
    RequestEntityTooLarge.
    """
    sent = request.get_data()
    if sent and not request.is_json:
        raise UnsupportedMediaType("send JSON, with Content-Type: application/json")
    try:
        return shape.model_validate_json(sent or b"{}")
    except ValidationError as error:
        raise _explain(error) from error


def query(shape: type[Q]) -> Q:
    """Read the query string; a list is a key given several times. Raises: Invalid."""
    fields = shape.model_fields
    asked: dict[str, object] = {}
    for name, values in request.args.lists():
        is_list = name in fields and get_origin(fields[name].annotation) is tuple
        asked[name] = values if is_list or len(values) > 1 else values[0]
    try:
        return shape.model_validate(asked)
    except ValidationError as error:
        raise _explain(error) from error


def say(answer: Answer, status: int = 200) -> Response:
    """Answer with JSON."""
    return write(text_of(answer), status)


def text_of(answer: BaseModel) -> str:
    """Write an answer as JSON."""
    return answer.model_dump_json()


def write(text: str, status: int) -> Response:
    """Answer with JSON that was written before."""
    return Response(text, status=status, content_type="application/json")


def _explain(error: ValidationError) -> Invalid | BadRequest:
    """Turn what pydantic found into field errors; nothing that was sent is repeated but names."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return BadRequest(found[0]["msg"])
    return Invalid(
        *(
            FieldError(
                ".".join(str(step)[:80] for step in one["loc"][:4]) or "body",
                one["msg"].removeprefix("Value error, ")[:300],
            )
            for one in found[:MAX_ERRORS]
        )
    )
