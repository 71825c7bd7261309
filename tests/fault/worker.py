"""What the killed process does: one verb again and again, telling what was acknowledged.

Every message down the pipe is sent after the verb returned: whatever was told must be kept.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from gatekeeper.adapters.objects_s3 import uploads
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.services import audit, downloads, grants
from gatekeeper.services.publishing import revisions
from tests import builders
from tests.builders import World
from tests.cast import context
from tests.conftest import Site
from tests.seaweed import CREDENTIALS

# What was acknowledged: the step, and the ids it is known by.
Told = tuple[str, ...]

LINK_THREADS = 4


def work(site: Site, world: World, verb: str, number: int, tell: Connection) -> None:
    """Do a verb until killed."""
    os.environ.update(CREDENTIALS)
    world = replace(world, house=site.open())
    VERBS[verb](site, world, number, tell)


def publish(site: Site, world: World, number: int, tell: Connection) -> None:
    """Publish one new revision after the other, of files that share some bytes."""
    uploads.PART_BYTES = 5 << 20  # so that the new file goes to a bucket in parts
    model, turn = world.models["T3"], 0
    folder = site.data.parent / "source"
    while True:
        turn += 1
        _write(folder, f"{number}-{turn}")
        target = revisions.Target(model.namespace, model.name, model.release_name, model.tier)
        made = revisions.publish(world.house, context(), folder, target)
        tell.send(("published", made.revision_id, *(f.sha256 for f in made.files)))
        world.house.db.sequence()


def _write(folder: Path, edition: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "README.md").write_text(f"# {edition}\n")
    (folder / "same.bin").write_bytes(b"same" * 100_000)
    (folder / "new.bin").write_bytes((edition.encode() * (6 << 20))[: 6 << 20])


def decide(_site: Site, world: World, _number: int, tell: Connection) -> None:
    """Apply, approve and revoke, again and again."""
    house, cast = world.house, world.cast
    while True:
        case = builders.apply_for(house, cast.applicant, world.models["T3"])
        tell.send(("submitted", case.id))
        builders.decide(house, cast.approver, case.id)
        tell.send(("approved", case.id))
        house.db.sequence()
        with house.db.reading() as read:
            (grant,) = read.grants.of_application(case.id)
        grants.change(
            house, context(cast.approver.actor), grant.id, GrantCommand.REVOKE, EndReason.ERROR
        )
        tell.send(("revoked", case.id))


def mint(_site: Site, world: World, _number: int, tell: Connection) -> None:
    """Make links in several threads, so that their acts share commits."""
    one_at_a_time = threading.Lock()

    def one() -> None:
        while True:
            ctx = context(world.cast.researcher.actor)
            link = downloads.issue_link(world.house, ctx, world.ref("T3"))
            with one_at_a_time:
                tell.send(("linked", link.link_id, link.path.split("/")[2]))

    threads = [threading.Thread(target=one) for _ in range(LINK_THREADS)]
    for thread in threads:
        thread.start()
    while True:
        world.house.db.sequence()
        threads[0].join(0.05)


def sequence(_site: Site, world: World, _number: int, tell: Connection) -> None:
    """Give each link's entry its leaf at once: the tree is being written most of the time."""
    house = world.house
    while True:
        ctx = context(world.cast.researcher.actor)
        link = downloads.issue_link(house, ctx, world.ref("T3"))
        while house.db.sequence():
            pass
        head = audit.head(house)
        tell.send(("leaf", link.link_id, str(head.size), head.root_hex))


VERBS = {"publish": publish, "decide": decide, "mint": mint, "sequence": sequence}
