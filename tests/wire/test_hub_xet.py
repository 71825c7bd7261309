"""Large files as the clients with hf_xet send them: by Xet alone, and never by git-LFS."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from gatekeeper.domain.people import Scope
from gatekeeper.domain.xet import LARGEST_SHARD_BYTES, LARGEST_XORB_BYTES
from gatekeeper.services import tokens
from tests.cast import NAMESPACE, context
from tests.live import free_port
from tests.nginx import configuration, of_the_handbook, running_site
from tests.wire.clients import Client, python_of
from tests.wire.server import Live

BIG, SMALL = 12_000_000, 3 << 20


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as model folders are: floats, text that packs well, noise, and one file twice."""
    folder = tmp_path_factory.mktemp("weights")
    noise = hashlib.shake_256(b"noise").digest(BIG)
    floats = b"".join(noise[i : i + 2] + b"\x80\x3f" for i in range(0, SMALL, 2))
    (folder / "sub").mkdir()
    (folder / "config.json").write_bytes(b"{}\n")
    (folder / "big.bin").write_bytes(noise)
    (folder / "sub" / "again.bin").write_bytes(noise)
    (folder / "floats.bin").write_bytes(floats[:SMALL])
    (folder / "text.bin").write_bytes(b"".join(b"token %d\n" % n for n in range(300_000)))
    return folder


@pytest.fixture
def digests(weights: Path) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    return {
        str(path.relative_to(weights)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in weights.rglob("*")
        if path.is_file()
    }


def owner_of(live: Live, version: str, home: Path) -> Client:
    """Return a version of the client, as the owner of the namespace."""
    person = live.world.cast["owner"].id
    _, text = tokens.create(live.house, context(), person, f"xet-{version}", Scope.WRITE, 1)
    return Client(version, python_of(version), home).at(live.url, text)


@pytest.fixture(params=["1", "2"])
def owner(request: pytest.FixtureRequest, live: Live, tmp_path: Path) -> Client:
    """The owner, with each version that speaks Xet alone."""
    return owner_of(live, request.param, tmp_path / "machine")


def repository(client: Client, what: str) -> str:
    """Name a repository of this test's own."""
    return f"{NAMESPACE}/{what}-{client.version.replace('.', '-')}"


UP = """
def up(name):
    api.create_repo(name)
    api.upload_folder(repo_id=name, folder_path=folder)
    down = Path(snapshot_download(name, local_dir=Path.home() / name))
    return {str(p.relative_to(down)): digest(p) for p in down.rglob("*")
            if p.is_file() and ".cache" not in p.parts}
"""


def test_a_folder_goes_up_and_the_same_again_to_another_repository(
    owner: Client, weights: Path, digests: dict[str, str]
) -> None:
    """What the client remembers of the first upload does not stand for bytes of the second."""
    names = [repository(owner, "xet-one"), repository(owner, "xet-two")]
    told = owner.run(UP + "tell([up(name) for name in names])", names=names, folder=str(weights))
    assert told == [digests, digests]


def test_a_file_goes_up_in_several_xorbs_and_changes_in_one_place(
    live: Live, tmp_path: Path
) -> None:
    """Noise fills each xorb to the brim; then the same but for a few bytes, in the place of it."""
    owner = owner_of(live, "2", tmp_path / "machine")
    told = owner.run(
        """
large = bytearray(os.urandom(140 << 20))
at = Path.home() / "large.bin"
api.create_repo(name)
told = []
for _ in range(2):
    at.write_bytes(large)
    api.upload_file(repo_id=name, path_in_repo="large.bin", path_or_fileobj=str(at))
    info = api.get_paths_info(name, "large.bin")[0]
    told.append(info.lfs.sha256 == digest(at) == digest(hf_hub_download(name, "large.bin")))
    large[70 << 20 : (70 << 20) + 5] = b"other"
tell(told)
""",
        name=repository(owner, "xet-large"),
    )
    assert told == [True, True]


def test_who_only_reads_sends_nothing(live: Live, weights: Path, tmp_path: Path) -> None:
    guest = live.hire()
    client = Client("2", python_of("2"), tmp_path / "machine").at(live.url, guest.token)
    told = client.run(
        """
before = api.model_info(name).sha
told = failure(api.upload_file, repo_id=name, path_in_repo="big.bin", path_or_fileobj=big)
tell({"status": told["status"], "same": api.model_info(name).sha == before})
""",
        name=f"{NAMESPACE}/lyra-t0",
        big=str(weights / "big.bin"),
    )
    assert told == {"status": 403, "same": True}


WORDS = {"template": configuration(), "handbook": of_the_handbook()}


def test_the_command_sends_a_folder_through_nginx_as_the_handbook_has_it(
    live: Live, weights: Path, digests: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    inside = WORDS["handbook"].replace("127.0.0.1:8000", f"127.0.0.1:{live.port}")
    inside = inside.replace("Host $host;", "Host $http_host;")  # this one has a port
    name = f"{NAMESPACE}/xet-nginx"
    with running_site(tmp_path / "nginx", port, f"server {{ listen 127.0.0.1:{port}; {inside} }}"):
        client = owner_of(live, "2", tmp_path / "machine")
        client = client.at(f"http://127.0.0.1:{port}", client.token)
        done = client.hf("upload", name, str(weights))
        assert done.returncode == 0, done.stderr
        told = client.run(
            "tell({p.path: p.lfs.sha256 for p in api.list_repo_tree(name, recursive=True)"
            " if getattr(p, 'lfs', None)})",
            name=name,
        )
    assert told == {path: sha for path, sha in digests.items() if path != "config.json"}


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_nginx_takes_the_largest_xorb_and_keeps_none_of_it(words: str) -> None:
    found = re.search(r"location ~ \S*/xet/ \{[^}]*client_max_body_size (\d+)m;", words)
    assert found is not None
    assert int(found[1]) << 20 >= max(LARGEST_XORB_BYTES, LARGEST_SHARD_BYTES)
    assert "proxy_request_buffering off;" in words[found.start() :].partition("}")[0]


def test_the_client_before_xet_alone_keeps_to_lfs(
    live: Live, weights: Path, digests: dict[str, str], tmp_path: Path
) -> None:
    """It has hf_xet as well, and would take that way if the batch's answer offered it."""
    client = owner_of(live, "0.36", tmp_path / "machine")
    told = client.run(
        """
api.create_repo(name)
api.upload_folder(repo_id=name, folder_path=folder, ignore_patterns="sub/*")
tell({path: digest(hf_hub_download(name, path)) for path in api.list_repo_files(name)})
""",
        name=f"{NAMESPACE}/xet-036",
        folder=str(weights),
    )
    assert told == {path: sha for path, sha in digests.items() if not path.startswith("sub/")}
