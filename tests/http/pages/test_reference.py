"""The pages about the API: every call and every shape of the document, without a script."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from gatekeeper.web.api.routes import document
from gatekeeper.web.pages import reference_page
from tests.cast import Cast
from tests.http.pages.conftest import Open

DOCUMENT = document()


@pytest.mark.parametrize("who", [None, "stranger", "admin"])
def test_anybody_reads_every_call(browser: Open, cast: Cast, who: str | None) -> None:
    text = browser(cast[who] if who is not None else None).text("/docs/api")
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            row = text.partition(f'id="{operation["operationId"]}"')[2].partition("</details>")[0]
            assert f"<b>{method.upper()}</b> {path}<" in row
            for parameter in (p for p in operation["parameters"] if "name" in p):
                assert f">{parameter['name']}" in row
            assert "curl -sS" in row


def test_every_shape_that_is_named_is_shown(browser: Open) -> None:
    calls, shapes = browser(None).text("/docs/api"), browser(None).text("/docs/api/shapes")
    named = set(re.findall(r'href="/docs/api/shapes#(\w+)"', calls))
    assert len(named) > 10
    assert named <= set(re.findall(r'id="(\w+)"', shapes))
    for name in ("NoQuery", "Problem", "NewDecision", "Reason"):
        assert (f'id="{name}"' in shapes) == (name in DOCUMENT["components"]["schemas"])


def test_the_pages_and_the_document_are_found_from_every_page(client: FlaskClient) -> None:
    assert 'href="/docs/api"' in client.get("/").text
    assert 'href="/api/v1/openapi.json"' in client.get("/docs/api").text


def test_no_page_needs_a_script_or_an_asset_of_others(client: FlaskClient) -> None:
    for path in ("/docs/api", "/docs/api/shapes"):
        text = client.get(path).text
        assert re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(?!/static/)', text) == []
        assert "style=" not in text


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "format": "date"}, "string (date)"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Grant"}}, "Grant[]"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer | null"),
        (
            {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
            "(string | null)[]",
        ),
        ({"enum": ["a", "b"], "type": "string"}, '"a" | "b"'),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "{[key]: string}"),
        ({}, "any"),
    ],
)
def test_a_kind_is_written_as_a_reader_of_code_knows_it(
    schema: dict[str, object], words: str
) -> None:
    found = reference_page.shapes({"components": {"schemas": {"X": schema}}})
    assert found[0].text == words
