"""Who asks too often: requests are counted by address, and whoever is refused is told for how long.

Not here: what is limited and how far (app, settings), in which words a dialect says it (errors).
"""

from __future__ import annotations

import math

from flask import Flask, g
from flask_limiter import Limiter, RequestLimit
from flask_limiter.util import get_remote_address

from gatekeeper.domain.people import ANONYMOUS
from gatekeeper.web.wiring import new_context


def limiter(app: Flask) -> Limiter:
    """Return what counts the requests of each address."""
    return Limiter(get_remote_address, app=app, on_breach=_note)


def seconds_left() -> int:
    """Return in how many seconds the limit that this request has passed counts anew: 1 or more."""
    found: int = g.limit_seconds_left
    return found


def _note(passed: RequestLimit) -> None:
    ends = passed.window.reset_time
    g.limit_seconds_left = max(1, math.ceil(ends - new_context(ANONYMOUS).now.timestamp()))
