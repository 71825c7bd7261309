"""Every curl line of the page about the API, copied into a shell, does what the page says."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from tests.live import Demo, free_port, start, stop
from tests.rooms import lacks

MODEL = "/api/v1/models/northfield/lyra-1558m"
# Who calls what, in an order in which each can succeed, and the status it then has.
WALK = [
    ("document_show_document", "", 200),
    ("catalogue_list_releases", "", 200),
    ("catalogue_show_release", "", 200),
    ("catalogue_list_models", "", 200),
    ("catalogue_show_model", "", 200),
    ("catalogue_list_files", "", 200),
    ("agreements_show_agreement", "", 200),
    ("me_show_me", "applicant", 200),
    ("agreements_accept", "applicant", 201),
    ("applications_start", "applicant", 201),
    ("applications_change", "applicant", 200),
    ("applications_start", "applicant", 201),
    ("applications_withdraw", "applicant", 200),
    ("applications_start", "applicant", 201),
    ("applications_submit", "applicant", 200),
    ("applications_list_applications", "approver", 200),
    ("applications_claim", "approver", 200),
    ("applications_post_message", "approver", 201),
    ("applications_decide", "approver", 200),
    ("applications_show_application", "applicant", 200),
    ("grants_list_grants", "applicant", 200),
    ("links_issue", "applicant", 201),
    ("grants_suspend", "approver", 200),
    ("grants_reinstate", "approver", 200),
    ("grants_revoke", "approver", 200),
    ("grants_list_grants", "researcher", 200),
    ("grants_relinquish", "researcher", 200),
    ("catalogue_set_form", "owner", 200),
    ("catalogue_import_card", "owner", 200),
    ("catalogue_choose_tier", "owner", 200),
    ("catalogue_choose_new_model_tier", "owner", 200),
    ("uploads_begin", "owner", 201),
    ("uploads_list_uploads", "owner", 200),
    ("uploads_show_upload", "owner", 200),
    ("uploads_send_part", "owner", 200),
    ("uploads_complete", "owner", 202),
    ("uploads_publish", "owner", 201),
    ("uploads_begin", "owner", 201),
    ("uploads_give_up", "owner", 200),
    ("audit_list_entries", "compliance", 200),
    ("mail_list_dead", "admin", 200),
    ("mail_retry", "admin", 404),  # the demo has given no mail up
    ("me_list_sessions", "researcher", 200),
    ("me_end_session", "researcher", 200),
    ("me_end_sessions", "researcher", 200),
    ("me_list_tokens", "researcher", 200),
    ("me_revoke_token", "researcher", 200),
]


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo of this test's own, for its grants and tokens end."""
    if shutil.which("curl") is None:
        lacks("hub", "no curl")
    data, port = tmp_path_factory.mktemp("demo") / "data", free_port()
    process, output = start(data, port)
    try:
        yield Demo(data, port, output)
    finally:
        stop(process)


@dataclass(slots=True)
class Shell:
    """A shell whose owner sets $API and $GK_TOKEN once, and each id as an answer gives it."""

    demo: Demo
    ids: dict[str, str] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)

    def run(self, line: str, account: str) -> tuple[int, Any]:
        """Run a line of the page; return the status and the answer."""
        accounts = self.demo.logins["accounts"]
        for words, meant in self.typed.items():
            line = line.replace(words, meant)
        environment = {
            "PATH": os.environ["PATH"],
            "API": f"http://127.0.0.1:{self.demo.port}/api/v1",
            **({"GK_TOKEN": accounts[account]["token"]} if account else {}),
            **self.ids,
        }
        done = subprocess.run(
            ["bash", "-euc", f"{line} -w '\\n%{{http_code}}'"],
            env=environment, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body)

    def learn(self, answer: Any) -> None:
        """Take the id of what was made, or of the first in a list of what is one's own."""
        rows = answer.get("items", [answer])
        first = rows[0] if rows else {}
        name = str(first.get("id", ""))
        if name.startswith("GK-") and "items" not in answer:
            self.ids["APPLICATION_ID"] = name
        elif name.startswith("gr_"):
            self.ids["GRANT_ID"] = name
        elif name.startswith("upl_"):
            self.ids["UPLOAD_ID"] = self.typed["upl_0a1b2c3d4e5f0a1b2c3d4e5f"] = name
        elif name.startswith("tok_"):
            self.ids["TOKEN_ID"] = name
        elif "user_agent" in first:
            self.ids["SESSION_ID"] = name


def sign_in(demo: Demo, account: str) -> None:
    """Open a browser session."""
    login, base = demo.logins["accounts"][account], f"http://127.0.0.1:{demo.port}"
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with browser.open(f"{base}/sign-in", timeout=20) as page:
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.read().decode())
    assert token is not None
    form = {"csrf_token": token[1], "email": login["email"], "password": login["password"]}
    data = urllib.parse.urlencode(form).encode()
    with browser.open(f"{base}/sign-in", data, timeout=20) as page:
        assert page.status == 200


def test_every_example_works_when_it_is_copied(demo: Demo, tmp_path: Path) -> None:
    page = demo.ask("/docs/api").body.decode()
    found = re.findall(r'<pre id="cmd-([a-z_]+)"><code>(.*?)</code>', page, re.DOTALL)
    lines = {name: html.unescape(text).strip() for name, text in found}
    assert f"export API=http://127.0.0.1:{demo.port}/api/v1" in re.sub(
        "<[^>]+>", "", lines.pop("begin")
    )
    document = demo.ask("/api/v1/openapi.json").json
    described = {op["operationId"] for item in document["paths"].values() for op in item.values()}
    assert set(lines) == described == {name for name, _, _ in WALK}
    terms = demo.ask("/api/v1/agreements/research-use").json
    shell = Shell(demo, {"NUMBER": "1"})
    shell.typed = {
        "the sha256 of the version in force": terms["sha256"],
        '["1", "2", "3"]': json.dumps([clause["id"] for clause in terms["clauses"]]),
        "Ada Example": demo.ask("/api/v1/me", "applicant").json["person"]["name"],
        "the sha256 of the form in force, or null": demo.ask(MODEL).json["form"]["sha256"],
        "the id of the revision in force, or null": demo.ask(MODEL).json["revision"],
        "3247159078": "5",
        "@part": f"@{tmp_path}/part",
    }
    (tmp_path / "part").write_bytes(b"bytes")
    for _ in range(2):
        sign_in(demo, "researcher")
    for name, account, status in WALK:
        got, answer = shell.run(lines[name], account)
        while got == 409 and answer.get("state") == "verifying":  # the worker has not been there
            got, answer = shell.run(lines[name], account)
        assert got == status, (name, lines[name], answer)
        shell.learn(answer)
