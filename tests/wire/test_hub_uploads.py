"""Uploading with the unmodified client: repositories, folders, single files, deletions."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.domain.people import Scope
from gatekeeper.services import tokens
from tests.cast import NAMESPACE, context
from tests.wire.clients import Client
from tests.wire.server import Live

FILES = {
    "README.md": b"---\nlicense: mit\n---\n# Up\n",
    "config.json": b"{}\n",
    "sub dir/a b#c.txt": b"odd\n",
    "empty.txt": b"",
    "kept.log": b"kept\n",
}


@pytest.fixture
def owner(hub: Client, live: Live) -> Client:
    """The owner of the namespace, with a token that may write."""
    person = live.world.cast["owner"].id
    _, text = tokens.create(live.house, context(), person, f"up-{hub.version}", Scope.WRITE, 1)
    return hub.at(live.url, text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to upload."""
    found = tmp_path / "folder"
    for path, content in FILES.items():
        (found / path).parent.mkdir(parents=True, exist_ok=True)
        (found / path).write_bytes(content)
    return found


def repository(client: Client, what: str) -> str:
    """Name a repository of this test's own."""
    return f"{NAMESPACE}/{what}-{client.version.replace('.', '-')}"


def test_a_repository_is_made_once(owner: Client, live: Live) -> None:
    told = owner.run(
        """
first = api.create_repo(name)
again = api.create_repo(name, exist_ok=True)
tell({
    "urls": [str(first), str(again)], "id": first.repo_id,
    "twice": failure(api.create_repo, name),
    "elsewhere": failure(api.create_repo, "nobodys/x"),
    "dataset": failure(api.create_repo, name, repo_type="dataset"),
})
""",
        name=repository(owner, "made"),
    )
    name = repository(owner, "made")
    assert told["urls"] == [f"{live.url}/{name}"] * 2
    assert told["id"] == name
    assert told["twice"]["status"] == 409
    assert told["elsewhere"]["status"] == 403
    assert NAMESPACE in told["elsewhere"]["text"]
    assert told["dataset"]["status"] == 501


def test_a_folder_goes_up_and_comes_down_the_same(owner: Client, folder: Path) -> None:
    told = owner.run(
        """
api.create_repo(name)
first = api.upload_folder(repo_id=name, folder_path=folder, commit_message="All of it")
again = api.upload_folder(repo_id=name, folder_path=folder)
down = Path(snapshot_download(name))
tell({
    "oids": [first.oid, again.oid],
    "url": first.commit_url,
    "titles": [c.title for c in api.list_repo_commits(name)],
    "files": {str(p.relative_to(down)): digest(p) for p in down.rglob("*") if p.is_file()},
})
""",
        name=repository(owner, "folder"),
        folder=str(folder),
    )
    wanted = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}
    assert told["files"] == wanted
    assert told["titles"] == ["All of it"]
    assert told["oids"][0] == told["oids"][1]
    assert told["url"].endswith(told["oids"][0])


def test_files_are_added_and_deleted_one_by_one(owner: Client) -> None:
    told = owner.run(
        """
api.create_repo(name)
for path in ("a.txt", "f/b.txt", "f/c.txt", "d.txt"):
    api.upload_file(repo_id=name, path_in_repo=path, path_or_fileobj=path.encode())
api.delete_file("a.txt", name)
api.delete_folder("f", name)
tell({
    "files": sorted(api.list_repo_files(name)),
    "gone": failure(api.delete_file, "a.txt", name),
    "backslash": failure(
        api.create_commit, name, commit_message="x",
        operations=[hub.CommitOperationAdd("a\\\\b", b"1")],
    ),
})
""",
        name=repository(owner, "single"),
    )
    assert told["files"] == ["d.txt"]
    assert told["gone"]["status"] == 400
    assert told["backslash"]["status"] == 400
    assert "forbidden character" in told["backslash"]["text"]


def test_the_command_uploads_a_folder_and_makes_the_repository(
    owner: Client, folder: Path, live: Live
) -> None:
    name = repository(owner, "command")
    done = owner.hf("upload", name, str(folder), ".", "--exclude", "*.log")
    assert done.returncode == 0, done.stderr
    assert f"{live.url}/{name}" in done.stdout + done.stderr
    told = owner.run("tell(sorted(api.list_repo_files(name)))", name=name)
    assert told == sorted(set(FILES) - {"kept.log"})


def test_what_gitignore_names_stays_away(owner: Client, folder: Path) -> None:
    (folder / ".gitignore").write_text("*.log\n")
    told = owner.run(
        """
api.create_repo(name)
api.upload_folder(repo_id=name, folder_path=folder)
tell(sorted(api.list_repo_files(name)))
""",
        name=repository(owner, "ignored"),
        folder=str(folder),
    )
    assert told == sorted({*FILES, ".gitignore"} - {"kept.log"})


def test_a_broken_card_is_told_before_anything_is_sent(owner: Client) -> None:
    told = owner.run(
        """
api.create_repo(name)
tell(failure(
    api.upload_file, repo_id=name, path_in_repo="README.md", path_or_fileobj=b"---\\na: [b\\n---\\n"
))
""",
        name=repository(owner, "card"),
    )
    assert "ValueError" in told["kinds"]
    assert "no YAML" in told["text"]


def test_a_reader_uploads_nothing(hub: Client, live: Live) -> None:
    """403 for somebody who may only see the model, 401 for nobody; the model stays as it was."""
    guest = live.hire()
    script = """
before = api.model_info(name).sha
told = failure(
    api.upload_file, repo_id=name, path_in_repo="x.txt", path_or_fileobj=b"x"
)
tell({"status": told["status"], "same": api.model_info(name).sha == before})
"""
    name = f"{NAMESPACE}/lyra-t0"
    assert hub.at(live.url, guest.token).run(script, name=name) == {"status": 403, "same": True}
    assert hub.at(live.url).run(script, name=name)["same"] is True


LARGE = {"one.bin": 3 << 20, "sub/parts.bin": (33 << 20) + 7}  # parts have 16 MiB


@pytest.fixture
def by_lfs(owner: Client) -> Client:
    """The owner's client as it speaks git-LFS."""
    return owner.told(HF_HUB_DISABLE_XET="1")


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, str]:
    """A folder of files that are too large to come with a commit, by digest."""
    digests = {}
    for path, size in LARGE.items():
        at = tmp_path / "weights" / path
        at.parent.mkdir(parents=True, exist_ok=True)
        block = hashlib.sha256(path.encode()).digest() * 32768
        at.write_bytes((block * (size // len(block) + 1))[:size])
        digests[path] = hashlib.sha256(at.read_bytes()).hexdigest()
    return digests


def test_large_files_go_up_by_lfs_whole_and_in_parts(
    by_lfs: Client, weights: dict[str, str], tmp_path: Path
) -> None:
    told = by_lfs.run(
        """
api.create_repo(name)
first = api.upload_folder(repo_id=name, folder_path=folder)
again = api.upload_folder(repo_id=name, folder_path=folder)
down = Path(snapshot_download(name))
info = api.model_info(name, files_metadata=True)
tell({
    "same": first.oid == again.oid,
    "files": {str(p.relative_to(down)): digest(p) for p in down.rglob("*") if p.is_file()},
    "lfs": {s.rfilename: s.lfs["sha256"] for s in info.siblings},
})
""",
        name=repository(by_lfs, "lfs"),
        folder=str(tmp_path / "weights"),
    )
    assert told == {"same": True, "files": weights, "lfs": weights}


def test_an_object_that_is_sent_again_is_read_to_its_end_so_that_the_answer_is_heard(
    live: Live,
) -> None:
    """A server that closes before has a connection reset, and the client tries in vain."""
    person, body = live.world.cast["owner"].id, bytes(8 << 20)
    _, text = tokens.create(live.house, context(), person, "again", Scope.WRITE, 1)
    headers = {"Authorization": f"Bearer {text}", "Content-Type": "application/json"}

    def ask(url: str, body: bytes, method: str, **headers: str) -> Any:
        request = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    object_ = {"oid": hashlib.sha256(body).hexdigest(), "size": len(body)}
    wanted = json.dumps({"operation": "upload", "objects": [object_]}).encode()
    batch = f"{live.url}/{NAMESPACE}/lyra-t0.git/info/lfs/objects/batch"
    href = ask(batch, wanted, "POST", **headers)["objects"][0]["actions"]["upload"]["href"]
    kind = {"Content-Type": "application/octet-stream"}
    assert [ask(href, body, "PUT", **kind) for _ in range(3)] == [{}] * 3


def test_bytes_from_memory_and_a_copy_of_them(by_lfs: Client) -> None:
    """The copy is named by its digest and sent no second time."""
    told = by_lfs.run(
        """
import io
api.create_repo(name)
large = os.urandom(2 << 20)
api.upload_file(repo_id=name, path_in_repo="a.bin", path_or_fileobj=io.BytesIO(large))
api.create_commit(name, commit_message="Copy", operations=[
    hub.CommitOperationCopy(src_path_in_repo="a.bin", path_in_repo="b.bin"),
])
got = Path(hf_hub_download(name, "b.bin")).read_bytes()
tell(got == large)
""",
        name=repository(by_lfs, "memory"),
    )
    assert told is True
