"""Who walks through the archive of these tests, and the steps they take: by pages and the API."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.contract.test_mail_smtp import PostOffice
from tests.stack.compose import ROOT
from tests.stack.native import SECONDS, Native
from tests.wire.test_install import Visitor

MODEL, FILE = "northfield/lyra-1558m", "model.safetensors"
ADDRESS = f"/{MODEL}/resolve/main/{FILE}"
WEIGHT_BYTES = 32 << 20  # more than nginx and the kernel hold for a slow reader
PASSWORD = "four plain words here"
DEMO = ROOT / "config" / "demo"


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person who acts from outside: a browser, and a token for scripts."""

    name: str
    browser: Visitor
    token: str = ""

    @property
    def email(self) -> str:
        """Their address; everybody has a domain of their own."""
        return f"{self.name}@{self.name}.example"

    @property
    def typed(self) -> dict[str, str]:
        """What they write into the form that opens an account."""
        return {"email": self.email, "name": self.name.title(), "username": self.name,
                "affiliation": "", "password": PASSWORD}  # fmt: skip

    def with_token(self, scope: str) -> Somebody:
        """Sign in and make a token on the account page."""
        self.browser.send("/sign-in", email=self.email, password=PASSWORD)
        form = {"name": "scripts", "scope": scope, "days": "30"}
        shown = self.browser.send("/account", "/account/tokens", **form)
        token = re.search(r"gk_[\w-]+", shown)
        assert token is not None
        return replace(self, token=token[0])

    def call(self, path: str, body: object = None) -> tuple[int, Any]:
        """Call the API."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        text = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.browser.url}/api/v1/{path}", text, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@dataclass(frozen=True, slots=True)
class Archive:
    """The running services, with an administrator, an approver and one gated model."""

    native: Native
    office: PostOffice
    weights_sha256: str
    admin: Somebody
    approver: Somebody


def letter(office: PostOffice, person: Somebody, holds: str) -> str:
    """Wait for a letter to a person that holds some words, and return its text."""
    until = time.monotonic() + SECONDS
    while True:
        came = zip(list(office.recipients), list(office.kept), strict=False)
        for recipient, message in came:
            body = message.get_body(("plain",))
            text = str(body.get_content()) if body is not None else ""
            if recipient == person.email and holds in text:
                return text
        assert time.monotonic() < until, f"no letter to {person.email}"
        time.sleep(0.1)


def open_account(native: Native, office: PostOffice, name: str) -> Somebody:
    """Register and verify by the letter that arrives."""
    person = Somebody(name, Visitor(native.url))
    assert "Look at your mail" in person.browser.send("/register", **person.typed)
    link = re.search(r"http://\S+/verify/\S+", letter(office, person, "/verify/"))
    assert link is not None
    assert link[0].startswith(native.url)
    verified = person.browser.send(link[0].removeprefix(native.url))
    assert "Your address is verified" in verified
    return person


def first_admin_path(native: Native) -> str:
    """Return the address that the first start printed, without its host."""
    address = re.search(r"http://\S+/register/\S+", native.log("init"))
    assert address is not None
    assert address[0].startswith(native.url)
    return address[0].removeprefix(native.url)


def set_up(native: Native, office: PostOffice, folder: Path) -> Archive:
    """Do what the handbook says: an administrator, an approver, a namespace, a gated model."""
    ada = Somebody("ada", Visitor(native.url))
    ada.browser.send(first_admin_path(native), **ada.typed)
    priya = open_account(native, office, "priya")
    weights = os.urandom(WEIGHT_BYTES)
    folder.mkdir()
    (folder / "README.md").write_text("# Lyra\n")
    (folder / FILE).write_bytes(weights)
    terms = str(DEMO / "agreements" / "research-use.toml")
    native.commands(
        ("namespace", "add", "northfield", "--title", "Northfield Institute"),
        ("namespace", "member", "northfield", ada.email, "--role", "owner"),
        ("namespace", "member", "northfield", priya.email, "--role", "approver"),
        ("agreement", "publish", terms, "--id", "research-use", "--change", "material"),
        ("release", "create", "northfield/lyra", "--title", "Lyra", "--from", str(DEMO / "real")),
        ("publish", str(folder), MODEL, "--release", "northfield/lyra", "--tier", "T3",
         "--agreement", "research-use", "--form", str(DEMO / "forms" / "research.toml"),
         "-m", "First revision"),
    )  # fmt: skip
    sha256 = hashlib.sha256(weights).hexdigest()
    return Archive(native, office, sha256, ada.with_token("admin"), priya.with_token("review"))


def apply(person: Somebody) -> str:
    """Agree and apply; return the case."""
    _, model = person.call(f"models/{MODEL}")
    assert (model["access"]["allowed"], model["tier"]) == (False, "T3")
    _, terms = person.call("agreements/research-use")
    signing = {"sha256": terms["sha256"], "clauses": [one["id"] for one in terms["clauses"]]}
    signing["typed_name"] = person.name.title()
    assert person.call("agreements/research-use/acceptances", signing)[0] == 201
    draft = {"models": [MODEL], "purpose": "Measuring a detector", "public_summary": "Essays.",
             "answers": _answers(model["form"])}  # fmt: skip
    status, case = person.call("applications", draft)
    assert status == 201, case
    sent = person.call(f"applications/{case['id']}/submit", {"version": case["version"]})
    assert sent[0] == 200, sent
    return str(case["id"])


def _answers(form: Any) -> dict[str, Any]:
    kinds = {"checkbox": True, "date": "2027-06-30", "country": "SE"}
    found = {}
    for field in form["fields"]:
        plain = kinds.get(field["type"], "Two people, one server.")
        found[field["name"]] = field["options"][0] if field["options"] else plain
    return found


def curl(url: str, target: Path, *options: str) -> str:
    """Fetch with curl; return the status."""
    command = ["curl", "-sS", "-o", str(target), "-w", "%{http_code}", *options, url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
