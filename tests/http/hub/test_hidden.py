"""A hidden model is as much work as a missing one, at once and again: a clock tells nothing."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.builders import World
from tests.statements import counted
from tests.wire.test_hub_answers import DOORS

HIDDEN, NONE = "northfield/lyra-hidden", "northfield/no"


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("who", ["", "applicant", "researcher"])
def test_hidden_and_missing_take_the_same_statements(
    client: FlaskClient, world: World, door: str, who: str
) -> None:
    headers = world.cast[who].headers if who else {}
    client.get("/api/whoami-v2", headers=headers)  # what is written once an hour is there
    asked = []
    for name in (HIDDEN, NONE):
        for _ in range(2):
            with counted(world.house) as seen:
                answer = client.get(door.format(name), headers=headers)
            asked.append((answer.status_code, len(seen)))
    assert asked[:2] == asked[2:]
