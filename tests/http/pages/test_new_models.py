"""A model that a client made, on the pages of its publishers: what it lacks, and its first tier."""

from __future__ import annotations

import pytest

from gatekeeper.domain.people import Role
from gatekeeper.services import members
from gatekeeper.services.publishing import repositories
from tests.builders import World
from tests.cast import Cast, context
from tests.http.pages.conftest import Browser, Open

PAGE, OWN = "/northfield/fresh", "/own/northfield/fresh"


@pytest.fixture
def owner(browser: Open, cast: Cast, world: World) -> Browser:
    """The owner's browser, after a client of theirs made a model."""
    repositories.create(world.house, context(cast.owner.actor), "northfield", "fresh", None)
    return browser(cast.owner)


def test_its_page_tells_its_publishers_what_is_missing_and_nobody_else(
    owner: Browser, browser: Open, cast: Cast
) -> None:
    page = owner.text(PAGE)
    for step in ("Upload its files", "Add its card, README.md", "Write the summary, risk analysis",
                 "Choose who gets in"):  # fmt: skip
        assert step in page, step
    assert f'href="{OWN}/fresh/files"' in page
    for other in (browser(), browser(cast.handler), browser(cast.researcher)):
        assert "Before it is published" not in other.text(PAGE)


def test_its_tier_is_chosen_on_a_page_and_the_list_is_gone(owner: Browser, browser: Open) -> None:
    assert "Nobody has chosen it yet" in owner.text(OWN)
    assert owner.send(f"{OWN}/fresh/tier", OWN, tier="T3").status_code == 303
    assert "is T3 Reviewed" in owner.text(OWN)
    assert "Nobody has chosen it yet" not in owner.text(OWN)
    assert "Before it is published" not in owner.text(PAGE)
    assert "Sign in" in browser().text(PAGE)


@pytest.mark.parametrize(
    ("tier", "said"),
    [("", "choose one"), ("T9", "choose one"), ("T2", "give the model an agreement or a form")],
)
def test_a_tier_that_cannot_be_is_refused_beside_its_field(
    owner: Browser, tier: str, said: str
) -> None:
    answer = owner.send(f"{OWN}/fresh/tier", OWN, tier=tier)
    assert answer.status_code == 422
    assert said in answer.get_data(as_text=True).lower()


def test_a_chosen_tier_is_not_loosened_by_the_same_door(owner: Browser) -> None:
    assert owner.send(f"{OWN}/fresh/tier", OWN, tier="T3").status_code == 303
    answer = owner.send(f"{OWN}/fresh/tier", OWN, tier="T0")
    assert answer.status_code == 403
    assert "stage decision" in answer.get_data(as_text=True)


def test_owners_say_what_new_models_begin_as_and_publishers_do_not(
    owner: Browser, browser: Open, world: World
) -> None:
    assert owner.send(f"{OWN}/new-models", OWN, tier="T3").status_code == 303
    assert "New models of northfield are T3 Reviewed" in owner.text(OWN)
    house, cast = world.house, world.cast
    made = repositories.create(house, context(cast.owner.actor), "northfield", "next", None)
    assert (made.model.tier.code, made.model.is_decided) == ("T3", True)
    for tier in ("T2", "T9"):
        assert owner.send(f"{OWN}/new-models", OWN, tier=tier).status_code == 422
    email = cast.applicant.email
    members.set_role(house, context(), "northfield", email, Role.PUBLISHER, remove=False)
    publisher = browser(cast.applicant)
    assert publisher.send(f"{OWN}/new-models", OWN, tier="T0").status_code == 403
