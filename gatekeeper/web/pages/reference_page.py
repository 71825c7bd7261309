"""What the pages about the API say, from its OpenAPI document: calls, curl lines, shapes."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gatekeeper.web.pages.markdown import markdown

Document = Mapping[str, Any]
PREFIX = "/api/v1"
RAW = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a call takes; `where` is address, query or body."""

    name: str
    where: str
    kind: str
    is_needed: bool
    words: Markup


@dataclass(frozen=True, slots=True)
class Call:
    """One call; `scope` is what its token needs, '' where anybody may call."""

    id: str
    method: str
    path: str
    summary: str
    words: Markup
    scope: str
    parts: Sequence[Part]
    answer: str
    statuses: str
    curl: str


@dataclass(frozen=True, slots=True)
class Group:
    """The calls about one thing."""

    name: str
    about: Markup
    calls: Sequence[Call]


@dataclass(frozen=True, slots=True)
class Shape:
    """An object or a word of a closed list, as it is written down."""

    name: str
    words: Markup
    text: str


def groups(document: Document) -> list[Group]:
    """Return the calls by what they are about, in the document's order."""
    operations = [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    return [
        Group(
            tag["name"],
            markdown(tag["description"]),
            [_call(document, *found) for found in operations if found[2]["tags"] == [tag["name"]]],
        )
        for tag in document["tags"]
    ]


def problems(document: Document) -> list[tuple[int, Markup]]:
    """Return what each status of a problem means."""
    shared = document["components"]["responses"]
    return [
        (int(name.rpartition("-")[2]), markdown(told["description"]))
        for name, told in shared.items()
    ]


def shapes(document: Document) -> list[Shape]:
    """Return every shape by its name."""
    found = sorted(document["components"]["schemas"].items())
    return [
        Shape(name, markdown(schema.get("description", "")), _written(schema))
        for name, schema in found
    ]


def _call(document: Document, path: str, method: str, operation: Mapping[str, Any]) -> Call:
    done = {s: told for s, told in operation["responses"].items() if s.startswith("2")}
    failed = ", ".join(s for s in operation["responses"] if s not in done)
    schema = next(iter(done.values()))["content"]["application/json"]["schema"]
    return Call(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        words=markdown(operation.get("description", "")),
        scope="".join(operation["security"][-1]["token"]),
        parts=list(_parts(document, operation)),
        answer=_kind(schema),
        statuses=f"{' or '.join(done)}; problems {failed}",
        curl=_curl(document, path, method, operation),
    )


def _parts(document: Document, operation: Mapping[str, Any]) -> Iterator[Part]:
    for given in operation["parameters"]:
        if "$ref" in given:
            continue  # the page says once what every POST takes
        where = "address" if given["in"] == "path" else given["in"]
        needed = given.get("required", False)
        yield Part(
            given["name"], where, _kind(given["schema"]), needed, markdown(given["description"])
        )
    body = _body(document, operation)
    for name, schema in body.get("properties", {}).items():
        needed = name in body.get("required", ())
        yield Part(name, "body", _kind(schema), needed, markdown(schema["description"]))


def _body(document: Document, operation: Mapping[str, Any]) -> Mapping[str, Any]:
    kinds = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in kinds:
        return {}
    found: Mapping[str, Any] = _at(document, kinds["application/json"]["schema"])
    return found


def _curl(document: Document, path: str, method: str, operation: Mapping[str, Any]) -> str:
    """Write the call as a line for a shell that has $API, $GK_TOKEN and the ids it needs."""
    given = {p["name"]: p.get("example") for p in operation["parameters"] if p.get("in") == "path"}
    named = re.sub(r"{(\w+)}", lambda m: given[m[1]] or f"${m[1].upper()}", path)
    words = ["curl -sS" if method in {"get", "post"} else f"curl -sS -X {method.upper()}"]
    if {} not in operation["security"]:
        words.append('-H "Authorization: Bearer $GK_TOKEN"')
    words.append(f'"$API{named.removeprefix(PREFIX)}"')
    if examples := _body(document, operation).get("examples"):  # -d makes a POST
        words.append('\\\n  -H "Content-Type: application/json"')
        words.append(f"\\\n  -d {shlex.quote(json.dumps(examples[0], ensure_ascii=False))}")
    elif RAW in operation.get("requestBody", {}).get("content", {}):
        words.append(f'\\\n  -H "Content-Type: {RAW}"')
        words.append("\\\n  --data-binary @part")
    return " ".join(words)


def _at(document: Document, reference: Mapping[str, Any]) -> Any:
    found: Any = document
    for step in reference["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def _written(schema: Mapping[str, Any]) -> str:
    """Write a shape as its keys, each with its kind; `?` where one may be absent."""
    if "properties" not in schema:
        return _kind(schema)
    needed = schema.get("required", ())
    keys = (
        f"  {name}{'' if name in needed else '?'}: {_kind(value)}"
        for name, value in schema["properties"].items()
    )
    return "\n".join(("{", *keys, "}"))


def _kind(schema: Mapping[str, Any]) -> str:
    """Write the kind of a value in the words of TypeScript, formats in brackets."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " | ".join(f'"{word}"' for word in schema["enum"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "anyOf" in schema:
        return " | ".join(map(_kind, schema["anyOf"]))
    if schema.get("type") == "array":
        inner = _kind(schema["items"])
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"{{[key]: {_kind(values)}}}" if isinstance(values, Mapping) else "{[key]: any}"
    kind = str(schema.get("type", "any"))
    return f"{kind} ({schema['format']})" if "format" in schema else kind
