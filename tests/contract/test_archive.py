"""The reader of an archive: damage, cuts and foreign files are refused before anything is believed.

Bytes of blobs are believed when they are stored, so a flipped bit there is tried on `restore`.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gatekeeper.app import read_keys
from gatekeeper.db import dump, migrations
from gatekeeper.domain.errors import IntegrityBroken
from gatekeeper.services import audit
from gatekeeper.services import backup as services
from gatekeeper.services.archive import BLOBS, END, HEAD, MANIFEST, SEAL, TABLES, Archive, writing
from tests.cast import context
from tests.conftest import Site
from tests.contract.test_backup import backup, is_nothing, new, run
from tests.rooms import depth

__all__ = ["new"]

KEY = b"k" * 32
CHANCE = random.Random(22)


def archive_of(members: Mapping[str, bytes], key: bytes = KEY) -> bytes:
    """Write an archive of any members, as who has the key could."""
    out = io.BytesIO()
    with writing(out, key) as writer:
        for name, content in members.items():
            writer.add(name, content)
    return out.getvalue()


SMALL = {
    HEAD: b"{}",
    "2-data/keys/entries": b"ab\n",
    TABLES + "00-agreements/00000000": b"x" * 1200,
    BLOBS + hashlib.sha256(b"blob").hexdigest(): b"blob",
}
GOOD = archive_of(SMALL)


def checked(content: bytes, key: bytes = KEY) -> Archive:
    """Open and check an archive, its blobs as `restore` does."""
    archive = Archive(io.BytesIO(content))
    archive.check(key)
    for member in archive.members(BLOBS):
        with archive.open(member) as blob:
            if BLOBS + hashlib.sha256(blob.read()).hexdigest() != member.name:
                raise IntegrityBroken("a blob")
    return archive


def test_what_was_written_is_read_and_any_tar_lists_it() -> None:
    archive = checked(GOOD)
    assert {m.name: archive.read(m) for m in archive.members()}.items() >= SMALL.items()
    with tarfile.open(fileobj=io.BytesIO(GOOD)) as tar:
        names = tar.getnames()
    assert names == [*SMALL, MANIFEST, SEAL]


def test_every_cut_is_found() -> None:
    for size in {*range(0, len(GOOD), 97), *range(0, len(GOOD), 512), len(GOOD) - 1}:
        with pytest.raises(IntegrityBroken):
            checked(GOOD[:size])


def test_every_flipped_bit_is_found() -> None:
    for place in range(0, len(GOOD), depth(7, 1)):
        flipped = bytearray(GOOD)
        flipped[place] ^= 1 << CHANCE.randrange(8)
        with pytest.raises(IntegrityBroken):
            checked(bytes(flipped))


def test_what_comes_after_the_end_is_found() -> None:
    for more in (b"\0", END, b"x", GOOD):
        with pytest.raises(IntegrityBroken):
            checked(GOOD + more)


def test_another_key_is_no_key() -> None:
    with pytest.raises(IntegrityBroken, match="another key"):
        checked(GOOD, b"K" * 32)


def cut(content: bytes, name: str) -> tuple[int, int]:
    """Return where a member begins, its header included, and where it ends."""
    member = next(m for m in Archive(io.BytesIO(content)).members() if m.name == name)
    return member.start - 512, member.start + member.size_bytes + -member.size_bytes % 512


def test_members_that_were_taken_out_moved_or_doubled_are_found() -> None:
    spans = [cut(GOOD, name) for name in (*SMALL, MANIFEST, SEAL)]
    for start, end in spans:
        for tampered in (GOOD[:start] + GOOD[end:], GOOD[:end] + GOOD[start:]):
            with pytest.raises(IntegrityBroken):
                checked(tampered)
    (a, b), (_, c) = spans[1:3]
    with pytest.raises(IntegrityBroken, match="out of its order"):
        checked(GOOD[:a] + GOOD[b:c] + GOOD[a:b] + GOOD[c:])


def tar_with(change: Callable[[tarfile.TarInfo], None], form: int = tarfile.GNU_FORMAT) -> bytes:
    """Make a tar as another tool does, with one changed member."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        info = tarfile.TarInfo(HEAD)
        info.size = 2
        info.mode = 0o600
        change(info)
        tar.addfile(info, io.BytesIO(b"{}"))
    return out.getvalue()


def with_name(name: str) -> bytes:
    return tar_with(lambda info: setattr(info, "name", name))


def of_type(kind: bytes, target: str = "") -> bytes:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, target, 0

    return tar_with(change)


FOREIGN = {
    "a parent": with_name("../../evil"),
    "a parent inside": with_name("2-data/keys/../../evil"),
    "an absolute path": with_name("/etc/cron.d/evil"),
    "a path with a NUL": with_name("1-head.json\0/../evil"),
    "another blob name": with_name("4-blobs/../../../evil"),
    "a long name": with_name("4-blobs/" + "a" * 300),
    "a symbolic link": of_type(tarfile.SYMTYPE, "/etc/passwd"),
    "a hard link": of_type(tarfile.LNKTYPE, "/etc/passwd"),
    "a device": of_type(tarfile.CHRTYPE),
    "a block device": of_type(tarfile.BLKTYPE),
    "a pipe": of_type(tarfile.FIFOTYPE),
    "a directory": of_type(tarfile.DIRTYPE),
    "a contiguous file": of_type(tarfile.CONTTYPE),
    "setuid": tar_with(lambda info: setattr(info, "mode", 0o4755)),
    "an owner": tar_with(lambda info: setattr(info, "uid", 7)),
    "a pax header": tar_with(
        lambda info: setattr(info, "pax_headers", {"path": "../evil"}), tarfile.PAX_FORMAT
    ),
    "a pax size": tar_with(
        lambda info: setattr(info, "pax_headers", {"size": "9" * 30}), tarfile.PAX_FORMAT
    ),
    "a huge pax header": tarfile.TarInfo.create_pax_global_header({"comment": "x" * 10_000}),
    "nothing": b"",
    "zeros": bytes(10_240),
    "noise": CHANCE.randbytes(10_240),
    "a zip": b"PK\x03\x04" + bytes(5_000),
    "a gzip": b"\x1f\x8b" + bytes(5_000),
    "words": b"{}\n" * 1000,
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_file_of_somebody_else_is_refused(what: str) -> None:
    with pytest.raises(IntegrityBroken):
        checked(FOREIGN[what])


def test_sizes_that_no_file_has_are_refused_without_reading_them() -> None:
    for size in (1 << 40, 1 << 62, -1, 8 << 30):
        info = tarfile.TarInfo(HEAD)
        info.size, info.mode = size, 0o600
        block = info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")
        with pytest.raises(IntegrityBroken):
            Archive(io.BytesIO(block + bytes(2048))).small(HEAD)


def test_a_blob_above_eight_gibibytes_is_a_blob(tmp_path: Path) -> None:
    size, sha256 = (8 << 30) + 3, "ab" * 32
    info = tarfile.TarInfo(BLOBS + sha256)
    info.size, info.mode = size, 0o600
    file = tmp_path / "sparse"
    with file.open("wb+") as out:
        out.write(info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict"))
        out.truncate(512 + size + -size % 512)
        member = next(Archive(out).members())
        assert (member.name, member.size_bytes) == (BLOBS + sha256, size)


# --- what who has the key could write -------------------------------------------------------------


def resealed(content: bytes, key: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """Return an archive in which somebody with its key changed members."""
    archive = Archive(io.BytesIO(content))
    members = {m.name: archive.open(m).read() for m in archive.members()}
    del members[MANIFEST], members[SEAL]
    change(members)
    return archive_of(dict(sorted(members.items())), key)


def table(members: Mapping[str, bytes], name: str) -> str:
    """Return the name of the first part of a table."""
    return next(member for member in members if member.endswith(f"-{name}/00000000"))


def rewritten(name: str, **values: object) -> Callable[[dict[str, bytes]], None]:
    """Change the first row of a table; a value of None for a column that is none takes it out."""

    def change(members: dict[str, bytes]) -> None:
        part = table(members, name)
        first, _, rest = members[part].partition(b"\n")
        row = json.loads(first)
        row |= {k: v for k, v in values.items() if v != "gone"}
        row = {k: v for k, v in row.items() if values.get(k) != "gone"}
        members[part] = json.dumps(row).encode() + b"\n" + rest

    return change


def with_member(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda members: members.update({name: content})


TAMPERED = {
    "an unknown column": rewritten("grants", superuser=True),
    "a lost column": rewritten("grants", mac="gone"),
    "a word for a number": rewritten("outbox", tries="many"),
    "a truth for a number": rewritten("outbox", tries=True),
    "a number for a word": rewritten("grants", state=7),
    "a number no database holds": rewritten("outbox", tries=1 << 70),
    "no base64": rewritten("grants", mac="!!!"),
    "no moment": rewritten("grants", ends_at="tomorrow"),
    "nothing where something must be": rewritten("grants", state=None),
    "a grant of nobody": rewritten("grants", person_id="nobody"),
    "an edited entry": rewritten("entries", kind="GrantCreated"),
    "another head of the ledger": rewritten("tree", size=3),
    "no row": with_member(TABLES + "99-grants/00000000", b"{}\n"),
    "another table": with_member(TABLES + "07-alembic_version/00000000", b'{"version_num":"x"}\n'),
    "a row twice": lambda m: m.update({table(m, "grants"): m[table(m, "grants")] * 2}),
    "nesting": lambda m: m.update({table(m, "grants"): b"[" * 200_000 + b"\n"}),
    "no JSON": lambda m: m.update({table(m, "grants"): b"\xff\n"}),
    "a head of nonsense": with_member(HEAD, b"[]"),
    "a head with more": with_member(HEAD, b'{"format":1}'),
}


def test_rows_that_no_backup_wrote_are_refused_and_leave_nothing(site: Site, new: Site) -> None:
    content, key = backup(site).read_bytes(), read_keys(site.settings, site.data).entries
    shutil.copytree(site.data / "keys", new.data / "keys")
    house = new.open()
    migrations.upgrade(house.db.engine)

    def restore(content: bytes) -> None:
        archive = Archive(io.BytesIO(content))
        archive.check(key)
        services.check_version(services.read_head(archive))
        services.restore(house, context(), archive, lambda _: None, lambda: None)

    for what, change in TAMPERED.items():
        with pytest.raises(IntegrityBroken):
            restore(resealed(content, key, change))
        with house.db.reading() as read:
            assert dump.is_empty(read.connection), what
    restore(resealed(content, key, lambda _: None))
    assert list(audit.verify(house)) == []
    house.db.close()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("2-data/ssh/authorized", b"ssh-rsa", 3),
        ("2-data/keys/links", b"\xff\xfe", 1),
        ("2-data/keys/entries", b"", 1),
        ("2-data/demo.json", bytes(2 << 20), 3),
    ],
)
def test_files_that_are_no_keys_of_ours_are_not_installed(
    site: Site, new: Site, name: str, content: bytes, code: int
) -> None:
    file = backup(site)
    key = read_keys(site.settings, site.data).entries
    file.write_bytes(resealed(file.read_bytes(), key, with_member(name, content)))
    said = run(new, "restore", str(file), "--quiet", expect=code)
    assert said.startswith("Error: ")
    assert is_nothing(new)
    assert {path.name for path in new.data.parent.iterdir()} <= {"data", "new", "house.tar"}


def test_a_flipped_bit_in_a_blob_leaves_nothing_and_the_whole_archive_may_follow(
    site: Site, new: Site
) -> None:
    file = backup(site)
    good = file.read_bytes()
    with file.open("rb") as opened:
        last = [m for m in Archive(opened).members(BLOBS) if m.size_bytes][-1]
    flipped = bytearray(good)
    flipped[last.start] ^= 1
    file.write_bytes(flipped)
    assert "is damaged" in run(new, "restore", str(file), "--quiet", expect=3)
    assert is_nothing(new)
    file.write_bytes(good)
    run(new, "restore", str(file), "--quiet")
