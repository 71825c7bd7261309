"""When a link holds, and that no purpose serves another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gatekeeper.domain.errors import BadLink
from gatekeeper.domain.links import Claim, check_times
from tests.unit.made import TICK

START = datetime(2026, 6, 15, 12, tzinfo=UTC)
SECONDS = int(START.timestamp())
CLAIM = Claim("j", "per_1", "c", SECONDS, SECONDS + 600)


@pytest.mark.parametrize(
    "moment", [START - timedelta(seconds=60), START, START + timedelta(seconds=600) - TICK]
)
def test_a_link_holds_from_a_minute_before_its_start_to_before_its_end(moment: datetime) -> None:
    check_times(CLAIM, moment)


@pytest.mark.parametrize(
    ("moment", "expired"),
    [
        (START - timedelta(seconds=60) - TICK, False),
        (START + timedelta(seconds=600), True),
        (START + timedelta(days=1), True),
    ],
)
def test_a_link_outside_of_its_time_is_refused(moment: datetime, expired: bool) -> None:
    with pytest.raises(BadLink) as refused:
        check_times(CLAIM, moment)
    assert refused.value.expired is expired
