"""Backup and restore: one snapshot of the tables, then every blob it names, into one archive.

A blob is stored before a row names it and never changes, so those read after the snapshot are all
there. Restoring goes the other way round: blobs first, each hashed as it is stored, then every row
in one transaction, which ends only after ledger and blobs were checked in it. Killed anywhere, both
may be run again.
Not here: the file's form (services/archive), rows as text (db/dump), keys and folders (cli/backup).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from gatekeeper import __version__
from gatekeeper.db import dump, migrations
from gatekeeper.db.readers import Readers
from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.errors import Conflict, IntegrityBroken
from gatekeeper.domain.facts import codec
from gatekeeper.domain.people import Context
from gatekeeper.services import storage
from gatekeeper.services.archive import BLOBS, DATA, HEAD, TABLES, Archive, Member, Writer, writing
from gatekeeper.services.ports import House

FORMAT = 1
_KINDS = {"format": int, "version": str, "made_at": str, "tree_size": int, "tree_root": str,
          "blobs": int, "blob_bytes": int, "schema": str}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """What an archive says of itself: when, by which version, and how long the ledger was.

    `blobs` and `blob_bytes` are what revisions name, also where the archive leaves them out.
    """

    format: int
    version: str
    schema: str
    made_at: str
    tree_size: int
    tree_root: str
    blobs: int
    blob_bytes: int


def backup(
    house: House,
    ctx: Context,
    out: BinaryIO,
    files: Mapping[str, bytes],
    progress: Callable[[int], None],
    *,
    with_blobs: bool = True,
) -> Head:
    """Write an archive; `files` go in as they are, by name. Nothing is recorded.

    Raises IntegrityBroken for a blob that is missing or damaged: an archive is whole or not made.
    """
    with tempfile.TemporaryFile() as named, writing(out, house.db.entry_key) as writer:
        with house.db.reading() as read:
            head = _head(house, ctx, read, named)
            writer.add(HEAD, json.dumps(asdict(head), indent=2).encode() + b"\n")
            for name in sorted(files):
                writer.add(DATA + name, files[name])
            for name, part in dump.parts(read.connection):
                writer.add(TABLES + name, part)
        if with_blobs:
            _add_blobs(house, writer, named, progress)
    return head


def _head(house: House, ctx: Context, read: Readers, named: BinaryIO) -> Head:
    """Describe the snapshot, and write down which blobs it names."""
    tree, blobs, blob_bytes = read.audit.head(), 0, 0
    for sha256, size_bytes in storage.named_in(read):
        named.write(f"{sha256} {size_bytes}\n".encode())
        blobs, blob_bytes = blobs + 1, blob_bytes + size_bytes
    return Head(
        format=FORMAT,
        version=__version__,
        schema=migrations.current(house.db.engine) or "",
        made_at=codec.moment(ctx.now),
        tree_size=tree.size,
        tree_root=tree.root_hex,
        blobs=blobs,
        blob_bytes=blob_bytes,
    )


def _add_blobs(
    house: House, writer: Writer, named: BinaryIO, progress: Callable[[int], None]
) -> None:
    named.seek(0)
    for line in named:
        sha256, size = line.decode().split()
        source = house.objects.open(sha256)
        try:
            writer.add_blob(sha256, int(size), source, progress)
        finally:
            source.close()


def read_head(archive: Archive) -> Head:
    """Read what a checked archive says of itself; raises IntegrityBroken where that is nonsense."""
    try:
        told: dict[str, Any] = json.loads(archive.small(HEAD)[""])
        wrong = [name for name, kind in _KINDS.items() if type(told[name]) is not kind]
        if wrong or told.keys() != _KINDS.keys():
            raise KeyError(*wrong)
        return Head(**told)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise IntegrityBroken("the archive does not say what it is") from error


def check_version(head: Head) -> None:
    """Raise Conflict for an archive of another format or schema, naming who can restore it."""
    if head.format != FORMAT or head.schema != migrations.head():
        raise Conflict(
            f"the archive was made by version {head.version} (schema {head.schema}, format "
            f"{head.format}): restore it with that version, then run `gatekeeper db upgrade`"
        )


def restore(
    house: House,
    ctx: Context,
    archive: Archive,
    progress: Callable[[int], None],
    before_commit: Callable[[], None],
) -> None:
    """Make a checked archive true in a database without a row; all of it or nothing.

    `before_commit` runs once everything was found good. Raises: Conflict for a database that holds
    something; IntegrityBroken for a blob or a ledger that is not whole: no row stays then, and what
    was stored no revision names.
    """
    with house.db.reading() as read:
        _check_empty(read)
    for member in archive.members(BLOBS):
        _put_blob(house, archive, member, progress)
    with house.db.acting(ctx) as act:
        _check_empty(act)
        for member in archive.members(TABLES):
            with archive.open(member) as lines:
                dump.fill(act.connection, member.name.removeprefix(TABLES), lines)
        dump.finish(act.connection, house.db.entry_key)
        _check(house, act)
        before_commit()


def _check_empty(read: Readers) -> None:
    if not dump.is_empty(read.connection):
        raise Conflict("the database holds something already; restore into an empty one")


def _put_blob(
    house: House, archive: Archive, member: Member, progress: Callable[[int], None]
) -> None:
    sha256 = member.name.removeprefix(BLOBS)
    if house.objects.size(sha256) == member.size_bytes:
        is_whole = house.objects.verify(sha256, progress)  # of a restore that was ended early
    else:
        is_whole = _store(house, archive, member, progress) == sha256
    if not is_whole:
        raise IntegrityBroken(f"blob {sha256} is damaged; nothing was restored")


def _store(house: House, archive: Archive, member: Member, progress: Callable[[int], None]) -> str:
    done_bytes = 0

    def move(now_bytes: int) -> None:
        nonlocal done_bytes
        progress(now_bytes - done_bytes)
        done_bytes = now_bytes

    with archive.open(member) as source:
        return house.objects.put(source, member.size_bytes, move).sha256


def _check(house: House, act: Act) -> None:
    """Raise IntegrityBroken unless the ledger is clean and the store holds every named blob."""
    for finding in act.audit.verify():
        raise IntegrityBroken(f"the ledger is broken at {finding.where}: {finding.detail}")
    for sha256, size_bytes in storage.named_in(act):
        fault = storage.fault_of(house, sha256, size_bytes)
        if fault is not None:
            raise IntegrityBroken(f"blob {sha256} is not in the store: {fault.detail}")
