"""Models as they come from the Hub: made by a client, withheld, with a card that names a gate."""

from __future__ import annotations

import io

from gatekeeper.domain.catalogue import Model
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import commits, repositories
from gatekeeper.services.publishing.commits import Commit, Sent
from tests.builders import World
from tests.cast import NAMESPACE, context

# A card with a question of every type of the Hub's documentation.
CARD = """---
license: other
license_name: lyra-research
license_link: https://lab.example/licence
gated: manual
extra_gated_heading: Ask for Lyra
extra_gated_description: Two people read this.
extra_gated_prompt: |
  ### Use
  You use it for research alone.

  - You keep the weights to yourself.
extra_gated_fields:
  Company: text
  Country: country
  Date of birth: date_picker
  I want to use this model for:
    type: select
    options:
      - Research
      - label: Other
        value: other
  Where I am: ip_location
  I will not share it: checkbox
---
# Moved
"""
ANSWERS = {
    "company": "Institute",
    "country": "GH",
    "date_of_birth": "1990-01-31",
    "i_want_to_use_this_model_for": "Other",
    "i_will_not_share_it": "yes",
}


def card(*lines: str) -> str:
    """Write a card of these lines of front matter."""
    return "\n".join(["---", *lines, "---", "# Moved", ""])


def move_over(world: World, name: str, text: str = CARD) -> tuple[str, str]:
    """Make a model as a client does, with a card; nobody has chosen its tier."""
    owner = context(world.cast.owner.actor)
    repositories.create(world.house, owner, NAMESPACE, name, None)
    write_card(world, (NAMESPACE, name), text)
    return NAMESPACE, name


def write_card(world: World, model: tuple[str, str], text: str) -> str:
    """Publish another card of a model; return the revision."""
    sent = [
        Sent(path, len(body), lambda body=body: io.BytesIO(body))  # type: ignore[misc]
        for path, body in (("README.md", text.encode()), ("config.json", b"{}\n"))
    ]
    owner = context(world.cast.owner.actor)
    done = commits.commit(world.house, owner, model, "main", Commit(sent, "Move over"))
    return done.revision_id


def find(house: House, model: tuple[str, str]) -> Model:
    """Return a model as it stands."""
    with house.db.reading() as read:
        found = read.catalogue.model(*model)
    assert found is not None
    return found
