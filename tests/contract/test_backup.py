"""`backup` and `restore`: what comes back is what was there, on either database, or nothing.

What the reader of an archive refuses stands in test_archive, kill -9 in fault/test_kill_backup.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import resource
import shutil
import sqlite3
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from gatekeeper.cli import main
from gatekeeper.db import dump
from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.domain.access import Refused
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.ledger import CompactRange, leaf_hash
from gatekeeper.domain.people import SYSTEM, Role
from gatekeeper.services import audit, downloads, grants, members, people, registration, storage
from gatekeeper.services import backup as services
from gatekeeper.services.archive import Archive
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import revisions
from gatekeeper.services.uploads import sending, verifying
from gatekeeper.services.uploads.sending import Wanted
from tests import builders
from tests.builders import World
from tests.cast import context
from tests.conftest import Site
from tests.fault import worker
from tests.fault.test_kill import SERVER
from tests.property.test_edits import use
from tests.rooms import depth
from tests.seaweed import settings_for


def run(site: Site, *words: str, expect: int = 0) -> str:
    """Run a command over a house; return what it printed."""
    url = {"GATEKEEPER_DATABASE__URL": site.url} if site.url else {}
    environment = {**site.store, **url}
    result = CliRunner().invoke(main, ["--data", str(site.data), *words], env=environment)
    assert result.exit_code == expect, (words, result.output, result.exception)
    return result.output


def backup(site: Site, *words: str) -> Path:
    """Back a house up into a new file, with its keys unless told otherwise."""
    file = site.data.parent / "house.tar"
    file.unlink(missing_ok=True)
    run(site, "backup", str(file), "--quiet", *(words or ("--with-keys",)))
    return file


@pytest.fixture
def new(tmp_path: Path) -> Site:
    """Where nothing is yet: a data directory of SQLite."""
    return Site(tmp_path / "new")


def rows_of(house: House) -> dict[str, set[Any]]:
    """Return every row there is but sessions, by table."""

    def plain(value: Any) -> Any:
        return bytes(value) if isinstance(value, memoryview) else value

    with house.db.reading() as read:
        return {
            table.name: {tuple(map(plain, row)) for row in read.connection.execute(select(table))}
            for table in dump.TABLES.values()
        }


def check(house: House) -> None:
    """Look through ledger, tables and store."""
    assert list(audit.verify(house)) == []
    assert audit.compare(house) == []
    assert list(storage.fsck(house, read_data=True)) == []


def is_nothing(site: Site) -> bool:
    """Say whether no row and no key is in a data directory of SQLite."""
    database, rows = site.data / "gatekeeper.db", 0
    if database.exists():
        opened = sqlite3.connect(database)
        names = {row[0] for row in opened.execute("SELECT name FROM sqlite_master")}
        for name in names & t.metadata.tables.keys() - {"generation"}:  # a number, of no row
            rows += opened.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        opened.close()
    return rows == 0 and not (site.data / "keys").exists()


# --- the round trip -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("sqlite", "sqlite"), ("sqlite", "postgres"), ("sqlite", "postgres_s3"),
        ("postgres", "sqlite"), ("postgres", "postgres"), ("postgres_s3", "sqlite"),
    ],
)  # fmt: skip
def test_what_comes_back_is_what_was_there(
    source: str, target: str, new: Site, request: pytest.FixtureRequest
) -> None:
    site, world = request.getfixturevalue(f"{source}_copy")(True)
    if target.startswith("postgres"):
        new = replace(new, url=request.getfixturevalue("postgres_url"))
    if target.endswith("s3"):
        server = request.getfixturevalue("seaweed")
        new = replace(new, store=settings_for(request.getfixturevalue("bucket"), server.url))
    house = site.open()
    use(replace(world, house=house))
    typed = registration.Registration(
        email="new@uni.example",
        name="New",
        username="newone",
        affiliation="",
        password="a password",
    )
    registration.register(house, context(), typed)
    link = downloads.issue_link(house, context(world.cast.researcher.actor), world.ref("T3"))
    house.db.sequence_all()
    before, head = rows_of(house), audit.head(house)
    file = backup(site)
    house.db.close()
    said = json.loads(run(new, "restore", str(file), "--quiet", "--json"))
    assert (said["tree_size"], said["tree_root"]) == (head.size, head.root_hex)

    restored = new.open()
    assert rows_of(restored) == before
    assert all(before[name] for name in ("grants", "entries", "outbox", "registrants", "links"))
    check(restored)
    token = link.path.split("/")[2]
    assert downloads.redeem(restored, context(), token, serves=True).file.path == builders.WEIGHTS
    use_again(replace(world, house=restored))
    restored.db.sequence_all()
    check(restored)
    restored.db.close()


def use_again(world: World) -> None:
    """Live on: every numbered table goes on where it was, and a right that was there is there."""
    house, cast = world.house, world.cast
    ready = downloads.request_file(house, context(cast.researcher.actor), world.ref("T3"))
    with pytest.raises(Refused):
        downloads.request_file(house, context(cast.stranger.actor), world.ref("T3"))
    members.set_role(house, context(), "northfield", cast.admin.email, Role.HANDLER, remove=False)
    people.ask_reset(house, context(), cast.researcher.email)
    (grant,) = [
        g for g in grants.mine(house, context(cast.researcher.actor)) if ready.model.id in g.models
    ]
    ctx = context(cast.approver.actor)
    grants.change(house, ctx, grant.id, GrantCommand.REVOKE, EndReason.ERROR)
    with pytest.raises(Refused):
        downloads.request_file(house, context(cast.researcher.actor), world.ref("T3"))


def test_entries_that_waited_for_a_leaf_get_it_where_they_are_restored(
    postgres_copy: Callable[..., Any], new: Site
) -> None:
    site, world = postgres_copy(True)
    house = site.open()
    house.db.sequence_all()
    downloads.issue_link(house, context(world.cast.researcher.actor), world.ref("T3"))
    with house.db.reading() as read:
        waiting = len(read.connection.execute(select(t.unsequenced)).all())
    assert waiting == 1
    size = audit.head(house).size
    run(new, "restore", str(backup(site)), "--quiet")
    house.db.close()
    restored = new.open()
    assert audit.head(restored).size == size + waiting
    assert rows_of(restored)["unsequenced"] == set()
    check(restored)
    restored.db.close()


def test_nobody_is_signed_in_after_a_restore(world: World, site: Site, new: Site) -> None:
    @writes
    def sign_in() -> None:
        row = {"digest": "d", "person_id": world.cast.owner.id, "payload": "{}", "user_agent": ""}
        times = dict.fromkeys(("created_at", "seen_at", "expires_at"), context().now)
        connection.execute(t.sessions.insert().values(**row, **times))

    with world.house.db.engine.begin() as connection:
        sign_in()
    run(new, "restore", str(backup(site)), "--quiet")
    restored = new.open()
    with restored.db.reading() as read:
        assert read.connection.execute(select(t.sessions)).all() == []
    restored.db.close()


def test_what_is_uploaded_and_not_published_is_not_in_the_archive(world: World, site: Site) -> None:
    """Neither a row of it nor its bytes, verified or not."""
    owner, body = context(world.cast.owner.actor), b"a secret that nobody published"
    digest = hashlib.sha256(body).hexdigest()
    wanted = Wanted("unpublished.bin", len(body))
    upload = sending.begin(world.house, owner, world.name("T3"), wanted).upload
    part = (len(body), io.BytesIO(body))
    sending.receive(world.house, lambda: owner, upload.id, 1, part)
    sending.complete(world.house, owner, upload.id)
    assert verifying.verify_next(world.house, lambda: context(SYSTEM))
    assert digest in set(storage.unnamed(world.house))
    archive = backup(site).read_bytes()
    for word in (body, digest.encode(), upload.id.encode(), b"unpublished.bin"):
        assert word not in archive


def test_a_backup_beside_a_busy_publisher_holds_every_blob_it_names(
    world: World, site: Site, new: Site
) -> None:
    house = world.house
    ours, theirs = SERVER.Pipe(duplex=False)
    unopened = replace(world, house=cast("House", None))
    busy = SERVER.Process(target=worker.work, args=(site, unopened, "publish", 0, theirs))
    busy.start()
    try:
        files = [
            (ours.recv(), backup(site).rename(site.data.parent / f"{turn}.tar"))[1]
            for turn in range(depth(3, 30))  # it has published, and goes on while we read
        ]
        assert ours.recv()
    finally:
        busy.kill()
        busy.join()
        ours.close()
    for turn, file in enumerate(files):
        here = Site(new.data.with_name(f"new{turn}"))
        said = json.loads(run(here, "restore", str(file), "--quiet", "--json"))
        # It is a beginning of the ledger that went on meanwhile.
        assert root_at(house, said["tree_size"]) == said["tree_root"]
    assert said["tree_size"] < audit.head(house).size
    restored = here.open()
    check(restored)
    restored.db.close()


def root_at(house: House, size: int) -> str:
    """Return the root of the ledger as it was at a size."""
    with house.db.reading() as read:
        bodies = [entry.body for entry in read.audit.walk()][:size]
    return CompactRange().extend(map(leaf_hash, bodies)).root().hex()


def test_memory_stays_flat(world: World, site: Site, new: Site, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    with (folder / "large.bin").open("wb") as large:
        large.truncate(96 << 20)
    model = world.models["T3"]
    target = revisions.Target(model.namespace, model.name, model.release_name, model.tier)
    revisions.publish(world.house, context(), folder, target)
    tracemalloc.start()
    file = backup(site)
    run(new, "restore", str(file), "--quiet")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert file.stat().st_size > 96 << 20
    assert peak < 24 << 20


# --- keys, blobs and demo files -------------------------------------------------------------------


def test_an_archive_without_keys_opens_with_the_keys_it_was_made_with(
    site: Site, new: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = backup(site, "--without-blobs")
    said = run(new, "restore", str(file), expect=1)
    assert "put those of the install it was made of" in said
    run(Site(new.data.with_name("other")), "init")
    shutil.copytree(new.data.with_name("other") / "keys", new.data / "keys")
    assert "sealed with another key" in run(new, "restore", str(file), expect=3)
    shutil.rmtree(new.data / "keys")
    shutil.copytree(site.data / "keys", new.data / "keys")
    shutil.copytree(site.data / "store", new.data / "store")
    run(new, "restore", str(file))
    for key, name in (
        ("LINK_KEYS", "links"),
        ("ENTRY_KEY", "entries"),
        ("SESSION_KEY", "sessions"),
    ):
        monkeypatch.setenv(f"GATEKEEPER_SECRETS__{key}_FILE", str(site.data / "keys" / name))
    third = Site(new.data.with_name("third"))
    run(third, "restore", str(backup(site)))
    assert (third.data / "keys" / "links").read_text() == (site.data / "keys/links").read_text()


def test_keys_go_in_only_when_asked_and_the_file_is_private(site: Site) -> None:
    def names(file: Path) -> set[str]:
        with file.open("rb") as opened:
            return {member.name for member in Archive(opened).members("2-data/")}

    umask = os.umask(0)
    try:
        assert names(backup(site, "--without-blobs")) == set()
        file = backup(site)
    finally:
        os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o600
    assert names(file) == {f"2-data/keys/{name}" for name in ("links", "entries", "sessions")}
    key = (site.data / "keys/entries").read_text().strip().encode()
    assert key in file.read_bytes()
    assert key not in backup(site, "--without-blobs").read_bytes()
    assert [p.name for p in file.parent.iterdir() if "part" in p.name] == []


def test_a_key_that_lies_there_is_not_replaced_by_another(site: Site, new: Site) -> None:
    file = backup(site)
    (new.data / "keys").mkdir(parents=True)
    (new.data / "keys/links").write_text("ab" * 32)
    assert "another key" in run(new, "restore", str(file), expect=1)
    assert (new.data / "keys/links").read_text() == "ab" * 32


def test_without_its_blobs_an_archive_is_restored_only_beside_a_store_that_holds_them(
    site: Site, new: Site
) -> None:
    file = backup(site, "--with-keys", "--without-blobs")
    assert "is not in the store" in run(new, "restore", str(file), expect=3)
    assert is_nothing(new)
    shutil.rmtree(new.data / "store")
    shutil.copytree(site.data / "store", new.data / "store")
    run(new, "restore", str(file))


def test_a_demo_stays_one(site: Site, new: Site) -> None:
    (site.data / "logins.json").write_text('{"accounts": {}}')
    run(new, "restore", str(backup(site)), "--quiet")
    assert (new.data / "logins.json").read_text() == '{"accounts": {}}'


# --- what is refused ------------------------------------------------------------------------------


def test_a_restore_never_touches_what_is_there(site: Site, new: Site) -> None:
    file = backup(site)
    run(new, "restore", str(file), "--quiet")
    before = (new.data / "gatekeeper.db").read_bytes()
    assert "holds something already" in run(new, "restore", str(file), expect=1)
    assert (new.data / "gatekeeper.db").read_bytes() == before
    odd = Site(new.data.with_name("odd"))
    odd.data.mkdir()
    (odd.data / "notes.txt").write_text("mine")
    assert "notes.txt lies in it" in run(odd, "restore", str(file), expect=1)
    assert not (odd.data / "gatekeeper.db").exists()


def test_a_restore_needs_the_data_directory_alone(site: Site, new: Site) -> None:
    file = backup(site)
    new.data.mkdir()
    with (new.data / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another server runs" in run(new, "restore", str(file), expect=1)
    run(new, "restore", str(file))


def test_another_schema_is_not_taken_for_ours(site: Site, new: Site) -> None:
    file = backup(site)
    database = sqlite3.connect(site.data / "gatekeeper.db")
    database.execute("UPDATE alembic_version SET version_num = '0000'")
    database.commit()
    database.close()
    assert "gatekeeper db upgrade" in run(site, "backup", str(file) + "2", expect=1)
    new.data.mkdir()
    shutil.copy(site.data / "gatekeeper.db", new.data)
    assert "schema of another version" in run(new, "restore", str(file), expect=1)


def test_a_backup_is_whole_or_not_made(site: Site, tmp_path: Path) -> None:
    taken = backup(site)
    assert "choose another name" in run(site, "backup", str(taken), expect=1)
    assert "cannot be written" in run(site, "backup", str(tmp_path / "no" / "x"), expect=1)
    blob = max((site.data / "store/blobs").glob("*/*"), key=lambda path: path.stat().st_size)
    good = blob.read_bytes()
    blob.chmod(0o640)
    blob.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert "damaged in the store" in run(site, "backup", str(tmp_path / "a.tar"), expect=3)
    blob.unlink()
    assert "not held" in run(site, "backup", str(tmp_path / "a.tar"), expect=3)
    assert not [path for path in tmp_path.iterdir() if "a.tar" in path.name]


def test_a_disk_that_is_full_ends_a_backup_with_a_sentence(site: Site, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, hard))
    try:
        said = run(site, "backup", str(tmp_path / "a.tar"), "--quiet", expect=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be written" in said
    assert not [path for path in tmp_path.iterdir() if "a.tar" in path.name]


def test_both_say_in_json_what_they_did_and_how_far_they_are(site: Site, new: Site) -> None:
    file = site.data.parent / "told.tar"
    words = ["--data", str(site.data), "backup", str(file), "--json", "--with-keys"]
    result = CliRunner().invoke(main, words)
    made = json.loads(result.stdout)
    assert result.stderr.splitlines()[-1].startswith("saved: ")
    assert made["blob_bytes"] == int(result.stderr.split()[-4])
    restored = CliRunner().invoke(main, ["--data", str(new.data), "restore", str(file), "--json"])
    assert json.loads(restored.stdout) == made
    assert restored.stderr.splitlines()[-1].startswith("stored: ")
    assert made.keys() == {"file", *services.Head.__slots__}
