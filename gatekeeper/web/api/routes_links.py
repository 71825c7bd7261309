"""Signed links: a secret for one file, made anew from its claim and stored nowhere."""

from __future__ import annotations

from gatekeeper.domain.links import LinkId
from gatekeeper.domain.people import Context, Scope
from gatekeeper.services import downloads
from gatekeeper.services.downloads import FileRef, IssuedLink
from gatekeeper.web.api.calls import Noun
from gatekeeper.web.api.exchange import caller, text_of
from gatekeeper.web.api.once import Done
from gatekeeper.web.api.wire import bodies, cases
from gatekeeper.web.api.wire.shapes import parts
from gatekeeper.web.wiring import house

noun = Noun("links", "Signed addresses: each a secret for one file that lives for minutes.")


def _again(link_id: str) -> str:
    return text_of(_link(downloads.repeat_link(house(), caller(), LinkId(link_id))))


@noun.post("/links", scope=Scope.READ, statuses=(201,), fails=(404, 410), repeat=_again)
def issue(ctx: Context, sent: bodies.NewLink) -> Done[cases.Link]:
    """Make a signed address for one file.

    It needs no token, takes ranges, and opens nothing once the grant behind it has ended.
    """
    ref = FileRef(*parts(sent.model), sent.revision, sent.path)
    issued = downloads.issue_link(house(), ctx, ref)
    return Done(lambda: _link(issued), kept=issued.link_id)


def _link(issued: IssuedLink) -> cases.Link:
    return cases.Link(
        url=house().policy.public_url + issued.path,
        expires_at=issued.expires_at,
        size_bytes=issued.file.size_bytes,
        sha256=issued.file.sha256,
    )
