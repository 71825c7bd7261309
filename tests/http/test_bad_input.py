"""Bad input gets a clear 4xx, never a 5xx, at every door that takes any: forms, JSON, addresses.

Walks the doors of the matrix, each knocked at by somebody who may pass it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.http.doors import MEMBERS, Door
from tests.http.test_matrix import DOORS, Stage, enter, stage, still

__all__ = ["stage", "still"]  # the fixtures


ENDLESS = "9" * 4301  # one digit more than int() takes
LAST_DAYS = ("0001-01-01", "9999-12-31")  # a day before or after them is none
FORM_NAMES = (
    "version", "note", "text", "email", "ends_on", "after_on", "reason", "act", "days", "scope",
)  # fmt: skip
QUERY_NAMES = (
    "after", "author", "before", "cursor", "kind", "limit", "model", "older_than", "page", "person",
    "q", "revision", "since", "state", "until", "version",
)  # fmt: skip


def name_of(part: tuple[str, str] | Door) -> str:
    """Name a door in a test's id, alike in every process."""
    return part.path if isinstance(part, Door) else " ".join(part)


BIG_JSON = b'{"text": "' + b"x" * 10_000_000 + b'"}'
BIG_FORM = b"text=" + b"x" * 10_000_000
JSON_DOORS = [(k, d) for k, found in sorted(DOORS.items()) for d in found if d.json is not None]
GET_DOORS = [(k, found[0]) for k, found in sorted(DOORS.items()) if k[1] == "GET"]
FORM_DOORS = [
    (k, d)
    for k, found in sorted(DOORS.items())
    for d in found
    if k[1] == "POST" and d.dialect == "page"
]

RAW_JSON = {
    "not json": b"{",
    "no object": b"[]",
    "a string": b'"x"',
    "null": b"null",
    "deep": b"[" * 5000 + b"]" * 5000,
    "not UTF-8": b'{"text": "\xff\xfe"}',
    "nul": b'{"text": "a\\u0000b", "note": "a\\u0000b", "purpose": "a\\u0000b"}',
    "lone surrogate": b'{"text": "\\ud800", "note": "\\ud800", "purpose": "\\ud800"}',
    "huge number": b'{"version": 1e999}',
    "endless integer": b'{"version": ' + b"9" * 5000 + b"}",
    "unknown field": b'{"no_such_field": 1}',
}


def visitor(door: Door) -> str:
    """Return one member who may pass, or anybody where nobody may."""
    return next((who for who in MEMBERS if who in door.allowed), "applicant")


def send(stage: Stage, door: Door, method: str, who: str, **what: Any) -> TestResponse:
    """Knock with a body of the test's own."""
    client = stage.app.test_client()
    headers = dict(what.pop("headers", {}))
    if door.dialect == "bearer":
        headers |= stage.world.cast[who].headers
    else:
        token = enter(stage, client, who)
        headers["X-CSRFToken"] = token
    answer = client.open(stage.fill(door.path, who), method=method, headers=headers, **what)
    answer.get_data()
    answer.close()
    return answer


def is_clear(answer: TestResponse) -> bool:
    """Say whether a refusal of the API names its code."""
    if answer.mimetype != "application/problem+json":
        return True
    return bool(json.loads(answer.get_data())["code"])


@pytest.mark.parametrize(("key", "door"), JSON_DOORS, ids=name_of)
def test_json_that_is_wrong_is_a_clear_4xx(still: Stage, key: tuple[str, str], door: Door) -> None:
    who = visitor(door)
    for name, body in RAW_JSON.items():
        answer = send(
            still, door, key[1], who, data=body, headers={"Content-Type": "application/json"}
        )
        where = (key, name, answer.status_code, answer.get_data()[:300])
        assert answer.status_code < 500 or answer.status_code in door.passes, where
        assert answer.status_code >= 400 or name in {"unknown field", "null"} or not door.json, (
            where
        )
        assert is_clear(answer), where


@pytest.mark.parametrize(("key", "door"), JSON_DOORS, ids=name_of)
def test_ten_megabytes_or_another_content_type_are_refused(
    still: Stage, key: tuple[str, str], door: Door
) -> None:
    who = visitor(door)
    kind = {"Content-Type": "application/json"}
    answers = [send(still, door, key[1], who, data=BIG_JSON, headers=kind)]
    for kind in ("text/plain", "application/xml", "application/octet-stream", "nonsense"):
        body = json.dumps(door.json).encode()
        answers.append(send(still, door, key[1], who, data=body, headers={"Content-Type": kind}))
    for answer in answers:
        where = (key, answer.status_code, answer.get_data()[:300])
        is_refused = 400 <= answer.status_code < 500 or answer.status_code in door.passes - {200}
        assert is_refused or not door.json, where
        assert is_clear(answer), where


@pytest.mark.parametrize(("key", "door"), FORM_DOORS, ids=name_of)
def test_forms_that_are_wrong_are_answered_below_500(
    stage: Stage, key: tuple[str, str], door: Door
) -> None:
    who = visitor(door)
    names = {*(door.form or {}), *FORM_NAMES}
    for value in (
        "",
        "\x00",
        "a\r\nSet-Cookie: x=1",
        "\ud7ff\ufffe",
        "9" * 400,
        ENDLESS,
        "-1",
        "2026-99-99",
        *LAST_DAYS,
    ):
        answer = send(stage, door, key[1], who, data=dict.fromkeys(names, value))
        assert answer.status_code < 500, (key, value, answer.status_code)
        assert "x=1" not in answer.headers.get("Set-Cookie", "")
    filled = {name: stage.fill(value, who) for name, value in (door.form or {}).items()}
    for name in filled:  # what is right around it leads deeper into the door
        for value in (ENDLESS, LAST_DAYS[1]):
            answer = send(stage, door, key[1], who, data={**filled, name: value})
            assert answer.status_code < 500, (key, name, value, answer.status_code)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    big = send(stage, door, key[1], who, data=BIG_FORM, headers=kind)
    assert big.status_code == 413, (key, big.status_code)
    odd = send(stage, door, key[1], who, data=b"\xff\xfe", headers={"Content-Type": "image/png"})
    assert odd.status_code < 500, (key, odd.status_code)


@pytest.mark.parametrize(("key", "door"), GET_DOORS, ids=name_of)
def test_queries_that_are_wrong_are_answered_below_500(
    still: Stage, key: tuple[str, str], door: Door
) -> None:
    who = visitor(door)
    together = [
        dict.fromkeys(QUERY_NAMES, value)
        for value in ("", "\x00", "\ud7ff\ufffe", "-1", ENDLESS, *LAST_DAYS)
    ]
    alone = [{name: value} for name in QUERY_NAMES for value in (ENDLESS, LAST_DAYS[1])]
    for query in (*together, *alone):
        answer = send(still, door, "GET", who, query_string=query)
        assert answer.status_code < 500 or answer.status_code in door.passes, (
            query,
            answer.status_code,
            answer.get_data()[:300],
        )


@pytest.mark.parametrize("act", ["ask", "reject", "approve"])
def test_a_long_list_in_a_decision_is_answered_below_500(stage: Stage, act: str) -> None:
    form = {
        "version": "1", "verdict": act, "note": "why?", "reason": "duplicate",
        "outcome": "fixable", "fields": [f"{n % 10}" * 1000 for n in range(17)],
    }  # fmt: skip
    door = Door("/review/{case}/decision", frozenset({"approver"}))
    answer = send(stage, door, "POST", "approver", data=form)
    assert answer.status_code < 500, answer.get_data()[:300]


@pytest.mark.parametrize(
    "path",
    [
        "/%00", "/%ff%fe", "/northfield/%2e%2e%2fetc%2fpasswd", "/northfield/lyra-t0%0d%0aX:1",
        "/northfield/lyra-t0/resolve/main/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/northfield/lyra-t0/resolve/main/..%5c..%5cetc", "/northfield/lyra-t0/resolve/%252f/x",
        "/northfield/lyra-t0/resolve/main/%00", "/northfield/lyra-t0/resolve/feat%2Fx%2F..%2F/x",
        "/api/models/northfield/lyra-t0/revision/%ff", "/api/models?limit=x",
        "/api/models?limit=-1",
        "/api/models?cursor=%00", "/api/v1/models?after=%ff", "/api/v1/models?limit=99999999999",
        "/api/v1/audit/entries?before=x", "/d//x", "/d/x/", "/d/%00/x", "/d/" + "A" * 9000 + "/x",
        "/releases/northfield/%0d%0a", "/verify/x", "/reset/x", "/agreements/%00", "/review/GK-%00",
        "/applications/GK-'%20OR%201=1--", "/sign-in?next=//evil.example", "/?q=%00%ff",
    ],
)  # fmt: skip
def test_an_address_that_is_wrong_is_answered_below_500(still: Stage, path: str) -> None:
    for who in ("anonymous", "owner"):
        client = still.app.test_client()
        headers = still.world.cast[who].headers if who in MEMBERS else {}
        answer = client.get(path, headers=headers)
        assert answer.status_code < 500, (path, who, answer.status_code, answer.get_data()[:200])
        assert b"root:" not in answer.get_data()
        answer.close()


@pytest.mark.parametrize(
    "ranges",
    ["bytes=", "bytes=a-b", "bytes=9-0", "bytes=-0", "bytes=0-1,3-4", "bytes=" + "0-1," * 2000,
     "items=0-1", "bytes=99999999999999999999-", "\x7fbytes=0-1", "bytes=0-99999999999999999999"],
)  # fmt: skip
def test_a_range_that_is_wrong_is_ignored_or_416(still: Stage, ranges: str) -> None:
    client = still.app.test_client()
    path = still.fill("/{t0}/resolve/main/{weights}", "anonymous")
    answer = client.get(path, headers={"Range": ranges})
    assert answer.status_code in {200, 206, 416}, answer.status_code
    if answer.status_code == 416:
        assert answer.headers["Content-Range"].startswith("bytes */")
    answer.close()


def test_a_range_of_another_unit_or_of_a_head_means_nothing(still: Stage) -> None:
    client = still.app.test_client()
    path = still.fill("/{t0}/resolve/main/{weights}", "anonymous")
    whole = client.head(path)
    for method, ranges in (
        ("GET", "bytesfoo=0-0"), ("GET", "bytes-more=0-0"), ("GET", "items=0-0"),
        ("HEAD", "bytes=0-0"), ("HEAD", "bytes=999999999-"), ("HEAD", "bytes=a-b"),
    ):  # fmt: skip
        answer = client.open(path, method=method, headers={"Range": ranges})
        told = (answer.status_code, answer.headers["Content-Length"])
        assert told == (200, whole.headers["Content-Length"]), (method, ranges)
        assert "Content-Range" not in answer.headers
        answer.close()
    known = {"Range": "bytes=0-0", "If-None-Match": whole.headers["ETag"]}
    assert client.head(path, headers=known).status_code == 304
