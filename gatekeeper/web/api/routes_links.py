"""Signed links: a secret for one file, made anew from its claim and stored nowhere."""

from __future__ import annotations

from flask import Blueprint

from gatekeeper.domain.links import LinkId
from gatekeeper.services import downloads
from gatekeeper.services.downloads import FileRef, IssuedLink
from gatekeeper.web.api.exchange import body, caller, text_of
from gatekeeper.web.api.once import Done, once
from gatekeeper.web.api.wire import bodies, cases
from gatekeeper.web.api.wire.shapes import parts
from gatekeeper.web.wiring import house

blueprint = Blueprint("links", __name__)


def _again(link_id: str) -> str:
    return text_of(_link(downloads.repeat_link(house(), caller(), LinkId(link_id))))


@blueprint.post("/links")
@once(repeat=_again)
def issue() -> Done:
    """Make a signed address for one file (201)."""
    ctx, sent = caller(), body(bodies.NewLink)
    ref = FileRef(*parts(sent.model), sent.revision, sent.path)
    issued = downloads.issue_link(house(), ctx, ref)
    return Done(lambda: _link(issued), 201, kept=issued.link_id)


def _link(issued: IssuedLink) -> cases.Link:
    return cases.Link(
        url=house().policy.public_url + issued.path,
        expires_at=issued.expires_at,
        size_bytes=issued.file.size_bytes,
        sha256=issued.file.sha256,
    )
