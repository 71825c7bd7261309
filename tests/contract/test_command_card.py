"""`gatekeeper import-card`, as a person at the machine types it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from gatekeeper.cli import main
from tests.builders import World
from tests.conftest import Copy
from tests.hub_cards import card, find, move_over, write_card


def run(data: Path, *words: str) -> Result:
    """Run the command on a data directory."""
    return CliRunner().invoke(main, ["--data", str(data), "import-card", *words])


def test_a_card_is_shown_imported_and_found_unchanged(sqlite_copy: Copy) -> None:
    site, furnished = sqlite_copy(True)
    assert furnished is not None
    house = site.open()
    world = World(house, furnished.cast, furnished.models)
    name = move_over(world, "moved")
    dry = run(site.data, "northfield/moved", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "tier: T5 Withheld -> T3 Reviewed" in dry.output
    assert "form: company, country, date_of_birth" in dry.output
    assert "Nothing was changed" in dry.output
    assert find(house, name).tier.code == "T5"
    told = json.loads(run(site.data, "northfield/moved", "--json").stdout)
    assert (told["tier_before"], told["tier"], told["changed"]) == ("T5", "T3", True)
    assert told["agreement"] == find(house, name).agreements[0]
    assert "Nothing to change." in run(site.data, "northfield/moved").output
    write_card(world, name, card("gated: nobody"))
    wrong = run(site.data, "northfield/moved")
    assert (wrong.exit_code, "gated: write false" in wrong.output) == (1, True)
    name = move_over(world, "silent", card("license: mit"))
    silent = run(site.data, "northfield/silent")
    assert (silent.exit_code, find(house, name).is_decided) == (1, False)
    assert "gated: the card does not say which gate there is" in " ".join(silent.output.split())
    assert run(site.data, "northfield/none").exit_code == 4
    assert run(site.data, "northfield").exit_code == 2
    assert run(site.data, "northfield/moved", "--revision", "none").exit_code == 1
    house.db.close()
