"""Signed links with the tools people have: curl, wget and aria2c, whole, in parts, cut, revoked.

Everything here runs in each delivery mode; where the store sends the bytes its headers are its own.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.links import DeliveryMode
from gatekeeper.services import downloads, grants
from tests import builders
from tests.cast import Member, context
from tests.rooms import lacks
from tests.wire.conftest import Way
from tests.wire.server import LARGE_BYTES, Live

CUT_AT = 9 << 20
TOOLS = ("curl", "wget", "aria2c")


@dataclass(frozen=True, slots=True)
class Issued:
    """Somebody's link to the large file, and a folder to put it into."""

    live: Live
    member: Member
    path: str
    folder: Path

    @property
    def url(self) -> str:
        """Where the server itself answers it."""
        return self.live.url + self.path

    @property
    def target(self) -> Path:
        """Where a tool should put the file."""
        return self.folder / "model.safetensors"

    @property
    def is_whole(self) -> bool:
        """Say whether what arrived is what was published."""
        return self.target.read_bytes() == self.live.large_bytes

    def revoke(self) -> None:
        """End the grant that the link was issued under."""
        approver = context(self.live.world.cast.approver.actor)
        for held in grants.mine(self.live.house, context(self.member.actor)):
            grants.change(self.live.house, approver, held.id, GrantCommand.REVOKE, EndReason.LEAK)


@dataclass(frozen=True, slots=True)
class Answer:
    """What curl received."""

    status: int
    headers: dict[str, str]
    body: bytes


def run(*command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a tool; skip where it is missing."""
    if shutil.which(command[0]) is None:
        lacks("hub", f"{command[0]} is not installed")
    return subprocess.run(command, capture_output=True, timeout=120, check=False)


def curl(url: str, *options: str) -> Answer:
    """Ask with curl, following to the store, and take the last answer apart."""
    rest = run("curl", "-sSL", "--path-as-is", "-i", *options, url).stdout
    while True:
        head, _, rest = rest.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        if int(status.split()[1]) != 302:
            break
    headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
    return Answer(int(status.split()[1]), headers, rest)


def fetch(tool: str, url: str, target: Path) -> subprocess.CompletedProcess[bytes]:
    """Download with one of the tools, going on from what lies there already."""
    match tool:
        case "curl":
            return run("curl", "-sSfL", "-C", "-", "-o", str(target), url)
        case "wget":
            return run("wget", "-q", "-c", "--tries=3", "--waitretry=0", "-O", str(target), url)
        case _:
            return run(
                "aria2c", "-q", "-c", "-x16", "-s16", "-k1M", "--file-allocation=none",
                "--retry-wait=1", "-d", str(target.parent), "-o", target.name, url,
            )  # fmt: skip


@pytest.fixture
def issued(any_live: Live, tmp_path: Path) -> Issued:
    """A link of somebody who was just granted the large model."""
    live = any_live
    member = live.hire()
    builders.grant(live.house, member, live.large, live.world.cast.approver)
    ref = downloads.FileRef(live.large.namespace, live.large.name, "main", "model.safetensors")
    link = downloads.issue_link(live.house, context(member.actor), ref)
    return Issued(live, member, link.path, tmp_path)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_link_gives_the_file_byte_for_byte(issued: Issued, tool: str) -> None:
    """Whole, in one stream or in sixteen."""
    done = fetch(tool, issued.url, issued.target)
    assert done.returncode == 0, done.stderr
    assert issued.is_whole


@pytest.mark.parametrize("tool", TOOLS)
def test_a_cut_download_is_finished_by_ranges(issued: Issued, way: Way, tool: str) -> None:
    """A connection ends in the middle; what arrived is kept and the rest is asked for."""
    url = way.url + issued.path
    way.proxy.cut_after(1 << 20 if tool == "aria2c" else CUT_AT)
    first = fetch(tool, url, issued.target)
    if tool == "curl":
        assert first.returncode != 0
        assert 0 < issued.target.stat().st_size < LARGE_BYTES
    done = fetch(tool, url, issued.target)
    assert done.returncode == 0, done.stderr
    assert issued.is_whole
    ranges = [seen.range for seen in way.proxy.take() if seen.method == "GET"]
    assert any(r.startswith("bytes=") and not r.startswith("bytes=0-") for r in ranges), ranges


@pytest.mark.parametrize("tool", TOOLS)
def test_a_revoked_link_gives_no_byte(issued: Issued, tool: str) -> None:
    """Nor what is left of a file that was begun before."""
    part = issued.live.large_bytes[:CUT_AT]
    issued.target.write_bytes(part)
    issued.revoke()
    assert fetch(tool, issued.url, issued.target).returncode != 0
    fresh = issued.folder / "fresh"
    assert fetch(tool, issued.url, fresh).returncode != 0
    assert issued.target.read_bytes() == part
    assert not fresh.exists() or not fresh.read_bytes()


def test_a_revoked_link_answers_403_to_every_method_and_range(issued: Issued) -> None:
    """The database decides every request."""
    assert curl(issued.url, "-r", "0-9").status == 206
    issued.revoke()
    canary = issued.live.large_bytes[:64]
    for options in ((), ("-I",), ("-r", "0-9"), ("-r", "-10"), ("-H", 'If-None-Match: "x"')):
        answer = curl(issued.url, *options)
        assert answer.status == 403
        assert "etag" not in answer.headers
        assert canary not in answer.body


def test_a_head_says_what_a_get_would(issued: Issued) -> None:
    """Length, digest as ETag, ranges, a file name; and no body."""
    head, get = curl(issued.url, "-I"), curl(issued.url)
    same = ["content-length", "accept-ranges", "content-disposition", "content-type"]
    if issued.live.mode is not DeliveryMode.REDIRECT:
        same += ["etag", "repr-digest", "cache-control", "content-security-policy", "vary"]
    assert (head.status, get.status) == (200, 200)
    assert [head.headers[name] for name in same] == [get.headers[name] for name in same]
    assert head.headers["content-length"] == str(LARGE_BYTES)
    assert head.headers["accept-ranges"] == "bytes"
    assert 'filename="model.safetensors"' in head.headers["content-disposition"]
    assert head.body == b""
    assert get.body == issued.live.large_bytes


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("0-0", 0, 1),
        ("0-99", 0, 100),
        ("1000000-", 1_000_000, LARGE_BYTES),
        ("-100", LARGE_BYTES - 100, LARGE_BYTES),
        (f"{LARGE_BYTES - 1}-", LARGE_BYTES - 1, LARGE_BYTES),
        (f"100-{LARGE_BYTES * 2}", 100, LARGE_BYTES),
        (f"-{LARGE_BYTES * 2}", 0, LARGE_BYTES),
    ],
)
def test_one_range_gives_exactly_its_bytes(
    issued: Issued, asked: str, start: int, end: int
) -> None:
    """First, last, open, suffix, and beyond the end."""
    answer = curl(issued.url, "-r", asked)
    assert answer.status == 206
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{LARGE_BYTES}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.body == issued.live.large_bytes[start:end]


@pytest.mark.parametrize("asked", [f"{LARGE_BYTES}-", "999999999-", "-0"])
def test_a_range_beyond_the_file_is_416_with_its_length(issued: Issued, asked: str) -> None:
    """And no byte of it."""
    answer = curl(issued.url, "-r", asked)
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{LARGE_BYTES}"
    assert answer.body == b""


def test_if_range_gives_a_part_only_of_the_same_file(issued: Issued) -> None:
    """The exact ETag gives 206; another, a weak one or a date gives the whole file."""
    etag = curl(issued.url, "-I").headers["etag"]
    part = curl(issued.url, "-r", "10-19", "-H", f"If-Range: {etag}")
    assert (part.status, part.body) == (206, issued.live.large_bytes[10:20])
    for condition in ('"other"', f"W/{etag}", "Wed, 21 Oct 2026 07:28:00 GMT"):
        answer = curl(issued.url, "-r", "10-19", "-H", f"If-Range: {condition}")
        assert answer.status == 200
        assert answer.body == issued.live.large_bytes


def test_the_name_in_the_address_is_cosmetic_and_the_token_is_not(issued: Issued) -> None:
    """Any file name serves the same file; any other token none."""
    _, _, token, _ = issued.path.split("/", 3)
    named = curl(f"{issued.live.url}/d/{token}/other%20name.bin", "-I")
    assert named.status == 200
    assert 'filename="model.safetensors"' in named.headers["content-disposition"]
    middle = len(token) // 2
    other = "A" if token[middle] != "A" else "B"
    for altered in (token + "A", token[:-1], token[:middle] + other + token[middle + 1 :], "x"):
        assert curl(f"{issued.live.url}/d/{altered}/model.safetensors").status == 403


def test_an_expired_link_opens_nothing(any_live: Live) -> None:
    """Not even a file that anybody may have."""
    live = any_live
    member = live.hire()
    then = context(member.actor, context().now - timedelta(hours=2))
    ref = downloads.FileRef(live.many.namespace, live.many.name, "main", "config.json")
    link = downloads.issue_link(live.house, then, ref)
    answer = curl(live.url + link.path)
    assert answer.status == 403
    assert b"model_type" not in answer.body
