"""Owners: a model's card is imported on a page that shows before what will change."""

from __future__ import annotations

import re

import pytest

from gatekeeper.domain.people import Role
from gatekeeper.services import members
from tests.builders import World
from tests.cast import NAMESPACE, Cast, context
from tests.http.pages.conftest import Browser, Open
from tests.hub_cards import CARD, card, find, move_over, write_card

PAGE = "/own/northfield/moved/moved/card"
EVIL = "<script>alert(1)</script>{{7*7}}"


@pytest.fixture
def owner(browser: Open, cast: Cast) -> Browser:
    """The owner, signed in."""
    return browser(cast.owner)


def press(browser: Browser, revision: str = "main") -> int:
    """Press the button; return the status."""
    return browser.send(PAGE, revision=revision).status_code


def test_the_page_shows_what_will_change_and_the_button_does_it(
    owner: Browser, world: World
) -> None:
    name = move_over(world, "moved")
    assert f'href="{PAGE}"' in owner.text("/own/northfield/moved")
    text = owner.text(PAGE)
    for shown in ("Withheld", "Reviewed", "New text", "You keep the weights to yourself.",
                  "Ask for Lyra", "Where I am", "Import the card"):  # fmt: skip
        assert shown in text
    assert find(world.house, name).tier.code == "T5"
    answer = owner.send(PAGE, revision="main")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/own/northfield/moved")
    assert "has the gate of its card" in owner.text("/own/northfield/moved")
    assert find(world.house, name).tier.code == "T3"
    after = owner.text(PAGE)
    assert "Nothing to change." in after
    assert "Import the card</button>" in text
    assert "Import the card</button>" not in after


def test_what_was_shown_is_what_is_imported(owner: Browser, world: World) -> None:
    """The button names the revision: a card that came meanwhile is not taken for it."""
    name = move_over(world, "moved")
    text = owner.get(PAGE).get_data(as_text=True)
    shown = re.findall('name="revision" value="([0-9a-f]{40})"', text)[0]
    write_card(world, name, card("gated: false"))
    assert press(owner, shown) == 303
    assert find(world.house, name).tier.code == "T3"


def test_what_is_wrong_with_a_card_is_said_by_key(owner: Browser, world: World) -> None:
    lines = (
        "gated: maybe",
        f"extra_gated_fields: {{'{EVIL}': email}}",
        f"extra_gated_{EVIL[:8]}: 1",
    )
    name = move_over(world, "moved", card(*lines))
    page = owner.get(PAGE).get_data(as_text=True)
    assert "<script>alert" not in page
    text = owner.text(PAGE)
    for said in ("Write false, true, auto or manual", "The type is one of", "does not know"):
        assert said.lower() in text.lower()
    assert press(owner) == 422
    assert find(world.house, name).tier.code == "T5"


def test_a_card_that_does_not_say_gated_is_told_to(owner: Browser, world: World) -> None:
    name = move_over(world, "moved", card("license: mit"))
    text = owner.text(PAGE)
    assert "add `gated: false`, `gated: auto` or `gated: manual` to the card" in text
    assert "Import the card</button>" not in text
    assert press(owner) == 422
    assert find(world.house, name).tier.code == "T5"


@pytest.mark.parametrize("revision", ["none", "--all", "..", "x" * 300, EVIL])
def test_a_revision_there_is_not_is_said(owner: Browser, world: World, revision: str) -> None:
    move_over(world, "moved")
    assert "has no revision" in owner.text(f"{PAGE}?revision={revision}")
    assert press(owner, revision) == 422


def test_without_a_token_of_the_form_nothing_is_imported(owner: Browser, world: World) -> None:
    name = move_over(world, "moved")
    assert owner.client.post(PAGE, data={"revision": "main"}).status_code == 400
    assert find(world.house, name).tier.code == "T5"


def test_a_publisher_may_and_a_handler_finds_nothing(
    browser: Open, world: World, cast: Cast
) -> None:
    move_over(world, "moved", CARD)
    assert browser(cast.handler).get(PAGE).status_code == 404
    applicant = cast.applicant
    members.set_role(
        world.house, context(), NAMESPACE, applicant.email, Role.PUBLISHER, remove=False
    )
    assert browser(applicant).get(PAGE).status_code == 200
