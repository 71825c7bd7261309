"""Calls of the unmodified client that no other module of this room makes, where it has them."""

from __future__ import annotations

import json
import struct

import pytest

from gatekeeper.domain.people import Scope
from gatekeeper.services import tokens
from tests.cast import NAMESPACE, context
from tests.wire.clients import Client
from tests.wire.server import MANY, Live

HEADER = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
TENSORS = struct.pack("<Q", len(HEADER)) + HEADER + b"\x00\x00\x80\x3f"


@pytest.fixture
def owner(hub: Client, live: Live) -> Client:
    """The owner of the namespace, with a token that may write."""
    person = live.world.cast["owner"].id
    _, text = tokens.create(live.house, context(), person, f"rest-{hub.version}", Scope.WRITE, 1)
    return hub.at(live.url, text)


def test_the_rest_of_the_calls_is_answered_too(owner: Client, live: Live) -> None:
    """Each says what it found; a call that this generation has not is `none`."""
    name = f"{NAMESPACE}/rest-{owner.version.replace('.', '-')}"
    told = owner.run(
        """
api.create_repo(name)
for path, content in (("config.json", b"{}"), ("a.txt", b"a"), ("b.txt", b"b"),
                      ("model.safetensors", tensors)):
    api.upload_file(repo_id=name, path_in_repo=path, path_or_fileobj=content)
api.delete_files(name, ["a.txt", "b.txt"])
url = hub.hf_hub_url(name, "config.json")

def has(call, *args, **kwargs):
    return getattr(api, call)(*args, **kwargs) if hasattr(api, call) else "none"

sharded, shard = name + "-sharded", "model-00001-of-00001.safetensors"
index = json.dumps({"metadata": {}, "weight_map": {"w": shard}}).encode()
api.create_repo(sharded)
for path, content in (("model.safetensors.index.json", index), (shard, tensors)):
    api.upload_file(repo_id=sharded, path_in_repo=path, path_or_fileobj=content)
def copy(source, path):
    copied = hub.CommitOperationCopy(
        path, "copy-of-" + path, src_repo_id=source, src_repo_type="model")
    return failure(api.create_commit, sharded, [copied], commit_message="Copy")

copies = hasattr(hub.CommitOperationCopy, "src_repo_id")
assert api.repo_info(name).sha
has("resolve_revision", name, revision="main")  # raises where it is not answered
kept = has("verify_repo_checksums", name, local_dir=snapshot_download(name, local_dir="here"))
tell({
    "files": sorted(api.list_repo_files(name)),
    "size": api.get_hf_file_metadata(url=url).size,
    "tensors": list(api.get_safetensors_metadata(name).weight_map),
    "shards": api.get_safetensors_metadata(sharded).weight_map,
    "at once": hasattr(api, "get_sharded_safetensors_metadata") and failure(
        api.get_sharded_safetensors_metadata, sharded),
    "copied": [copy(name, "config.json"), copy(large, "model.safetensors")] if copies else "none",
    "full": api.get_full_repo_name("x"),
    "permission": has("get_token_permission"),
    "visibility": str(has("update_repo_visibility", name, private=False)),
    "checked": kept if kept == "none" else [kept.checked_count, len(kept.mismatches)],
    "duplicate": hasattr(api, "duplicate_repo") and failure(
        api.duplicate_repo, name, to_id=name + "-copy"),
    "repos": hasattr(api, "list_user_repos") and failure(
        lambda: list(api.list_user_repos("northfield"))),
})
""",
        name=name,
        tensors=TENSORS,
        large=f"{NAMESPACE}/{MANY}",
    )
    assert told["files"] == ["config.json", "model.safetensors"]
    assert (told["size"], told["tensors"], told["full"]) == (2, ["w"], "owner-user/x")
    assert told["permission"] == ("write" if owner.is_old else "none")
    assert ("private" in told["visibility"]) is owner.is_old
    assert told["checked"] == ("none" if owner.is_old else [2, 0])
    assert told["shards"] == {"w": "model-00001-of-00001.safetensors"}
    assert (told["at once"] or {"status": 501})["status"] == 501
    if not owner.is_old:
        small, large = told["copied"]
        assert small is None
        assert "has no xet hash" in large["text"]  # it stops by itself and asks for nothing
        assert told["duplicate"]["status"] == 501
        assert "not copied here" in told["duplicate"]["text"]
        assert told["repos"]["status"] == 501
