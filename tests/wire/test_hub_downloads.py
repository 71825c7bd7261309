"""Downloads by the unmodified huggingface_hub 0.36, 1.x and 2.x against a live server."""

from __future__ import annotations

import hashlib

import pytest

from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.services import grants
from tests import builders
from tests.cast import Member, context
from tests.wire.clients import Client
from tests.wire.proxy import Proxy, Seen
from tests.wire.server import LFS_BYTES, ODD_BYTES, ODD_PATH, SMALL_FILES, Live

MANY = "northfield/many-files"
LARGE = "northfield/large-gated"
CUT_AT = 14 << 20
FIRST_CHUNK = 10 << 20  # the clients count what they have in pieces of 10 MiB

DOWNLOAD = "tell(digest(hf_hub_download(repo, path, revision=revision)))"
TRY = "tell(failure(hf_hub_download, repo, path))"


def sha256(data: bytes) -> str:
    """Return SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def files_of(seen: list[Seen]) -> list[tuple[str, str]]:
    """Return method and path of the requests for files."""
    return [(s.method, s.path.partition("/resolve/")[2]) for s in seen if "/resolve/" in s.path]


def give(live: Live, member: Member) -> None:
    """Grant the large model to a person."""
    builders.grant(live.house, member, live.large, live.world.cast.approver)


def revoke(live: Live, member: Member) -> None:
    """Revoke what a person holds."""
    approver = context(live.world.cast.approver.actor)
    for held in grants.mine(live.house, context(member.actor)):
        grants.change(live.house, approver, held.id, GrantCommand.REVOKE, EndReason.LEAK)


def test_a_public_file_arrives_byte_for_byte_and_a_repeat_is_one_head(
    hub: Client, proxy: Proxy
) -> None:
    """HEAD and GET the first time, HEAD the second, nothing at all for a commit that is held."""
    there = hub.at(proxy.url)
    given = {"repo": MANY, "path": "model.safetensors"}

    assert there.run(DOWNLOAD, revision="main", **given) == sha256(LFS_BYTES)
    assert [s.method for s in proxy.take()] == ["HEAD", "GET"]
    assert there.run(DOWNLOAD, revision="main", **given) == sha256(LFS_BYTES)
    assert [s.method for s in proxy.take()] == ["HEAD"]
    commit = there.run("tell(api.model_info(repo).sha)", **given)
    proxy.take()
    assert there.run(DOWNLOAD, revision=commit, **given) == sha256(LFS_BYTES)
    assert proxy.take() == []


def test_blobs_are_filed_under_the_digests_the_hub_uses(hub: Client) -> None:
    """SHA-256 for LFS files, the git blob id for the others."""
    small = b'{"model_type": "none"}\n'
    hub.run(
        "for path in paths: hf_hub_download(repo, path)\ntell(0)",
        repo=MANY, paths=["model.safetensors", "config.json"],
    )  # fmt: skip
    git_id = hashlib.sha1(b"blob %d\x00" % len(small) + small).hexdigest()
    blobs = hub.cache / "models--northfield--many-files" / "blobs"
    assert {blob.name for blob in blobs.iterdir()} == {sha256(LFS_BYTES), git_id}


@pytest.mark.parametrize("revision", ["feat/x", "v1.0", "main"])
def test_revisions_with_a_slash_and_odd_paths_are_one_segment_each(
    hub: Client, revision: str
) -> None:
    """`feat/x` is a branch and not a folder `x` of `feat`."""
    script = """
odd = Path(hf_hub_download(repo, odd_path, revision=revision)).read_bytes().decode()
config = json.loads(Path(hf_hub_download(repo, "config.json", revision=revision)).read_text())
tell([odd, config["model_type"]])
"""
    told = hub.run(script, repo=MANY, odd_path=ODD_PATH, revision=revision)
    assert told == [ODD_BYTES.decode(), "feature" if revision == "feat/x" else "none"]


def test_what_does_not_exist_is_told_apart(hub: Client) -> None:
    """Missing file, revision and model have exceptions of their own; the first is remembered."""
    script = """
tell([
    failure(hf_hub_download, repo, "none.txt"),
    failure(hf_hub_download, repo, "config.json", revision="none"),
    failure(hf_hub_download, repo, "config.json", revision="feat/none"),
    failure(hf_hub_download, "northfield/none", "config.json"),
    hub.try_to_load_from_cache(repo, "none.txt") is hub._CACHED_NO_EXIST,
])
"""
    entry, revision, slashed, model, is_remembered = hub.run(script, repo=MANY)
    assert "EntryNotFoundError" in entry["kinds"]
    assert "RevisionNotFoundError" in revision["kinds"]
    assert "RevisionNotFoundError" in slashed["kinds"]
    assert "RepositoryNotFoundError" in model["kinds"]
    assert "GatedRepoError" not in model["kinds"]
    assert is_remembered


def test_anonymous_is_refused_a_gated_file_and_told_where_to_sign_in(
    hub: Client, live: Live
) -> None:
    """The gate comes before the question whether such a file or revision exists."""
    script = """
tell([
    failure(hf_hub_download, repo, "model.safetensors"),
    failure(hf_hub_download, repo, "none.txt"),
    failure(hf_hub_download, repo, "config.json", revision="none"),
    failure(snapshot_download, repo),
])
"""
    for told in hub.run(script, repo=LARGE):
        assert "GatedRepoError" in told["kinds"], told
        assert f"{live.url}/sign-in?next=/{LARGE}" in told["text"]
        assert told["status"] == 401


def test_each_person_is_told_their_own_next_step(hub: Client, live: Live) -> None:
    """Unverified, without an application, and waiting for review are three different steps."""
    cast = live.world.cast
    steps = {
        cast.stranger: "/account",
        cast.applicant: "/northfield/lyra-t3",
        cast.pending: "/applications/",
    }
    for member, page in steps.items():
        told = hub.at(live.url, member.token).run(
            TRY, repo="northfield/lyra-t3", path="config.json"
        )
        assert "GatedRepoError" in told["kinds"], told
        assert f"{live.url}{page}" in told["text"]
        assert told["status"] == 403


def test_withheld_bytes_are_refused_and_the_card_is_open(hub: Client, live: Live) -> None:
    """T5 serves nobody; README and LICENSE of a gated model serve everybody."""
    script = """
card = Path(hf_hub_download(repo, "README.md")).read_text()
tell([card, failure(hf_hub_download, repo, "config.json")])
"""
    member = live.world.cast.researcher
    for client in (hub, hub.elsewhere("known").at(live.url, member.token)):
        card, told = client.run(script, repo="northfield/lyra-t5")
        assert "The card." in card
        assert "GatedRepoError" in told["kinds"]


def test_a_grant_opens_the_file_and_its_revocation_closes_it(hub: Client, live: Live) -> None:
    """Refused, granted, downloaded, revoked, refused; only what is on the disk already stays."""
    member = live.hire()
    mine = hub.at(live.url, member.token)
    wanted = {"repo": LARGE, "path": "model.safetensors"}

    assert "GatedRepoError" in mine.run(TRY, **wanted)["kinds"]
    give(live, member)
    assert mine.run(DOWNLOAD, revision="main", **wanted) == sha256(live.large_bytes)
    revoke(live, member)
    # Known limit of every client: it falls back on its own copy when the server says no.
    assert mine.run(DOWNLOAD, revision="main", **wanted) == sha256(live.large_bytes)
    other = mine.run(TRY, repo=LARGE, path="config.json")
    fresh = mine.elsewhere("another").run(TRY, **wanted)
    for told in (other, fresh):
        assert "GatedRepoError" in told["kinds"]
        assert "was revoked" in told["text"]
        assert f"{live.url}/access" in told["text"]


def test_a_snapshot_holds_every_file_and_a_second_one_fetches_none(
    hub: Client, proxy: Proxy
) -> None:
    """0.36 lists `siblings`, later clients the tree; the second run asks for the revision."""
    script = """
folder = Path(snapshot_download(repo))
tell({str(p.relative_to(folder)): digest(p) for p in folder.rglob("*") if p.is_file()})
"""
    there = hub.at(proxy.url)
    found = there.run(script, repo=MANY)
    assert len(found) == SMALL_FILES + 4
    assert found["model.safetensors"] == sha256(LFS_BYTES)
    assert found[ODD_PATH] == sha256(ODD_BYTES)
    assert len([s for s in proxy.take() if s.method == "GET"]) >= len(found)

    assert there.run(script, repo=MANY) == found
    again = proxy.take()
    assert not [s for s in again if s.method == "GET" and "/resolve/" in s.path]
    if not hub.is_old:
        assert [s.path for s in again] == [f"/api/models/{MANY}/revision/main"]


def test_a_gated_snapshot_goes_to_a_folder_by_pattern(hub: Client, live: Live) -> None:
    """`allow_patterns` and `local_dir`, as somebody who holds a grant."""
    script = """
folder = Path(snapshot_download(repo, allow_patterns="*.json", local_dir="here", revision=revision))
tell([str(p.relative_to(folder)) for p in folder.rglob("*.*") if ".cache" not in p.parts])
"""
    mine = hub.at(live.url, live.world.cast.researcher.token)
    for revision in ("main", "feat/x", "v1"):
        assert mine.run(script, repo="northfield/lyra-t3", revision=revision) == ["config.json"]


def test_a_cut_download_goes_on_where_it_was_cut(hub: Client, live: Live, proxy: Proxy) -> None:
    """0.36 fails and resumes at the next call; later clients resume within the call."""
    member = live.hire()
    give(live, member)
    there = hub.at(proxy.url, member.token)
    wanted = {"repo": LARGE, "path": "model.safetensors"}

    proxy.cut_after(CUT_AT)
    if hub.is_old:
        assert there.run(TRY, **wanted) is not None
    assert there.run(DOWNLOAD, revision="main", **wanted) == sha256(live.large_bytes)
    gets = [s for s in proxy.take() if s.method == "GET" and "/resolve/" in s.path]
    assert [s.range for s in gets] == ["", f"bytes={FIRST_CHUNK}-"]


def test_a_bad_token_is_said_so_even_where_anybody_may_read(hub: Client, live: Live) -> None:
    """A plain 401, and no claim that the model does not exist."""
    told = hub.at(live.url, "hf_of_another_place").run(TRY, repo=MANY, path="config.json")
    assert told["status"] == 401
    assert "RepositoryNotFoundError" not in told["kinds"]
    assert "Invalid credentials in Authorization header" in told["text"]


def test_the_command_downloads_a_tag_by_pattern(hub: Client) -> None:
    """`hf download owner/name --include --revision`."""
    done = hub.hf("download", MANY, "--include", "shards/0/*.json", "--revision", "v1.0")
    assert done.returncode == 0, done.stderr
    found = list((hub.cache / "models--northfield--many-files").glob("snapshots/*/shards/0/*.json"))
    assert len(found) == SMALL_FILES / 4


def test_the_command_downloads_one_file_of_a_branch_to_a_folder(hub: Client) -> None:
    """`hf download owner/name file --revision feat/x --local-dir`."""
    done = hub.hf(
        "download", MANY, ODD_PATH, "--revision", "feat/x", "--local-dir", str(hub.home / "here")
    )
    assert done.returncode == 0, done.stderr
    assert (hub.home / "here" / ODD_PATH).read_bytes() == ODD_BYTES


def test_the_command_fails_on_a_gated_model_and_works_with_a_grant(hub: Client, live: Live) -> None:
    """The newer commands hide the server's words; all of them fail with a sentence."""
    refused = hub.hf("download", "northfield/lyra-t3", "config.json")
    assert refused.returncode != 0
    assert "requires approval" in refused.stderr or live.url in refused.stderr
    mine = hub.at(live.url, live.world.cast.researcher.token)
    done = mine.hf("download", "northfield/lyra-t3", "config.json")
    assert done.returncode == 0, done.stderr


def test_the_file_system_reads_ranges_and_shows_the_gate(hub: Client, live: Live) -> None:
    """HfFileSystem: listing, a read in the middle, and GatedRepoError instead of a missing file."""
    script = """
from huggingface_hub import HfFileSystem
fs = HfFileSystem()
with fs.open(repo + "/model.safetensors", "rb", block_size=1000) as file:
    file.seek(500_000)
    middle = file.read(64)
tell([
    sorted(fs.ls(repo, detail=False)),
    fs.read_text(repo + "@feat%2Fx/config.json"),
    middle.decode(),
    failure(lambda: fs.open(gated + "/config.json", "rb").read()),
    fs.exists("northfield/none"),
])
"""
    listed, config, middle, told, exists = hub.run(script, repo=MANY, gated=LARGE)
    assert f"{MANY}/sub dir" in listed
    assert f"{MANY}/config.json" in listed
    assert config == '{"model_type": "feature"}\n'
    assert middle == LFS_BYTES[500_000:500_064].decode()
    assert "GatedRepoError" in told["kinds"]
    assert live.url in told["text"]
    assert exists is False
