"""A house of ten thousand models, each with a card of its own, for lists of them (SQLite).

The first model is published as any other, its rows are copied, and the cards put into the store.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.servers import crowd
from bench.servers.hall import bare, opened
from gatekeeper.domain.catalogue import CARD_PATH, File
from gatekeeper.services.ports import House, ObjectStore
from tests import builders
from tests.builders import FORM, RESEARCH
from tests.cast import Member, hire

MODELS = 10_000  # with the one that is copied
CARD_BYTES = 1024
FEW, EVERY = "few-have-it", 500  # a tag that one model in so many has
WORD, NAMED = "model-77", 111  # what so many names hold: 77, 77x and 77xx
_FILES = ("config.json", "model.safetensors")
_WRITERS = 8  # a put waits for the disk


@dataclass(frozen=True, slots=True)
class Shelf:
    """The house, and somebody who holds a model of it."""

    house: House
    data: Path
    holder: Member


@contextmanager
def stocked(data: Path) -> Iterator[Shelf]:
    """Make the house in an empty place; half a minute."""
    bare(data)
    with opened(data) as house:
        builders.add_release(house)
        cast = hire(house)
        builders.publish_agreement(house, RESEARCH)
        first = builders.publish_model(
            house, data.parent / "files", "first", "T3", asks=(RESEARCH,), form=FORM
        )
        builders.grant(house, cast.researcher, first, cast.approver)
        with ThreadPoolExecutor(_WRITERS) as writers:
            cards = list(writers.map(partial(_put, house.objects), range(MODELS - 1)))
        with house.db.engine.execution_options(immediate=True).begin() as connection:
            crowd.fill_shelf(connection, cards, _FILES)
        yield Shelf(house, data, cast.researcher)


def _put(objects: ObjectStore, number: int) -> File:
    written = _card(number)
    stored = objects.put(io.BytesIO(written), len(written))
    return File(CARD_PATH, stored.size_bytes, stored.sha256, stored.git_sha1, lfs=False)


def _card(number: int) -> bytes:
    few = f"- {FEW}\n" if number % EVERY == 0 else ""
    said = (
        "---\nlicense: apache-2.0\nlicense_link: https://example.org/licence\n"
        f"language:\n- en\n- {('de', 'fr', 'no')[number % 3]}\n"
        "library_name: transformers\npipeline_tag: text-classification\n"
        f'tags:\n- number-{number}\n- small\n- "quoted: yes"\n{few}'
        f"datasets:\n- northfield/corpus-{number % 50}\nmetrics:\n- accuracy\n- f1\n"
        f"base_model: northfield/base-{number % 20}\n---\n\n# Model {number}\n\n"
    )
    return said.ljust(CARD_BYTES, "x").encode()
