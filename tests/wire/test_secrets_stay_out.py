"""What a server under real clients writes down: no token and no link, whole or in part.

Nor does what these tests keep of the requests it was asked: that outlives a run that failed.
"""

from __future__ import annotations

from gatekeeper.services import downloads
from tests.cast import context
from tests.wire.clients import VERSIONS, Client
from tests.wire.server import Live
from tests.wire.test_path_attacks import send


def test_no_token_and_no_link_is_in_the_log(live: Live) -> None:
    """After good, refused, malformed and unknown requests that carried them."""
    member = live.world.cast.researcher
    ref = downloads.FileRef("northfield", "lyra-t3", "main", "config.json")
    link = downloads.issue_link(live.house, context(member.actor), ref)
    foreign = "hf_tokenOfAnotherHub"
    for token in (member.token, member.token + "x", foreign):
        for target in (
            "/api/whoami-v2",
            "/northfield/lyra-t3/resolve/main/config.json",
            "/northfield/lyra-t4/resolve/main/config.json",
            f"/api/models?search={token}&cursor={token}",
            f"/api/models/northfield/{token}",
        ):
            answer = send(live, target, headers=f"Authorization: Bearer {token}\r\n")
            assert answer.status < 500
            assert token not in answer.head
    secret = link.path.split("/")[2]
    for path in (link.path, link.path.replace(secret, secret[:-1]), f"{link.path}/%2F"):
        assert send(live, path).status < 500
    logged = live.log.read_text() + live.requests.read_text()
    assert not [s for s in (member.token, member.token[:20], foreign, secret[:40]) if s in logged]


def test_a_request_is_kept_with_its_answer_and_the_version_that_asked(
    hub: Client, live: Live
) -> None:
    """What is left of a test that failed tells who asked for what."""
    mine = hub.at(live.url, live.world.cast.pending.token)
    mine.run("failure(hf_hub_download, 'northfield/lyra-t3', 'config.json')\ntell(0)")
    asked = [s for s in live.requests.read_text().splitlines() if "/resolve/" in s][-1]
    path, _, client = asked.partition(" 403 ")
    assert path == "HEAD /northfield/lyra-t3/resolve/main/config.json"
    assert f"hf_hub/{VERSIONS[hub.version].removesuffix('.*')}" in client
