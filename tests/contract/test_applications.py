"""What applying never gives back: access that a person took away."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.domain.access import Reason, Refused
from gatekeeper.domain.grants import EndReason, GrantCommand, GrantState
from gatekeeper.services import grants
from tests.builders import COMMUNITY, FORM, World, apply_for, publish_model
from tests.cast import context


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (GrantCommand.REVOKE, Reason.GRANT_REVOKED),
        (GrantCommand.SUSPEND, Reason.GRANT_SUSPENDED),
    ],
)
def test_what_was_taken_away_is_not_had_again_where_nobody_decides(
    any_world: World, tmp_path: Path, command: GrantCommand, reason: Reason
) -> None:
    house, member = any_world.house, any_world.cast.applicant
    model = publish_model(house, tmp_path, "lyra-asks", "T2", asks=(COMMUNITY,), form=FORM)
    apply_for(house, member, model)
    (grant,) = grants.mine(house, context(member.actor))
    assert grant.state(context().now) is GrantState.ACTIVE
    grants.change(house, context(), grant.id, command, EndReason.MISUSE, "")
    with pytest.raises(Refused) as refused:
        apply_for(house, member, model)
    assert refused.value.reason is reason
    assert len(grants.mine(house, context(member.actor))) == 1


def test_a_suspended_grant_is_not_passed_by_with_a_new_application(any_world: World) -> None:
    house, member = any_world.house, any_world.cast.researcher
    (grant,) = grants.mine(house, context(member.actor))
    grants.change(house, context(), grant.id, GrantCommand.SUSPEND, EndReason.LEAK, "")
    with pytest.raises(Refused) as refused:
        apply_for(house, member, any_world.models["T3"])
    assert refused.value.reason is Reason.GRANT_SUSPENDED
