"""The way on from an address with a model's former name, in every dialect: 307, relative.

The Hub's clients follow a relative address with their token, each generation of them.
Source: hf-wire.md 1.4.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from flask import Response, request

from gatekeeper.domain.errors import Moved
from gatekeeper.web.hub.rawpath import MARK


def onward(error: Moved) -> Response | None:
    """Answer with the same address under the new name; None when the address has no name in it."""
    former = re.compile(rf"/{re.escape(error.former)}(?=/|\.git/|$)")
    path, times = former.subn(f"/{error.name}", request.path, count=1)
    if not times:
        return None
    query = request.query_string.decode("ascii", "ignore")
    sent = quote(path).replace(quote(MARK), "%2F") + (f"?{query}" if query else "")
    return Response(status=307, headers={"Location": sent})
