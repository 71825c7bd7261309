"""The grant's machine, every cell of it, against a table written from governance.md 3.4."""

from __future__ import annotations

import pytest

from gatekeeper.domain.errors import Conflict, NotAllowed
from gatekeeper.domain.grants import GrantCommand, GrantHat, GrantState, check_grant_command
from tests.unit.made import DAY, NOW, TICK, grant

# command: who, from where. An approver has the handler's commands; the operator has the machine.
TABLE = """
activate    system                               pending_terms
suspend     handler,approver,compliance,operator active
reinstate   handler,approver,compliance,operator suspended
revoke      approver,compliance,operator         pending_terms active suspended
relinquish  holder                               active suspended
"""
ALLOWED = {
    (command, state, hat)
    for command, hats, *states in (line.split() for line in TABLE.strip().splitlines())
    for hat in hats.split(",")
    for state in states
}


def test_the_table_names_every_command() -> None:
    assert {command for command, _, _ in ALLOWED} == {str(c) for c in GrantCommand}


@pytest.mark.parametrize("hat", GrantHat)
@pytest.mark.parametrize("command", GrantCommand)
def test_a_command_is_allowed_exactly_where_the_table_says(
    command: GrantCommand, hat: GrantHat
) -> None:
    for state in GrantState:
        if (command, state, hat) in ALLOWED:
            check_grant_command(command, grant(state), frozenset({hat}), NOW)
            continue
        with pytest.raises((NotAllowed, Conflict)) as refused:
            check_grant_command(command, grant(state), frozenset({hat}), NOW)
        may_somewhere = any((command, s, hat) in ALLOWED for s in GrantState)
        assert isinstance(refused.value, Conflict if may_somewhere else NotAllowed)


@pytest.mark.parametrize("command", GrantCommand)
@pytest.mark.parametrize(
    "ended", [GrantState.REVOKED, GrantState.RELINQUISHED, GrantState.SUPERSEDED]
)
def test_nothing_brings_an_ended_grant_back(command: GrantCommand, ended: GrantState) -> None:
    with pytest.raises((NotAllowed, Conflict)):
        check_grant_command(command, grant(ended), frozenset(GrantHat), NOW)


@pytest.mark.parametrize("command", GrantCommand)
def test_a_grant_past_its_end_is_expired_and_takes_no_command(command: GrantCommand) -> None:
    past = grant(GrantState.ACTIVE, ends_at=NOW)
    assert past.state(NOW) is GrantState.EXPIRED
    assert past.state(NOW - TICK) is GrantState.ACTIVE
    with pytest.raises((NotAllowed, Conflict)):
        check_grant_command(command, past, frozenset(GrantHat), NOW)


@pytest.mark.parametrize("state", GrantState)
def test_only_an_active_sound_grant_within_its_time_opens(state: GrantState) -> None:
    assert grant(state).opens(NOW) == (state is GrantState.ACTIVE)
    assert not grant(state, sound=False).opens(NOW)
    assert not grant(state).opens(NOW + 10 * DAY)
    assert not grant(state).opens(NOW - 10 * DAY - TICK)
