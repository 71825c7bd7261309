"""What a server under real clients writes down: no token and no link, whole or in part."""

from __future__ import annotations

from gatekeeper.services import downloads
from tests.cast import context
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
    logged = live.log.read_text()
    assert not [s for s in (member.token, member.token[:20], foreign, secret[:40]) if s in logged]
