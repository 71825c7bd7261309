"""What staff write with a stop reaches the holder's page and never the ledger."""

from __future__ import annotations

from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.services import audit, grants
from tests.builders import World
from tests.cast import context

NOTE = "Your institute reported the laptop stolen on Monday."


def test_a_note_is_kept_for_the_holder_and_no_entry_holds_it(any_world: World) -> None:
    house, cast = any_world.house, any_world.cast
    held = grants.mine(house, context(cast.researcher.actor))[0]
    act = context(cast.approver.actor)
    grants.change(house, act, held.id, GrantCommand.SUSPEND, EndReason.LEAK, NOTE)
    assert grants.mine(house, context(cast.researcher.actor))[0].note == NOTE
    with house.db.reading() as read:
        assert not any(NOTE.encode() in stored.body for stored in read.audit.walk())
    assert audit.compare(house) == []
    again = context(cast.approver.actor)
    grants.change(house, again, held.id, GrantCommand.REINSTATE, None, "Settled.")
    assert grants.mine(house, context(cast.researcher.actor))[0].note == "Settled."
    assert audit.compare(house) == []
