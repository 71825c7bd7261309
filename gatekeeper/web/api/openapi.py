"""The OpenAPI 3.1 document, written from the calls as they are put up and their pydantic models.

Nothing is described here twice: addresses, queries, bodies, answers and words come from the calls;
what every call shares (problems, headers, scopes) stands here once. Source: OpenAPI 3.1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from inspect import getdoc
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from gatekeeper import __version__
from gatekeeper.web.api.calls import Call, Noun
from gatekeeper.web.api.wire.problems import Problem
from gatekeeper.web.api.wire.shapes import Query

Json = dict[str, Any]

ABOUT = """\
What a person may do on a page they may do by a call, and both ask the same rules.

Without a token you are anybody: the catalogue is open, the rest is a 401 `no_account`. Bodies are
strict: an unknown key, another type or a text that is too long is refused whole. Times are ISO 8601
in UTC. Lists are `{"items": [...], "next": cursor or null}`; send the cursor back as `after`
(`before` for the ledger). Where calls are counted, every answer says in `X-RateLimit-Remaining` how
many are left."""
SCOPES = """\
An access token from the account page. What a call needs is named with it: `read` is what a person
does for themselves, `write` is that and publishing, `review` is that of `read` and the acts of
staff, `admin` is everything. A token never has more than its owner."""
KEY = """\
A word of your own, such as a UUID. Sent twice with the same body the act takes place once, and the
second answer is the first, marked `Idempotent-Replayed`; another body under the key is a 422. Keys
are kept for a day; a refused call gives its key back."""

_PROBLEMS: Mapping[int, str] = {
    400: "`bad_request`: this is not JSON, or a header is malformed.",
    401: "`no_account` without a token, `token_invalid` for one that is not live.",
    403: "Refused; `code` says why and `next_step` what to do.",
    404: "`not_found`, or `not_visible`: there is no such thing for you.",
    409: "`conflict`, with `state` and `version` as they are now; `terms_outdated`, with the "
    "`sha256` of the text in force.",
    410: "`model_withdrawn`: it was here and is not any more.",
    411: "`bad_request`: say `Content-Length`.",
    413: "`too_large`.",
    415: "`bad_request`: send `Content-Type: application/json`, or raw bytes where they are asked.",
    422: "`invalid`: `errors` name each field of the body or the query that is not right.",
    429: "`rate_limited`: wait as long as Retry-After says.",
    503: "`busy` or `unavailable`: nothing was granted; wait as long as Retry-After says.",
}
_ALWAYS = frozenset({401, 422, 429, 503})
_WITH_BODY = frozenset({400, 413, 415})
_OF_POST = frozenset({400, 409})
_OF_RAW = frozenset({400, 409, 411, 415})
_HEADERS: Mapping[str, tuple[str, Json]] = {
    "X-Request-Id": (
        "Names this call in the logs; send your own to choose it.",
        {"type": "string"},
    ),
    "X-RateLimit-Limit": ("How many calls an address has in a window.", {"type": "integer"}),
    "X-RateLimit-Remaining": ("How many of them are left.", {"type": "integer"}),
    "X-RateLimit-Reset": ("When the window ends, in Unix seconds.", {"type": "integer"}),
    "Retry-After": ("How many seconds to wait.", {"type": "integer"}),
    "WWW-Authenticate": ("`Bearer`, and what is wrong with the token.", {"type": "string"}),
    "Idempotent-Replayed": ("`true` on an answer kept from before.", {"type": "string"}),
}
_EVERYWHERE = ("X-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_HEADERS_OF = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
# The parts of addresses: what each is, and where it is not made by the house, one of the demo's.
_PARTS: Mapping[str, tuple[str, str]] = {
    "owner": ("The namespace.", "northfield"),
    "release": ("The release's name in it.", "lyra"),
    "name": ("The model's name in it.", "lyra-1558m"),
    "revision": ("A branch, a tag or a commit id; a slash is sent as %2F.", "main"),
    "agreement_id": ("The agreement's id.", "research-use"),
    "application_id": ("The application's id.", ""),
    "grant_id": ("The grant's id.", ""),
    "session_id": ("The session's id.", ""),
    "token_id": ("The token's id.", ""),
    "upload_id": ("The upload's id.", ""),
    "number": ("The part's number, counted from 1.", ""),
}
_PLACEHOLDER = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")


class _Shapes(GenerateJsonSchema):
    """Pydantic's JSON Schema (2020-12, that of OpenAPI 3.1) without titles that repeat names."""

    def normalize_name(self, name: str) -> str:
        """Name `Page[Grant]` PageOfGrant."""
        return super().normalize_name(name.replace("[", "Of").replace("]", ""))

    def sort(self, value: Any, parent_key: str | None = None) -> Any:  # noqa: ARG002  pydantic's signature
        """Leave keys as they were written: an example reads better so."""
        return value

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  pydantic's signature
        """Say no: a field's title would be its name once more."""
        return False


def write(prefix: str, nouns: Sequence[Noun]) -> Json:
    """Return the document of calls below a prefix."""
    calls = [call for noun in nouns for call in noun.calls.values()]
    paths: dict[str, Json] = {}
    for noun in nouns:
        for name, call in noun.calls.items():
            path = prefix + _PLACEHOLDER.sub(r"{\1}", call.rule)
            paths.setdefault(path, {})[call.method.lower()] = _operation(noun, name, call)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Gatekeeper",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": noun.name, "description": noun.about} for noun in nouns],
        "paths": paths,
        "components": {
            "schemas": _schemas(calls),
            "responses": {f"problem-{status}": _problem(status) for status in _PROBLEMS},
            "headers": {
                name: {"description": words, "schema": schema}
                for name, (words, schema) in _HEADERS.items()
            },
            "parameters": {"Idempotency-Key": _key()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": SCOPES}
            },
        },
    }


def _operation(noun: Noun, name: str, call: Call) -> Json:
    summary, _, more = (getdoc(call.act) or "").partition("\n\n")
    found: Json = {
        "operationId": name.replace(".", "_"),
        "tags": [noun.name],
        "summary": " ".join(summary.split()).removesuffix("."),
        "parameters": list(_parameters(call)),
        "responses": _responses(call),
        "security": [{}, {"token": []}] if call.scope is None else [{"token": [call.scope.value]}],
    }
    if more:
        found["description"] = more
    if call.sends is not None:
        schema = {"$ref": f"#/components/schemas/{call.sends.__name__}"}
        needed = any(field.is_required() for field in call.sends.model_fields.values())
        found["requestBody"] = {
            "required": needed,
            "content": {"application/json": {"schema": schema}},
        }
    if call.is_raw:
        raw = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
        found["requestBody"] = {"required": True, "content": {"application/octet-stream": raw}}
    return found


def _parameters(call: Call) -> Iterator[Json]:
    for name in _PLACEHOLDER.findall(call.rule):
        words, example = _PARTS[name]
        schema: Json = {"type": "string", "minLength": 1}
        if f"<int:{name}>" in call.rule:
            schema = {"type": "integer", "minimum": 1}
        found = {"name": name, "in": "path", "required": True, "description": words}
        yield found | {"schema": schema} | ({"example": example} if example else {})
    yield from _asked(call.asks)
    if call.method == "POST":
        yield {"$ref": "#/components/parameters/Idempotency-Key"}


def _asked(query: type[Query]) -> Iterator[Json]:
    schema = query.model_json_schema(
        ref_template="#/components/schemas/{model}", schema_generator=_Shapes
    )
    for name, described in schema.get("properties", {}).items():
        words = described.pop("description", "")
        yield {"name": name, "in": "query", "description": words, "schema": _asked_for(described)}


def _asked_for(schema: Json) -> Json:
    """Return the schema of a parameter: a query has no null, what is not asked is not sent."""
    found = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    for kind in schema.get("anyOf", ()):
        found |= kind if kind != {"type": "null"} else {}
    if schema.get("default"):
        found["default"] = schema["default"]
    return found


def _responses(call: Call) -> Json:
    told = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_name(call.tells)}"}}}
    headers = (*_EVERYWHERE, *(("Idempotent-Replayed",) if call.method == "POST" else ()))
    done = {
        str(status): {
            "description": "Done anew." if status == 201 else "Done.",
            "headers": _headers(headers),
            "content": told,
        }
        for status in call.statuses
    }
    problems = {str(s): {"$ref": f"#/components/responses/problem-{s}"} for s in _fails(call)}
    return done | problems


def _fails(call: Call) -> list[int]:
    found = _ALWAYS | set(call.fails)
    if call.scope is not None:
        found |= {403}
    if "<" in call.rule:
        found |= {404}
    if call.sends is not None:
        found |= _WITH_BODY
    if call.method == "POST":
        found |= _OF_POST
    if call.is_raw:
        found |= _OF_RAW
    return sorted(found)


def _problem(status: int) -> Json:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": _PROBLEMS[status],
        "headers": _headers((*_EVERYWHERE, *_HEADERS_OF.get(status, ()))),
        "content": {"application/problem+json": {"schema": schema}},
    }


def _headers(names: Sequence[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _key() -> Json:
    schema = {"type": "string", "pattern": "^[!-~]{1,200}$"}
    return {"name": "Idempotency-Key", "in": "header", "description": KEY, "schema": schema}


def _schemas(calls: Sequence[Call]) -> Json:
    sent = {call.sends for call in calls if call.sends is not None}
    told = {call.tells for call in calls} | {Problem}
    modes: list[tuple[Any, JsonSchemaMode]] = [
        *((model, "validation") for model in sent),
        *((model, "serialization") for model in told),
    ]
    _, found = models_json_schema(
        sorted(modes, key=lambda pair: pair[0].__name__),
        ref_template="#/components/schemas/{model}",
        schema_generator=_Shapes,
    )
    schemas: Json = found["$defs"]
    for schema in schemas.values():
        schema.pop("title", None)
    return schemas


def _name(model: type) -> str:
    return model.__name__.replace("[", "Of").replace("]", "")
