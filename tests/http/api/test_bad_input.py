"""Whatever comes in, the answer is a clear 4xx problem and nothing was changed."""

from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gatekeeper.app import create_app
from tests.builders import RESEARCH, WEIGHTS, World
from tests.conftest import Site, make_settings
from tests.http.api.conftest import As

T3 = "northfield/lyra-t3"
DRAFT = {"models": [T3], "purpose": "p", "answers": {}, "public_summary": ""}
LINK = {"model": T3, "revision": "main", "path": WEIGHTS}
SIGNING = {"sha256": "0" * 64, "clauses": ["1"], "typed_name": "A"}


def is_problem(response: TestResponse, status: int) -> None:
    """Check that a call was refused as it should be, without a word of what was sent."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    told = response.get_json()
    assert told["code"] in {"invalid", "bad_request", "too_large", "not_found"}
    assert told["next_step"]["text"]
    assert (told["code"] == "invalid") == (status == 422) == ("errors" in told)
    assert len(response.data) < 20_000


# --- bodies that are no JSON object of the shape


RAW: dict[str, tuple[bytes, int]] = {
    "broken": (b"{", 400),
    "no text": (b"\xff\xfe\x00", 400),
    "half a surrogate": (b'{"models": ["\\ud800/x"]}', 400),
    "deep": (b"[" * 100_000, 400),
    "long number": (b'{"version": ' + b"9" * 5000 + b"}", 400),
    "byte order mark": (b"\xef\xbb\xbf{}", 400),
    "two values": (b"{} {}", 400),
    "not a number": (b'{"models": NaN}', 422),
    "infinite": (b'{"version": 1e999}', 422),
    "list": (b"[]", 422),
    "null": (b"null", 422),
    "text": (b'"models"', 422),
    "nothing": (b"", 422),
    "unknown keys": (json.dumps({f"k{n}": n for n in range(10_000)}).encode(), 422),
    "long key": (json.dumps({"k" * 100_000: 1}).encode(), 422),
}


def test_a_body_of_another_shape_is_refused(client: FlaskClient, world: World) -> None:
    headers = {**world.cast.applicant.headers, "Content-Type": "application/json"}
    for path in ("applications", "links", "applications/GK-0/decisions"):
        for data, status in RAW.values():
            response = client.post(f"/api/v1/{path}", data=data, headers=headers)
            is_problem(response, status)


def test_another_content_type_is_refused(client: FlaskClient, world: World) -> None:
    forms = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
    for content_type in ("text/plain", *forms, "", "a/b", "application/json5"):
        headers = {**world.cast.applicant.headers, "Content-Type": content_type}
        for path in ("applications", f"agreements/{RESEARCH}/acceptances", "grants/x/revoke"):
            response = client.post(f"/api/v1/{path}", data=json.dumps(DRAFT), headers=headers)
            is_problem(response, 415)


def test_ten_megabytes_in_a_field_are_too_large(as_: As, world: World) -> None:
    big = "x" * 10_000_000
    api = as_(world.cast.applicant)
    bodies: dict[str, dict[str, Any]] = {
        "applications": DRAFT | {"purpose": big},
        "links": LINK | {"path": big},
        f"agreements/{RESEARCH}/acceptances": SIGNING | {"typed_name": big},
        "applications/GK-0/messages": {"text": big},
    }
    for path, body in bodies.items():
        is_problem(api.post(path, body), 413)
        is_problem(api.post(path, body, key="with-a-key"), 413)


# --- fields


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("applications", DRAFT | {"models": []}, "models"),
    ("applications", DRAFT | {"models": [T3] * 11}, "models"),
    ("applications", DRAFT | {"models": T3}, "models"),
    ("applications", DRAFT | {"models": ["lyra"]}, "models.0"),
    ("applications", DRAFT | {"models": ["a/b/c"]}, "models.0"),
    ("applications", DRAFT | {"models": ["a/\r\nSet-Cookie: x"]}, "models.0"),
    ("applications", DRAFT | {"models": [f"a/{'b' * 200}"]}, "models.0"),
    ("applications", DRAFT | {"purpose": None}, "purpose"),
    ("applications", DRAFT | {"purpose": 7}, "purpose"),
    ("applications", DRAFT | {"purpose": "x" * 4001}, "purpose"),
    ("applications", DRAFT | {"purpose": "a\x00b"}, "purpose"),
    ("applications", DRAFT | {"public_summary": "x" * 1001}, "public_summary"),
    ("applications", DRAFT | {"answers": []}, "answers"),
    ("applications", DRAFT | {"answers": {"study": "a\x00b"}}, "answers.study"),
    ("applications", DRAFT | {"answers": {"a\x00b": "x"}}, "answers"),
    ("applications", DRAFT | {"answers": {f"k{n}": "x" for n in range(101)}}, "answers"),
    ("applications", DRAFT | {"answers": {"study": "x" * 8001}}, "answers.study"),
    ("applications", DRAFT | {"answers": {"study": {"a": 1}}}, "answers.study"),
    ("applications", DRAFT | {"state": "approved"}, "state"),
    ("applications/GK-0/submit", {}, "version"),
    ("applications/GK-0/submit", {"version": "1"}, "version"),
    ("applications/GK-0/submit", {"version": True}, "version"),
    ("applications/GK-0/submit", {"version": 1.5}, "version"),
    ("applications/GK-0/submit", {"version": 0}, "version"),
    ("applications/GK-0/submit", {"version": -1}, "version"),
    ("applications/GK-0/claim", {"version": 2**63}, "version"),
    ("applications/GK-0/withdraw", {"version": 10**100}, "version"),
    ("applications/GK-0/messages", {"text": ""}, "text"),
    ("applications/GK-0/messages", {"text": "x" * 8001}, "text"),
    ("applications/GK-0/messages", {"text": "a\x1bb"}, "text"),
    ("applications/GK-0/messages", {"text": "a", "internal": "yes"}, "internal"),
    ("applications/GK-0/decisions", {"verdict": "perhaps", "version": 1}, "verdict"),
    ("applications/GK-0/decisions", {"verdict": "approve"}, "version"),
    ("applications/GK-0/decisions", {"verdict": "reject", "version": 1, "reason": "no"}, "reason"),
    (
        "applications/GK-0/decisions",
        {"verdict": "reject", "version": 1, "reason": "duplicate", "outcome": "after:soon"},
        "outcome",
    ),
    (
        "applications/GK-0/decisions",
        {"verdict": "reject", "version": 1, "reason": "duplicate", "outcome": "final:2030-01-01"},
        "outcome",
    ),
    (
        "applications/GK-0/decisions",
        {"verdict": "approve", "version": 1, "ends_on": "x"},
        "ends_on",
    ),
    ("applications/GK-0/decisions", {"verdict": "approve", "version": 1, "ends_on": 5}, "ends_on"),
    (
        "applications/GK-0/decisions",
        {"verdict": "approve", "version": 1, "reason": "duplicate"},
        "body",
    ),
    ("grants/gr_0/revoke", {"reason": "whim"}, "reason"),
    ("grants/gr_0/revoke", {}, "reason"),
    ("grants/gr_0/suspend", {"note": "x" * 4001, "reason": "leak"}, "note"),
    ("links", LINK | {"path": ""}, "path"),
    ("links", LINK | {"path": "x" * 513}, "path"),
    ("links", LINK | {"path": "a\r\nb"}, "path"),
    ("links", LINK | {"revision": "a\nb"}, "revision"),
    ("links", LINK | {"revision": None}, "revision"),
    ("links", LINK | {"ttl": 5}, "ttl"),
    (f"agreements/{RESEARCH}/acceptances", {}, "sha256"),
    (f"agreements/{RESEARCH}/acceptances", SIGNING | {"clauses": "1"}, "clauses"),
    (f"agreements/{RESEARCH}/acceptances", SIGNING | {"clauses": [1]}, "clauses.0"),
    (f"agreements/{RESEARCH}/acceptances", SIGNING | {"typed_name": "a\r\nb"}, "typed_name"),
    (f"agreements/{RESEARCH}/acceptances", SIGNING | {"model": "lyra"}, "model"),
]


def test_a_wrong_field_is_named(as_: As, world: World) -> None:
    api = as_(world.cast.applicant)
    for path, body, field in WRONG:
        response = api.post(path, body)
        is_problem(response, 422)
        fields = [error["field"] for error in response.get_json()["errors"]]
        assert any(name.startswith(field) for name in fields), (path, body, fields)
    with world.house.db.reading() as read:
        assert read.ephemeral.drafts_of(world.cast.applicant.id) == []


def test_a_question_names_fields_of_the_form_alone(as_: As, world: World) -> None:
    with world.house.db.reading() as read:
        case = read.applications.of_lead(world.cast.pending.id)[0]
    path, said = f"applications/{case.id}/decisions", "Jane Doe jane.doe@uni.example"
    question = {"verdict": "ask", "note": "Which?", "version": case.version}
    api = as_(world.cast.approver)
    response = api.post(path, question | {"fields": ["study", said]})
    is_problem(response, 422)
    assert [error["field"] for error in response.get_json()["errors"]] == ["fields"]
    assert said not in response.text
    assert api.post(path, question | {"fields": ["study"]}).status_code == 200


def test_a_changed_draft_is_checked_like_a_new_one(as_: As, world: World) -> None:
    api = as_(world.cast.applicant)
    made = api.post("applications", DRAFT).get_json()
    path = f"applications/{made['id']}"
    for body in (
        {"purpose": "x"},
        {"version": 1, "purpose": "x" * 4001},
        {"version": 1, "models": [T3]},
        {"version": 1, "answers": {"study": 1}},
    ):
        is_problem(api.patch(path, body), 422)
    stale = api.patch(path, {"version": 2, "purpose": "x"})
    assert (stale.status_code, stale.get_json()["version"]) == (409, 1)
    assert api.get(path).get_json()["purpose"] == "p"


def test_a_ticked_box_may_be_sent_as_true(as_: As, world: World) -> None:
    api = as_(world.cast.applicant)
    made = api.post("applications", DRAFT | {"answers": {"careful": True, "group": False}})
    assert made.get_json()["answers"] == {"careful": "yes", "group": ""}


# --- queries and addresses


SENSELESS = [
    "models?limit=0",
    "models?limit=101",
    "models?limit=many",
    "models?limit=1&limit=2",
    "models?gated=perhaps",
    "models?after=lyra",
    "models?search=%00",
    "models?author=" + "a" * 301,
    "models?sort=name",
    "me?x=1",
    f"models/{T3}?revision=main",
    "applications?state=done",
    "applications?older_than=long",
    "applications?older_than=99999",
    "applications?after=x",
    "applications?after=99999999999999999999~x",
    "applications?assignee=%0d%0a",
    "applications?model=x",
    "grants?person=%00",
    "grants?after=1~%00",
    "audit/entries?before=0",
    "audit/entries?before=99999999999999999999",
    "audit/entries?kind=Nothing",
    "audit/entries?since=yesterday",
    "audit/entries?until=10000-01-01",
    "audit/entries?person=a%0ab",
]


def test_a_query_that_makes_no_sense_is_invalid(as_: As, world: World) -> None:
    for path in SENSELESS:
        is_problem(as_(world.cast.admin).get(path), 422)


STRANGE = [
    "audit/entries?until=0001-01-01T00:00:00%2B14:00",
    "audit/entries?since=9999-12-31T23:59:59-14:00",
    "audit/entries?since=2026-01-01&kind=GrantCreated&kind=GrantRevoked&person=nobody",
    "audit/entries?model=no/model",
    "applications?older_than=9999&state=draft&state=approved&assignee=nobody&model=no/model",
    "applications?older_than=36h&assignee=none",
    "applications?after=99999999999999999~x",
    "grants?person=nobody",
    "grants?model=no/model&after=0~x",
    "models?search=%25_%5C&author=%27&gated=false",
    "models?after=zzz/zzz",
]


def test_a_strange_query_that_makes_sense_is_answered(as_: As, world: World) -> None:
    for path in STRANGE:
        refused_or_empty = as_(world.cast.approver).get(path)
        assert refused_or_empty.status_code in {200, 403}, path
        assert as_(world.cast.compliance).get(path).get_json()["items"] == [], path


NOWHERE = [
    "nothing",
    "models/northfield",
    "models/northfield/lyra-t3/files",
    "models/north%0afield/lyra-t3",
    "models/northfield/lyra-t3%00",
    "models/northfield%2Flyra-t3/x",
    "models/northfield/lyra-t3/revisions/a%0d%0ab/files",
    "models/northfield/lyra-t3/revisions/feat/x/files",
    "models/northfield/lyra-t3/revisions/%2F%2F/files",
    "models/northfield/lyra-t3/revisions/..%2F..%2Fetc/files",
    f"models/northfield/lyra-t3/revisions/{'a' * 40}/files",
    "models/northfield/lyra-t3/revisions/nope/files",
    "models/%F0%9F%A6%8A/%FF",
    "releases/a/b",
    "releases/a/%00",
    "agreements/nothing",
    "agreements/%00",
    "applications/GK-0",
    "applications/%00",
    "me/",
]


def test_an_address_that_leads_nowhere_is_not_found(as_: As, world: World) -> None:
    for path in NOWHERE:
        is_problem(as_(world.cast.admin).get(path), 404)


def test_a_post_to_nowhere_is_not_found(as_: As, world: World) -> None:
    api = as_(world.cast.approver)
    is_problem(api.post("grants/%00/revoke", {"reason": "leak"}), 404)
    is_problem(api.post("applications/%00/claim", {"version": 1}), 404)


def test_a_revision_may_hold_a_slash(as_: As, world: World) -> None:
    api = as_(None)
    by_name = api.get(f"models/{T3}/revisions/feat%2Fx/files").get_json()
    by_id = api.get(f"models/{T3}/revisions/{by_name['revision']}/files").get_json()
    assert by_name == by_id
    tagged = api.get(f"models/{T3}/revisions/v1/files").get_json()
    assert tagged == api.get(f"models/{T3}/revisions/main/files").get_json() != by_name
    link = as_(world.cast.researcher).post("links", LINK | {"revision": "feat/x"})
    sha256 = {file["path"]: file["sha256"] for file in by_name["items"]}
    assert link.get_json()["sha256"] == sha256[WEIGHTS]


def test_another_method_says_which_are_allowed(client: FlaskClient, world: World) -> None:
    response = client.delete("/api/v1/applications", headers=world.cast.applicant.headers)
    is_problem(response, 405)
    assert "POST" in response.headers["Allow"]


def test_a_missing_file_is_not_found_once_the_gate_is_passed(as_: As, world: World) -> None:
    for path in ("absent.bin", "../etc/passwd", "/etc/passwd", "a//b", ".", "deep", "é" * 200):
        is_problem(as_(world.cast.researcher).post("links", LINK | {"path": path}), 404)
        refused = as_(world.cast.applicant).post("links", LINK | {"path": path})
        assert (refused.status_code, refused.get_json()["code"]) == (403, "no_application")


def test_too_many_calls_of_one_address_wait(site: Site, world: World) -> None:
    settings = make_settings(GATEKEEPER_LIMITS__ENABLED="true", GATEKEEPER_LIMITS__API="3/minute")
    app = create_app(settings, world.house, bytes(32))
    calls = [
        app.test_client().get(f"/api/v1/{path}") for path in ("me", "models", "releases", "models")
    ]
    assert [response.status_code for response in calls] == [401, 200, 200, 429]
    assert calls[-1].get_json()["code"] == "rate_limited"
    assert 1 <= int(calls[-1].headers["Retry-After"]) <= 60
    left = [int(response.headers["X-RateLimit-Remaining"]) for response in calls]
    assert left == [2, 1, 0, 0]
    assert {response.headers["X-RateLimit-Limit"] for response in calls} == {"3"}
    ends = int(calls[0].headers["X-RateLimit-Reset"])
    assert {int(response.headers["X-RateLimit-Reset"]) for response in calls} == {ends}
    assert not any("Retry-After" in response.headers for response in calls[:3])
    for path in ("/healthz", "/api/models"):
        other = app.test_client().get(path)
        assert other.status_code == 200
        assert "X-RateLimit-Limit" not in other.headers


def test_an_api_that_counts_nobody_promises_no_number(client: FlaskClient) -> None:
    answer = client.get("/api/v1/models")
    assert answer.status_code == 200
    assert "X-RateLimit-Limit" not in answer.headers
