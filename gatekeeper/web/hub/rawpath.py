"""Keeps an encoded slash inside its path segment: `resolve/feat%2Fx/f` names the revision `feat/x`.

WSGI servers decode the path before routing, so that `feat%2Fx` would split in two. The middleware
reads the address as it was sent and leaves a mark for each encoded slash; the converters turn the
mark back. The mark is a control character: no name or path of ours may hold one, and whoever sends
it raw says `/` in another way. Source: PEP 3333; gunicorn sets RAW_URI, werkzeug REQUEST_URI too.

Not here: whether what the segments say is a name at all (parse).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MARK = "\x1f"
_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)


def keep_encoded_slashes(app: WSGIApplication) -> Callable[..., Iterable[bytes]]:
    """Wrap a WSGI application so that the converters below see encoded slashes as such."""

    def marked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sent = environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""
        if _ENCODED_SLASH.search(sent):
            environ["PATH_INFO"] = mark(sent, environ["PATH_INFO"])
        return app(environ, start_response)

    return marked


def mark(sent: str, path_info: str) -> str:
    """Return the path with a mark for each encoded slash, both in WSGI's latin-1 form.

    `path_info` comes back unchanged when the address as sent does not decode to it (a mount point,
    another middleware): what was routed then is what the server said.
    """
    path = re.sub(r"^[a-z][a-z0-9+.-]*://[^/]*", "", sent.partition("?")[0], flags=re.IGNORECASE)
    escaped = _ENCODED_SLASH.sub("%1F", path).encode("latin-1", "replace")
    found = unquote_to_bytes(escaped).decode("latin-1")
    return found if found.replace(MARK, "/") == path_info else path_info


class Segment(BaseConverter):
    """One segment of the address, encoded slashes included: a revision, `feat/x`."""

    def to_python(self, value: str) -> str:
        """Return what the segment says."""
        return value.replace(MARK, "/")

    def to_url(self, value: str) -> str:
        """Return the segment as the clients write it."""
        return quote(value, safe="")


class Rest(Segment):
    """What is left of the address: a path, whether or not its slashes are encoded."""

    part_isolating = False
    regex = r"[\s\S]+?"
    weight = 200

    def to_url(self, value: str) -> str:
        """Return the path as the clients write it."""
        return quote(value)


def add_converters(state: BlueprintSetupState) -> None:
    """Name the converters `segment` and `rest` in the application's routes."""
    state.app.url_map.converters |= {"segment": Segment, "rest": Rest}
