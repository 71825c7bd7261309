"""kill -9 in the middle of `backup` and of `restore`: no half file, no half install, and again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper.cli import backup as command
from gatekeeper.cli.desk import Desk
from gatekeeper.domain.people import OPERATOR
from gatekeeper.services import backup as services
from gatekeeper.services import downloads
from gatekeeper.services.archive import DATA, Archive
from gatekeeper.services.publishing import revisions
from tests.builders import World
from tests.cast import context
from tests.conftest import Site
from tests.contract.test_backup import backup, check, is_nothing, new, run
from tests.fault.test_kill import SERVER
from tests.rooms import depth

__all__ = ["new"]

CHANCE = random.Random(7)
LARGE_BYTES = 24 << 20


@pytest.fixture
def large(world: World, site: Site, tmp_path: Path) -> Site:
    """A house with a file large enough to be killed over."""
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "large.bin").write_bytes(CHANCE.randbytes(LARGE_BYTES))
    model = world.models["T3"]
    target = revisions.Target(model.namespace, model.name, model.release_name, model.tier)
    revisions.publish(world.house, context(), folder, target)
    return site


def killed(site: Site, *words: str) -> None:
    """Run a command and kill it when it has said a random number of tenths."""
    arguments = [sys.executable, "-m", "gatekeeper", "--data", str(site.data), *words]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stderr is not None
    said = [process.stderr.readline() for _ in range(CHANCE.randint(1, 8))]
    process.kill()
    process.wait()
    process.stderr.close()
    assert all(b" bytes" in line for line in said), said


def test_a_backup_that_was_killed_left_no_file_of_its_name(large: Site, new: Site) -> None:
    file = large.data.parent / "killed.tar"
    for _ in range(depth(2, 50)):
        killed(large, "backup", str(file), "--with-keys")
        assert not file.exists()
    leftovers = list(large.data.parent.glob(".killed.tar.*.part"))
    assert all(part.stat().st_mode & 0o777 == 0o600 for part in leftovers)
    run(large, "backup", str(file), "--with-keys", "--quiet")
    run(new, "restore", str(file), "--quiet")


def test_a_restore_that_was_killed_left_nothing_and_may_be_run_again(
    large: Site, new: Site
) -> None:
    file = backup(large)
    for _ in range(depth(2, 50)):
        killed(new, "restore", str(file))
        assert is_nothing(new)
    run(new, "restore", str(file), "--quiet")
    restored = new.open()
    check(restored)
    restored.db.close()


def die(site: Site, file: Path, *, installed: bool) -> None:
    """Restore as the command does and die at its last step before the commit."""
    with file.open("rb") as opened:
        archive = Archive(opened)
        files = archive.small(DATA)
        desk = Desk(site.data, overrides=dict(command.as_settings(files)))
        command.make_schema(desk)

        def end() -> None:
            if installed:
                command.install(desk.data, files)
            os.kill(os.getpid(), signal.SIGKILL)

        services.restore(desk.house, context(OPERATOR), archive, lambda _: None, end)


@pytest.mark.parametrize("installed", [False, True])
def test_a_restore_that_was_killed_before_its_commit_may_be_run_again(
    world: World, site: Site, new: Site, installed: bool
) -> None:
    link = downloads.issue_link(world.house, context(world.cast.researcher.actor), world.ref("T3"))
    file = backup(site)
    new.data.mkdir()
    process = SERVER.Process(target=die, args=(new, file), kwargs={"installed": installed})
    process.start()
    process.join()
    assert process.exitcode == -9
    assert (new.data / "keys" / "entries").exists() == installed
    run(new, "restore", str(file), "--quiet")
    restored = new.open()
    check(restored)
    token = link.path.split("/")[2]
    assert downloads.redeem(restored, context(), token, serves=True).file.size_bytes
    restored.db.close()
