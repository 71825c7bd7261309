"""Which revision gave a file its present bytes: the newest change, looked for as far as is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.domain.people import ANONYMOUS
from gatekeeper.services import contents
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import revisions
from tests.builders import World
from tests.cast import context

# Five revisions of three files; `back` returns to what it was, `gone` comes and goes.
STEPS = (
    {"same": "a", "once": "a", "back": "a"},
    {"same": "a", "once": "b", "back": "a", "gone": "a"},
    {"same": "a", "once": "b", "back": "b"},
    {"same": "a", "once": "b", "back": "a"},
    {"same": "a", "once": "b", "back": "a", "new": "a"},
)
CHANGED = {"same": 0, "once": 1, "back": 3, "new": 4}


@pytest.fixture
def house(any_world: World, tmp_path: Path) -> House:
    """A house that holds a model with a line of revisions."""
    for number, step in enumerate(STEPS):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in step.items():
            (folder / name).write_text(text)
        tier = any_world.house.tiers["T0"]
        target = revisions.Target("northfield", "line", "lyra", tier, message=str(number))
        revisions.publish(any_world.house, context(), folder, target)
    return any_world.house


def changes(house: House) -> dict[str, str]:
    """Return the message of the revision that changed each file last."""
    found = contents.show(house, context(ANONYMOUS), "northfield", "line")
    return {path: at.message for path, at in contents.last_changes(house, found).items()}


def test_a_file_changed_last_where_it_got_its_present_bytes(house: House) -> None:
    assert changes(house) == {name: str(number) for name, number in CHANGED.items()}


def test_a_change_before_what_is_looked_through_is_not_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for most, told in ((1, {"new": "4"}), (2, {"new": "4", "back": "3"})):
        monkeypatch.setattr(contents, "MOST_REVISIONS", most)
        assert changes(house) == told
    monkeypatch.setattr(contents, "MOST_REVISIONS", 100)
    monkeypatch.setattr(contents, "MOST_COMPARED", 2 * len(CHANGED))
    assert changes(house) == {"new": "4", "back": "3"}
