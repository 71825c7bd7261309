"""`backup` and `restore`: one file for the whole install, apart from settings and, unasked, keys.

An archive is a secret file (0600): it holds addresses, password hashes and gated weights.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import click

from gatekeeper import app
from gatekeeper.cli import progress
from gatekeeper.cli.desk import Desk, as_json, command, lock_data, pass_desk
from gatekeeper.db import migrations
from gatekeeper.db.engine import make_engine
from gatekeeper.domain.errors import Conflict, IntegrityBroken, Unavailable
from gatekeeper.services import backup as services
from gatekeeper.services import storage
from gatekeeper.services.archive import DATA, Archive
from gatekeeper.services.backup import Head
from gatekeeper.settings import SettingsError

# What a data directory has beside database and blobs, and an archive may hold.
KEYS = {"keys/links": "link_keys", "keys/entries": "entry_key", "keys/sessions": "session_key"}
DEMO = ("logins.json", "demo.json")
# What may lie in it before a restore; whether the database is empty is asked of itself.
_WELCOME = {"keys", "store", "serve.lock", *(f"gatekeeper.db{end}" for end in ("", "-wal", "-shm"))}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--with-keys", is_flag=True, help="Put the keys in as well: then it opens alone.")
@click.option("--without-blobs", is_flag=True, help="Leave the blobs to the store's own backups.")
@progress.quiet_option
@as_json
@pass_desk
@command
def backup(
    desk: Desk, file: Path, with_keys: bool, without_blobs: bool, quiet: bool, as_json: bool
) -> None:
    """Write database, blobs and, if asked, keys into one archive; beside a running server too."""
    files = {name: path.read_bytes() for name in DEMO if (path := desk.data / name).is_file()}
    if with_keys:
        files |= _keys(desk)
    total_bytes = 0 if without_blobs else storage.size_of(desk.house)
    with (
        _appearing(file) as out,
        progress.of_bytes("saved", total_bytes, quiet=quiet or not total_bytes) as move,
    ):
        head = services.backup(
            desk.house, desk.context(), out, files, move, with_blobs=not without_blobs
        )
    _tell(head, file, "written" if with_keys else "written, without the keys", as_json=as_json)


def _keys(desk: Desk) -> dict[str, bytes]:
    """Return the keys in force as files, wherever they came from."""
    keys = app.read_keys(desk.settings, desk.data)
    values = ([*keys.links], [keys.entries], [keys.sessions])
    lines = ("".join(f"{key.hex()}\n" for key in several).encode() for several in values)
    return dict(zip(KEYS, lines, strict=True))


@contextmanager
def _appearing(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Write a private file that appears under its name whole and durable, or not at all."""
    if path.exists():
        raise Conflict(f"{path} exists; choose another name")
    part = None
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".part", dir=path.parent
        )
        part = Path(name)
        with os.fdopen(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        part.rename(path)
        _sync(path.parent)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@progress.quiet_option
@as_json
@pass_desk
@command
def restore(desk: Desk, file: Path, quiet: bool, as_json: bool) -> None:
    """Make an archive true in an empty install, once it was checked to the last byte."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise click.UsageError(f"{file} is no file")
    with _alone(desk.data), file.open("rb") as source:
        archive = Archive(source)
        files = _files_in(archive)
        _check_welcome(desk.data, files)
        desk.is_demo = "logins.json" in files
        desk.overrides |= as_settings(files)
        archive.check(_entry_key(desk))
        head = services.read_head(archive)
        services.check_version(head)
        make_schema(desk)
        with progress.of_bytes("stored", archive.blob_bytes(), quiet=quiet) as move:
            services.restore(
                desk.house, desk.context(), archive, move, lambda: install(desk.data, files)
            )
    _tell(head, file, "restored", as_json=as_json)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Hold the lock of a data directory, which is made where there is none."""
    data.mkdir(parents=True, exist_ok=True, mode=0o750)
    lock = lock_data(data)
    try:
        yield
    finally:
        os.close(lock)


def _files_in(archive: Archive) -> dict[str, bytes]:
    files = archive.small(DATA)
    if not files.keys() <= {*KEYS, *DEMO}:
        raise IntegrityBroken("the archive holds files that are none of ours")
    return files


def _check_welcome(data: Path, files: Mapping[str, bytes]) -> None:
    """Raise Conflict unless there is nothing here that a restore would hide, mix or replace."""
    for path in data.iterdir():
        is_same = path.name in files and path.is_file() and path.read_bytes() == files[path.name]
        if path.name not in _WELCOME and not is_same:
            raise Conflict(f"{data} is not empty: {path.name} lies in it")
    for name in KEYS:
        path = data / name
        if name in files and path.exists() and path.read_bytes() != files[name]:
            raise Conflict(f"{path} is another key than the archive's")


def as_settings(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the archive's keys as settings, in force before they are files."""
    texts = {
        key: files[name].decode("ascii", "replace") for name, key in KEYS.items() if name in files
    }
    return {f"secrets.{key}": ",".join(text.split()) for key, text in texts.items()}


def _entry_key(desk: Desk) -> bytes:
    try:
        return app.read_keys(desk.settings, desk.data).entries
    except SettingsError as error:
        raise SettingsError(
            f"{error}. The archive has no keys in it: put those of the install it was made of into "
            f"{desk.data / 'keys'} first, not new ones"
        ) from error


def make_schema(desk: Desk) -> None:
    """Make the schema in a database without one; raises Conflict for one of another version."""
    engine = make_engine(app.database_url(desk.settings, desk.data))
    try:
        if migrations.current(engine) not in {None, migrations.head()}:
            raise Conflict(
                "the database has a schema of another version; restore into an empty one"
            )
        migrations.upgrade(engine)
    finally:
        engine.dispose()


def install(data: Path, files: Mapping[str, bytes]) -> None:
    """Put an archive's keys and demo files in place, durably."""
    for name, content in files.items():
        path = data / name
        path.parent.mkdir(exist_ok=True, mode=0o700)
        if not path.exists():  # the same, of a restore that was ended early
            with _appearing(path, 0o400 if name in KEYS else 0o600) as out:
                out.write(content)


def _tell(head: Head, file: Path, verb: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"file": str(file), **asdict(head)}, indent=2))
        return
    click.echo(f"{file}: {verb}; as of {head.made_at}, {head.blobs} blobs, {head.blob_bytes} bytes")
    click.echo(f"{head.tree_size} entries, root {head.tree_root}")
