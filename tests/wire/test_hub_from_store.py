"""The unmodified client where an S3 store sends the bytes: what goes up comes down from there.

Postgres and a store under another host name, with a proxy before each: what the client asks of us,
and what reaches the store. Cuts and revocation stand in test_delivery_modes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gatekeeper.domain.links import DeliveryMode
from gatekeeper.domain.people import Scope
from gatekeeper.services import tokens
from tests import builders
from tests.builders import WEIGHTS
from tests.cast import NAMESPACE, context
from tests.hub_cards import find
from tests.wire.clients import VERSIONS, Client, python_of
from tests.wire.proxy import proxy_to, ways_up
from tests.wire.server import Live

BIG_BYTES = 12_000_000
PREFIX = "/wire-weights/sha256/"

UPLOAD = """
api.create_repo(name)
api.upload_folder(repo_id=name, folder_path=folder)
api.update_repo_settings(name, gated="manual")
tell({"gated": api.model_info(name).gated,
      "refused": failure(hf_hub_download, name, "big.bin", token=guest)})
"""
FETCH = """
def fetch(name):
    down = Path(snapshot_download(name))
    return {str(p.relative_to(down)): digest(p) for p in down.rglob("*") if p.is_file()}

def about(path):
    found = hub.get_hf_file_metadata(hub.hf_hub_url(name, path))
    return {"commit": found.commit_hash, "etag": found.etag, "size": found.size,
            "at": found.location}

tell({"files": fetch(name), "served_here": fetch(kept), "commit": api.model_info(name).sha,
      "about": {path: about(path) for path in ("big.bin", "config.json")}})
"""


@pytest.fixture(scope="module")
def on_s3(live_by_mode: Callable[[DeliveryMode], Live]) -> Live:
    """Postgres and S3, bytes by the store."""
    return live_by_mode(DeliveryMode.REDIRECT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file that is too large to come with a commit."""
    found = tmp_path_factory.mktemp("up")
    (found / "README.md").write_text("---\nlicense: mit\n---\n# By the store\n")
    (found / "config.json").write_bytes(b'{"model_type": "none"}\n')
    (found / "big.bin").write_bytes(hashlib.shake_256(b"store").digest(BIG_BYTES))
    return found


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_goes_up_comes_down_from_the_store_which_sees_no_secret_of_ours(
    on_s3: Live, folder: Path, tmp_path: Path, version: str
) -> None:
    """By git-LFS (0.36) or Xet, gated, refused, granted; a T4 model never leaves this server."""
    store, guest, approver = on_s3.bytes_proxy, on_s3.hire(), on_s3.world.cast.approver
    assert store is not None
    name = f"{NAMESPACE}/store-{version.replace('.', '-')}"
    owner = on_s3.world.cast.owner.id
    _, text = tokens.create(on_s3.house, context(), owner, f"s3-{version}", Scope.WRITE, 1)
    machine = Client(version, python_of(version), tmp_path / "machine")
    store.take()
    with proxy_to(on_s3.port) as ours:
        given = {"name": name, "folder": str(folder), "guest": guest.token}
        told = machine.at(ours.url, text).run(UPLOAD, **given)
        assert told["gated"] == "manual"
        assert "GatedRepoError" in told["refused"]["kinds"]
        assert ways_up(ours.take()) == {"git-LFS" if machine.is_old else "Xet"}
        assert store.take() == []  # what comes up is read by us, and the refused get no address

        kept = on_s3.world.models["T4"]
        model = find(on_s3.house, (NAMESPACE, name.partition("/")[2]))
        builders.grant(on_s3.house, guest, model, approver)
        builders.grant(on_s3.house, guest, kept, approver, on_s3.world.cast.approver2)
        reader = machine.elsewhere("reader").at(ours.url, guest.token)
        told = reader.run(FETCH, name=name, kept=kept.full_name)
        asked = ours.take()

    wanted = digests(folder)
    assert told["files"] == wanted
    with on_s3.house.db.reading() as read:
        revision = read.catalogue.revision(kept.id, "main")
        assert revision is not None
        held = {file.path: file.sha256 for file in read.catalogue.files(revision.id)}
    assert told["served_here"] == held
    assert WEIGHTS in held

    about = told["about"]["big.bin"]
    assert about["size"] == BIG_BYTES
    assert about["etag"] == wanted["big.bin"]
    assert about["commit"] == told["commit"]
    for found in told["about"].values():  # a HEAD is answered here: it leads nowhere
        assert urlsplit(found["at"]).port == int(ours.url.rpartition(":")[2])

    files = [request for request in asked if f"{name}/resolve/" in request.path]
    assert {request.method for request in files} == {"HEAD", "GET"}
    assert all(request.has_credentials for request in files)
    gets = store.take()
    assert {request.method for request in gets} == {"GET"}
    paths = [request.path for request in gets]
    assert sorted(paths) == sorted(f"{PREFIX}{sha[:2]}/{sha}" for sha in wanted.values())
    assert not [request for request in gets if request.has_credentials]
