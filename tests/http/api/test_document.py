"""The OpenAPI document says what the API does: all of it, nothing else, and to whom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter

from gatekeeper.domain.access import Reason
from gatekeeper.domain.people import Scope
from gatekeeper.services import tokens
from gatekeeper.web.api.routes import NOUNS, document
from gatekeeper.web.api.wire.problems import Fault
from tests.cast import context
from tests.http import doors
from tests.http.api.conftest import As
from tests.http.doors import Door
from tests.http.test_matrix import Stage, knock, stage

__all__ = ["stage"]  # the fixture

Json = dict[str, Any]
METHODS = {"get", "put", "post", "delete", "patch"}
DOCUMENT: Json = document()


def operations() -> Iterator[tuple[str, str, Json]]:
    """Return path, method and operation of everything the document describes."""
    for path, item in DOCUMENT["paths"].items():
        for method in sorted(METHODS & set(item)):
            yield path, method, item[method]


def door_of(operation: Json) -> tuple[tuple[str, str], Door]:
    """Return the first door of an operation in the matrix of routes and roles."""
    endpoint = "api." + operation["operationId"].replace("_", ".", 1)
    key = next(key for key in doors.API if key[0] == endpoint)
    return key, doors.API[key][0]


def test_the_document_is_openapi_31_and_served_to_anybody(as_: As) -> None:
    answer = as_(None).get("openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    served = answer.get_json()
    assert served["openapi"].startswith("3.1.")
    assert [str(error) for error in OpenAPIV31SpecValidator(served).iter_errors()] == []
    assert served == TypeAdapter(Any).dump_python(DOCUMENT, mode="json")


def test_every_route_is_in_the_document_and_nothing_else_is(app: Flask) -> None:
    routes = {
        (re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations()} == routes
    assert len(routes) > 25


def test_every_call_was_put_up_with_its_shapes(app: Flask) -> None:
    """A route beside `calls` would be in no document: its shapes would be anybody's guess."""
    put_up = {f"api.{name}" for noun in NOUNS for name in noun.calls}
    found = {r.endpoint for r in app.url_map.iter_rules() if r.rule.startswith("/api/v1/")}
    assert found == put_up


def test_every_operation_says_what_it_is_takes_and_answers() -> None:
    names = set()
    for path, method, operation in operations():
        names.add(operation["operationId"])
        assert operation["summary"], path
        assert len(operation["tags"]) == 1
        assert {"401", "422", "429", "503"} <= set(operation["responses"]), path
        said = [p["name"] for p in operation["parameters"] if p.get("in") == "path"]
        assert said == re.findall(r"{(\w+)}", path)
        key = {"$ref": "#/components/parameters/Idempotency-Key"}
        assert (key in operation["parameters"]) == (method == "post"), path
        for status, answer in operation["responses"].items():
            told = answer if "content" in answer else resolved(answer)
            kind = "application/json" if status.startswith("2") else "application/problem+json"
            assert list(told["content"]) == [kind], (path, status)
            assert told["description"]
    assert len(names) == len(list(operations()))


def test_every_parameter_and_every_key_of_a_body_is_explained() -> None:
    for path, _, operation in operations():
        for parameter in operation["parameters"]:
            found = resolved(parameter) if "$ref" in parameter else parameter
            assert found["description"], (path, found["name"])
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            schema = resolved(content["application/json"]["schema"])
            assert schema["examples"], path
            for name, key in schema["properties"].items():
                assert key.get("description"), (path, name)


def resolved(reference: Json) -> Json:
    """Return what a reference into the document leads to."""
    found: Any = DOCUMENT
    for step in reference["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, dict)
    return found


def test_an_example_of_a_body_is_one_that_the_call_reads() -> None:
    sent = [call.sends for noun in NOUNS for call in noun.calls.values() if call.sends]
    for shape in {shape for shape in sent if shape.model_fields}:
        for example in shape.model_json_schema()["examples"]:
            assert shape.model_validate_json(TypeAdapter(Any).dump_json(example))


def test_a_problem_has_the_codes_of_the_contract_and_no_other() -> None:
    words = {str(word) for kind in (Reason, Fault) for word in kind}
    codes = resolved({"$ref": "#/components/schemas/Problem"})["properties"]["code"]["anyOf"]
    assert {word for part in codes for word in resolved(part)["enum"]} == words


def test_who_may_call_without_a_token_is_whom_the_document_says(stage: Stage) -> None:
    for path, method, operation in operations():
        _, door = door_of(operation)
        told = knock(stage, door, method.upper(), "anonymous")
        assert (told.status_code == 401) == ({} not in operation["security"]), path


@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE, Scope.REVIEW])
def test_a_token_with_less_than_the_scope_a_call_names_is_refused(
    stage: Stage, scope: Scope
) -> None:
    world, refused = stage.world, 0
    tellers = {Scope.READ: "read", Scope.WRITE: "read write", Scope.REVIEW: "read review"}
    for path, method, operation in operations():
        asked = operation["security"][-1]["token"]
        if not asked or asked[0] in tellers[scope].split():
            continue
        _, door = door_of(operation)
        for who in sorted(door.allowed & {"owner", "approver", "compliance"}):
            _, text = tokens.create(world.house, context(), world.cast[who].id, "narrow", scope, 1)
            answer = stage.app.test_client().open(
                stage.fill(door.path, who),
                method=method.upper(),
                json=json.loads(stage.fill(json.dumps(door.json), who)),
                data=door.raw,
                headers={"Authorization": f"Bearer {text}"},
            )
            told = (answer.status_code, answer.get_json()["code"])
            assert told == (403, "wrong_scope"), (path, who)
            refused += 1
    assert refused
