"""Commits by the unmodified client that do several things, at once, in the middle of a kill."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from gatekeeper.domain.people import Scope
from gatekeeper.services import tokens
from tests.cast import NAMESPACE, context
from tests.wire.clients import Client
from tests.wire.proxy import Proxy
from tests.wire.server import Live

WHOLE_BYTES = 24 << 20
KILLED_AT_BYTES = 6 << 20


@pytest.fixture
def owner(hub: Client, live: Live) -> Client:
    """The owner of the namespace, with a token that may write."""
    person = live.world.cast["owner"].id
    _, text = tokens.create(live.house, context(), person, f"commit-{hub.version}", Scope.WRITE, 1)
    return hub.at(live.url, text)


def repository(client: Client, what: str) -> str:
    """Name a repository of this test's own."""
    return f"{NAMESPACE}/{what}-{client.version.replace('.', '-')}"


def test_one_commit_adds_copies_and_deletes_and_another_changes_nothing(owner: Client) -> None:
    """Each commit is one revision; a folder that is there already makes none, nor a stale one."""
    told = owner.run(
        """
import io
from huggingface_hub import CommitOperationAdd as Add, CommitOperationCopy as Copy
from huggingface_hub import CommitOperationDelete as Delete

api.create_repo(name)
large, folder = os.urandom(11 << 20), Path.home() / "folder"
(folder / "f").mkdir(parents=True)
(folder / "config.json").write_bytes(b"{}")
(folder / "f" / "gone.txt").write_bytes(b"gone")
(folder / "weights.bin").write_bytes(large[: 3 << 20])
first = api.upload_folder(repo_id=name, folder_path=folder, commit_message="First")
again = api.upload_folder(repo_id=name, folder_path=folder, commit_message="Again")
api.upload_file(repo_id=name, path_in_repo="memory.bin", path_or_fileobj=io.BytesIO(large),
                commit_message="Second")
third = api.create_commit(name, commit_message="Third", commit_description="Why.", operations=[
    Add("new.txt", b"new"), Copy("memory.bin", "copy.bin"), Delete("f/"), Delete("weights.bin"),
])
stale = failure(api.create_commit, name, commit_message="Late", parent_commit=first.oid,
                operations=[Add("late.txt", b"late")])
down = Path(snapshot_download(name))
commits = api.list_repo_commits(name)
tell({
    "same": first.oid == again.oid, "stale": stale, "head": commits[0].commit_id == third.oid,
    "titles": [[c.title, c.message] for c in commits],
    "files": sorted(str(p.relative_to(down)) for p in down.rglob("*") if p.is_file()),
    "bytes": [(down / path).read_bytes() == large for path in ("memory.bin", "copy.bin")],
    "before": sorted(api.list_repo_files(name, revision=first.oid)),
    "left": digest(hf_hub_download(name, "weights.bin", revision=first.oid))
        == digest(folder / "weights.bin"),
})
""",
        name=repository(owner, "several"),
    )
    assert (told["same"], told["head"], told["bytes"], told["left"]) == (
        True,
        True,
        [True] * 2,
        True,
    )
    assert told["titles"] == [["Third", "Why."], ["Second", ""], ["First", ""]]
    assert told["files"] == ["config.json", "copy.bin", "memory.bin", "new.txt"]
    assert told["before"] == ["config.json", "f/gone.txt", "weights.bin"]
    assert told["stale"]["status"] == 409


def test_a_large_folder_goes_up_where_the_client_has_the_call(owner: Client) -> None:
    if owner.version == "2":
        pytest.skip("the call went with 2.0: upload_folder does it")
    told = owner.run(
        """
folder = Path.home() / "large"
(folder / "sub").mkdir(parents=True)
for n in range(5):
    (folder / "sub" / f"{n}.json").write_text(str(n))
(folder / "weights.bin").write_bytes(os.urandom(3 << 20))
api.upload_large_folder(repo_id=name, folder_path=folder, repo_type="model", num_workers=2,
                        print_report=False)
down = Path(snapshot_download(name))
digests = [
    {str(p.relative_to(at)): digest(p) for p in at.rglob("*")
     if p.is_file() and ".cache" not in p.parts} for at in (folder, down)
]
tell([digests[0] == digests[1], len(digests[0])])
""",
        name=repository(owner, "large-folder"),
    )
    assert told == [True, 6]


def test_two_uploads_of_one_path_leave_one_of_them_whole(owner: Client) -> None:
    """Whoever is told that it went up is in the history; nobody's bytes are mixed."""
    told = owner.run(
        """
from concurrent.futures import ThreadPoolExecutor
api.create_repo(name)
texts = [os.urandom(2 << 20) for _ in range(4)]

def send(number):
    return failure(api.upload_file, repo_id=name, path_in_repo="one.bin",
                   path_or_fileobj=texts[number], commit_message=f"number {number}")

with ThreadPoolExecutor(4) as pool:
    failed = list(pool.map(send, range(4)))
commits = api.list_repo_commits(name)
held = {
    c.title: Path(hf_hub_download(name, "one.bin", revision=c.commit_id)).read_bytes()
    for c in commits
}
tell({
    "failed": [answer and answer["status"] for answer in failed],
    "titles": sorted(held), "right": all(texts[int(t[-1])] == held[t] for t in held),
})
""",
        name=repository(owner, "at-once"),
    )
    went_up = [f"number {n}" for n, status in enumerate(told["failed"]) if status is None]
    assert went_up
    assert told["titles"] == went_up
    assert told["right"]
    assert set(told["failed"]) <= {None, 409}


def test_a_client_that_is_killed_leaves_nothing_and_the_same_command_goes_through(
    owner: Client, live: Live, proxy: Proxy, tmp_path: Path
) -> None:
    """By Xet or git-LFS, as each generation sends: no file, revision or blob; then all of it."""
    folder, name = tmp_path / "folder", repository(owner, "killed")
    folder.mkdir()
    (folder / "weights.bin").write_bytes(os.urandom(WHOLE_BYTES))
    (folder / "config.json").write_bytes(b"{}")
    there = owner.at(proxy.url, owner.token)
    owner.run("api.create_repo(name)\ntell(0)", name=name)
    blobs = sorted(live.house.objects.walk())

    command = [str(there.python.parent / "hf"), "upload", name, str(folder)]
    running: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        running[0].kill()

    proxy.at_upload(KILLED_AT_BYTES, kill)
    running.append(subprocess.Popen(command, env=there.environment, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL))  # fmt: skip
    assert running[0].wait(timeout=120) == -signal.SIGKILL

    look = """
tell([api.list_repo_files(name), len(api.list_repo_commits(name))])
"""
    assert owner.run(look, name=name) == [[], 0]
    assert sorted(live.house.objects.walk()) == blobs
    done = there.hf("upload", name, str(folder))
    assert done.returncode == 0, done.stderr
    told = owner.run("tell(digest(hf_hub_download(name, 'weights.bin')))", name=name)
    assert told == hashlib.sha256((folder / "weights.bin").read_bytes()).hexdigest()
