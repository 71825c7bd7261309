"""Who calls."""

from __future__ import annotations

from gatekeeper.domain.people import Context
from gatekeeper.services import profile
from gatekeeper.web.api.calls import Noun
from gatekeeper.web.api.present import catalogue as present
from gatekeeper.web.api.wire import answers
from gatekeeper.web.wiring import house

noun = Noun("me", "Who calls, and what their token may do.")


@noun.get("/me")
def show_me(ctx: Context) -> answers.Me:
    """Return the caller's account, roles, and what their token may do."""
    return present.me(profile.show(house(), ctx))
