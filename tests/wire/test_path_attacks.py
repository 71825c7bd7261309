"""Addresses made to reach another file, to split a revision or to break the server.

Sent byte for byte over a socket: no client tidies them first. Always a 4xx with a code in the Hub's
own form, never a 5xx, never a file.
"""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass

import pytest

from tests.wire.server import ODD_BYTES, Live

MANY = "northfield/many-files"
OPEN = f"/{MANY}/resolve"

BAD_PATHS = (
    "../../../../etc/passwd",
    "%2e%2e/%2e%2e/etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%2f..%2fetc/passwd",
    "..%5c..%5cetc%5cpasswd",
    "..\\..\\etc\\passwd",
    "%252e%252e%252fetc%252fpasswd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "config.json%00",
    "config.json%00.txt",
    "%00",
    "config.json%0d%0aX-Injected:%20yes",
    "config.json%0a",
    "config.json%1f",
    "shards%1f0",
    "%ff%fe",
    "%c0%ae%c0%ae/etc/passwd",
    "%ed%a0%80",
    "config.json/",
    "./config.json",
    "shards/../config.json",
    "shards//0/part-000.json",
    "%20config.json",
    "%E2%80%AEconfig.json",
    "%",
    "%zz",
    "a" * 3000,
    "a/" * 1500 + "b",
)
BAD_REVISIONS = (
    "feat%252Fx",
    "feat%2F..%2Fx",
    "..",
    "%2e%2e",
    "main%00",
    "main%0a",
    "feat%1Fx%1F",
    "feat%5cx",
    "-main",
    "main.lock",
    "%ff",
    "main%20",
    "refs%2Fheads%2Fmain",
    "HEAD%5E",
    "0" * 39,
    "0" * 40,
    "a" * 3000,
)


@dataclass(frozen=True, slots=True)
class Raw:
    """One answer as it came over the wire."""

    status: int
    head: str
    body: bytes

    def header(self, name: str) -> str:
        """Return a header, '' when it is missing."""
        found = re.search(rf"(?im)^{name}: (.*?)\r?$", self.head)
        return found[1] if found else ""


def send(live: Live, target: str, method: str = "GET", headers: str = "", body: str = "") -> Raw:
    """Send one request as it is written here."""
    request = (
        f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\n"
        f"Connection: close\r\n{headers}\r\n{body}"
    )
    with socket.create_connection(("127.0.0.1", live.port), 20) as sock:
        sock.sendall(request.encode("latin-1"))
        received = b""
        while chunk := sock.recv(1 << 16):
            received += chunk
    head, _, found = received.partition(b"\r\n\r\n")
    return Raw(int(head.split()[1]), head.decode("latin-1"), found)


def assert_refused(answer: Raw, *codes: str) -> None:
    """Say that this is a 4xx in the Hub's form, with one of these codes."""
    assert 400 <= answer.status < 500, answer
    assert answer.header("X-Error-Code") in codes, answer.head
    assert json.loads(answer.body)["error"]
    assert "root:" not in answer.body.decode()
    assert "X-Injected" not in answer.head


@pytest.mark.parametrize("path", BAD_PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_path_leads_out_of_its_revision(live: Live, path: str, method: str) -> None:
    """Whatever the path says, it is a missing entry."""
    answer = send(live, f"{OPEN}/main/{path}", method)
    assert 400 <= answer.status < 500, answer
    assert answer.header("X-Error-Code") == "EntryNotFound", answer.head
    if method == "GET":
        assert_refused(answer, "EntryNotFound")


@pytest.mark.parametrize("revision", BAD_REVISIONS)
def test_no_revision_is_taken_for_another(live: Live, revision: str) -> None:
    """Neither by decoding twice nor by splitting: files, trees and descriptions alike."""
    api = f"/api/models/{MANY}"
    for target in (
        f"{OPEN}/{revision}/config.json",
        f"{api}/revision/{revision}",
        f"{api}/tree/{revision}",
        f"{api}/commits/{revision}",
    ):
        assert_refused(send(live, target), "RevisionNotFound")


@pytest.mark.parametrize(
    "name",
    ["northfield/..", "..%2f..%2fetc/passwd", "northfield/many-files%00", "%ff/%fe", "a--b/c",
     "northfield/many-files.git", "northfield%2Fmany-files/x", "NORTHFIELD/many-files", "%20/%20"],
)  # fmt: skip
def test_a_name_that_cannot_be_is_a_name_that_is_not(live: Live, name: str) -> None:
    """The same answer as for a name that could be."""
    missing = send(live, "/api/models/northfield/none")
    for target in (f"/api/models/{name}", f"/{name}/resolve/main/config.json"):
        answer = send(live, target)
        assert (answer.status, answer.body) == (missing.status, missing.body)
        assert_refused(answer, "RepoNotFound")


@pytest.mark.parametrize(
    "path", ["%2e%2e", "..%2fmain", "%00", "shards%00", "none", "%ff", "a%0ab"]
)
def test_no_folder_leads_out_of_its_tree(live: Live, path: str) -> None:
    """A tree below such a path is a missing entry; among the paths of a form it is left out."""
    assert_refused(send(live, f"/api/models/{MANY}/tree/main/{path}"), "EntryNotFound")
    form = f"paths=config.json&paths={path}"
    headers = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n"
    answer = send(live, f"/api/models/{MANY}/paths-info/main", "POST", headers, form)
    if answer.status == 200:
        assert [entry["path"] for entry in json.loads(answer.body)] == ["config.json"]
    else:
        assert answer.status == 400
        assert json.loads(answer.body)["error"]


@pytest.mark.parametrize(
    "query",
    ["search=%00", "author=%00", "filter=%00", "cursor=%00", "cursor=WyJhIl0", "cursor=e30=",
     "cursor=WyJhIiwiXHUwMDAwIl0=", "limit=-1", "limit=x", "limit=%D9%A1", "limit=1e9",
     "limit=99999999999999999999", "sort=name;drop", "search=" + "a" * 3000,
     "sort=createdAt&cursor=WyJhIiwiYiIsImMiXQ==", "cursor=WyJhIiwiYiIsImMiXQ==",
     "sort=createdAt&cursor=WyIyMDI2LTAxLTAxIiwiYiIsImMiXQ==", "cursor=" + "W1tb" * 500],
)  # fmt: skip
def test_no_query_breaks_a_list(live: Live, query: str) -> None:
    """A clear 400 that names the parameter."""
    answer = send(live, f"/api/models?{query}")
    assert answer.status == 400, answer
    assert json.loads(answer.body)["error"].split(":")[0] in {
        "search", "author", "filter", "cursor", "limit", "sort",
    }  # fmt: skip


def test_an_encoded_slash_is_kept_wherever_the_address_comes_from(live: Live) -> None:
    """In the origin form and in the absolute form; and never as two segments."""
    for target in (
        f"{OPEN}/feat%2Fx/config.json",
        f"{OPEN}/feat%2fx/config.json",
        f"http://127.0.0.1:{live.port}{OPEN}/feat%2Fx/config.json",
        f"{OPEN}/feat%2Fx/config.json?download=true&x=%2F",
    ):
        answer = send(live, target)
        assert (answer.status, answer.body) == (200, b'{"model_type": "feature"}\n'), answer
    assert_refused(send(live, f"{OPEN}/feat/x/config.json"), "RevisionNotFound")


def test_a_path_with_encoded_slashes_is_the_same_file(live: Live) -> None:
    """Some clients encode the slashes of a path, others do not."""
    for path in ("sub%20dir/a%20b%23c.txt", "sub%20dir%2Fa%20b%23c.txt"):
        assert send(live, f"{OPEN}/main/{path}").body == ODD_BYTES


@pytest.mark.parametrize("path", BAD_PATHS[:12])
def test_a_gated_model_gives_nothing_for_such_a_path(live: Live, path: str) -> None:
    """Neither the gate's file nor any other, and no page."""
    answer = send(live, f"/northfield/lyra-t3/resolve/main/{path}")
    assert_refused(answer, "EntryNotFound", "GatedRepo")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("DELETE", "/api/repos/nothing"),
        ("POST", f"/api/models/{MANY}"),
        ("POST", f"{OPEN}/main/config.json"),
        ("GET", f"/{MANY}.git/info/refs?service=git-upload-pack"),
        ("GET", f"/{MANY}/info/refs?service=git-receive-pack"),
        ("POST", f"/{MANY}/git-upload-pack"),
        ("GET", f"/api/models/{MANY}/discussions?p=0"),
        ("GET", f"/api/models/{MANY}/xet-read-token/main"),
        ("GET", f"/api/models/{MANY}/user-access-request/nothing"),
        ("GET", "/api/nothing"),
        ("GET", "/api/"),
        ("BREW", f"/api/models/{MANY}"),
    ],
)
def test_what_is_not_spoken_is_refused_in_json(live: Live, method: str, target: str) -> None:
    """404, 405 or 501 with a sentence, never a page."""
    answer = send(live, target, method, "Content-Length: 2\r\n", "{}")
    assert answer.status in {404, 405, 501}, answer
    assert answer.header("Content-Type") == "application/json"
    assert json.loads(answer.body)["error"] == answer.header("X-Error-Message")
