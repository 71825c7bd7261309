"""The pure parts of the Hub dialect: addresses, cards, folders."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from gatekeeper.domain.catalogue import File
from gatekeeper.services.publishing.files import git_sha1_of, lfs_pointer
from gatekeeper.web.hub import card
from gatekeeper.web.hub.errors import is_ours, one_line
from gatekeeper.web.hub.rawpath import Rest, Segment, mark
from gatekeeper.web.hub.tree import Tree, folder_ids
from tests.rooms import lacks


def decoded(target: str) -> str:
    """Return PATH_INFO as a WSGI server makes it."""
    return unquote_to_bytes(target.partition("?")[0]).decode("latin-1")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a/b/resolve/feat%2Fx/f", "/a/b/resolve/feat\x1fx/f"),
        ("/a/%2f?x=%2F", "/a/\x1f"),
        ("/a/%252F%2F", "/a/%2F\x1f"),
        ("/%C3%A4%2Fb", "/\xc3\xa4\x1fb"),
    ],
)
def test_encoded_slashes_are_marked(target: str, expected: str) -> None:
    assert mark(target, decoded(target)) == expected
    assert mark(f"http://host:1{target}", decoded(target)) == expected


@pytest.mark.parametrize("target", ["/a%1F%2Fb", "/mounted/a%2Fb"])
def test_an_address_that_is_not_what_was_routed_is_left_alone(target: str) -> None:
    routed = decoded(target).removeprefix("/mounted")
    assert mark(target, routed) == routed


def test_segments_and_paths_are_written_as_clients_write_them() -> None:
    assert Segment(None).to_url("feat/x y") == "feat%2Fx%20y"  # type: ignore[arg-type]
    assert Rest(None).to_url("sub dir/a b#c.txt") == "sub%20dir/a%20b%23c.txt"  # type: ignore[arg-type]
    assert Segment(None).to_python("feat\x1fx") == "feat/x"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("/api/models", True),
        ("/api/whoami-v2", True),
        ("/api/v1/me", False),
        ("/api/v1", False),
        ("/api/v10", True),
        ("/a/b/resolve/main/x", True),
        ("/gpt2/resolve/main/x", True),
        ("/datasets/a/b/resolve/main/x", True),
        ("/a/b.git/info/refs", True),
        ("/a/b/git-upload-pack", True),
        ("/a/b", False),
        ("/d/token/resolve/x", False),
        ("/releases/a/resolve", False),
        ("/", False),
    ],
)
def test_the_dialect_knows_its_own_addresses(path: str, ours: bool) -> None:
    assert is_ours(path) is ours


def test_a_message_is_one_line_of_ascii() -> None:
    assert one_line("Naïve\r\nX-Injected: 1\t\x00 “end”") == "Na?ve X-Injected: 1 ? ?end?"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {}),
        ({"license": "mit", "tags": ["a", "b c"]}, {"license": "mit", "tags": ["a", "b c"]}),
        ({"tags": "a", "language": "en"}, {"tags": ["a"], "language": ["en"]}),
        ({"tags": ["a", 7, None, True, ["b"], {}]}, {"tags": ["a", "7"]}),
        ({"datasets": {"nested": ["x"]}}, {"datasets": []}),
        ({"self": 1, "eval_results": "x", "model-index": [], "gated": "auto"}, {}),
        ({"license": ["a", "b"], "license_name": "a\x07b", "library_name": None}, {}),
        (
            {"extra_gated_prompt": "A\nb", "extra_gated_fields": {"Use": {"options": ["a"]}}},
            {"extra_gated_prompt": "A\nb", "extra_gated_fields": {"Use": {"options": ["a"]}}},
        ),
    ],
)
def test_clients_are_told_the_keys_they_know(said: dict[str, Any], expected: card.Card) -> None:
    assert card.of(said) == expected


def test_tags_are_what_the_hub_makes_of_a_card() -> None:
    found = card.of(
        {
            "license": "mit", "language": ["en"], "tags": ["a", "transformers"],
            "library_name": "transformers", "datasets": ["d"], "base_model": "x/y",
            "pipeline_tag": "text-generation",
        }
    )  # fmt: skip
    assert card.tags(found) == [
        "transformers", "text-generation", "a", "en", "dataset:d", "license:mit", "base_model:x/y",
    ]  # fmt: skip


def test_folder_ids_are_those_of_git(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        lacks("hub", "git is not installed")
    contents = {
        "README.md": b"# T", "a.txt": b"a", "a/b.txt": b"b", "a/c/d e#.txt": b"d", "a-b/x": b"x",
        "a0": b"0", "ä/ö": b"u",
    }  # fmt: skip
    contents["big.bin"] = lfs_pointer("0" * 64, 10_000_000)
    del contents["a.txt"]
    for path, body in contents.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(body)

    def git(*command: str) -> str:
        done = subprocess.run(["git", *command], cwd=tmp_path, capture_output=True, check=True)
        return done.stdout.decode().strip()

    git("init", "-q")
    git("-c", "core.autocrlf=false", "add", "-A")
    root = git("write-tree")
    files = [File(p, len(b), "0" * 64, git_sha1_of(b), lfs=False) for p, b in contents.items()]
    ids = folder_ids(files)
    assert ids[""] == root
    for folder in ("a", "a/c", "a-b", "ä"):
        assert ids[folder] == git("-c", "core.quotepath=false", "rev-parse", f"{root}:{folder}")
    tree = Tree(files, {})
    top = tree.paths("", recursive=False)
    assert top == ["README.md", "a", "a-b", "a0", "big.bin", "ä"]
    assert tree.paths("a", recursive=True) == ["a/b.txt", "a/c", "a/c/d e#.txt"]
    assert [e["path"] for e in tree.entries(["a", "none", "a0", ""])] == ["a", "a0"]
