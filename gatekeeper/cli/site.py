"""`init`, `db upgrade`, `config show`, `fsck`: the install itself."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click

from gatekeeper import app
from gatekeeper.cli import progress
from gatekeeper.cli.desk import BROKEN, Desk, as_json, command, lock_data, pass_desk
from gatekeeper.db import migrations, roles
from gatekeeper.db.engine import make_engine, storage_faults
from gatekeeper.services import registration, storage
from gatekeeper.settings import SettingsError, load, masked

data_option = click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="Data directory."
)


@click.command()
@data_option
@pass_desk
@command
def init(desk: Desk, data: Path | None) -> None:
    """Make keys, database and schema; print the one-time address of the first administrator."""
    desk.data = data or desk.data
    if app.has_keys(desk.data):
        raise SettingsError(f"{desk.data} is set up already")
    settings = desk.settings
    desk.data.mkdir(parents=True, exist_ok=True, mode=0o750)
    app.make_keys(desk.data)
    _upgrade(desk)
    token = registration.first_admin_token(desk.house, desk.context())
    address = f"{settings.site.public_url.rstrip('/')}/register/{token}"
    click.echo(f"{desk.data} is set up. Start the server: gatekeeper --data {desk.data} serve")
    click.echo("Then open this address once, within a day, to make the first administrator:")
    click.echo(address)


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@pass_desk
@command
def upgrade(desk: Desk) -> None:
    """Bring the schema to this version; raises when a server runs on the same SQLite file."""
    if not desk.settings.database.url.get_secret_value():
        desk.data.mkdir(parents=True, exist_ok=True, mode=0o750)
        lock_data(desk.data)  # until this process ends
    _upgrade(desk)
    click.echo("The schema is current.")


def _upgrade(desk: Desk) -> None:
    owner_url = desk.settings.database.owner_url.get_secret_value()
    url = app.database_url(desk.settings, desk.data)
    role = roles.role_of(url)
    if owner_url and not role:
        raise SettingsError("database.url must name its role, beside database.owner_url")
    engine = make_engine(owner_url or url)
    try:
        with storage_faults():
            migrations.upgrade(engine)
            if role and owner_url and role != roles.role_of(owner_url):
                roles.entitle(engine, role)
    finally:
        engine.dispose()


@click.group()
def config() -> None:
    """The effective settings."""


@config.command("show")
@click.option("--origin", is_flag=True, help="Say where each value came from.")
@as_json
@pass_desk
@command
def show_config(desk: Desk, origin: bool, as_json: bool) -> None:
    """Print every setting, secrets masked."""
    settings, origins = load(overrides=desk.overrides)
    values = masked(settings)
    if as_json and origin:
        values = {
            section: {
                key: {"value": value, "origin": origins[f"{section}.{key}"]}
                for key, value in keys.items()
            }
            for section, keys in values.items()
        }
    if as_json:
        click.echo(json.dumps(values, indent=2, default=str))
        return
    for section, keys in values.items():
        click.echo(f"[{section}]")
        for key, value in keys.items():
            whence = f"  # {origins[f'{section}.{key}']}" if origin else ""
            click.echo(f"{key} = {json.dumps(value, default=str)}{whence}")


def _subset(_ctx: click.Context, _param: click.Parameter, value: str | None) -> storage.Subset:
    parts = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", value or "1/1")
    if parts is None or not 1 <= int(parts[1]) <= int(parts[2]):
        raise click.BadParameter("write n/t, the n-th of t parts, as 3/10")
    return storage.Subset(int(parts[1]), int(parts[2]))


@click.command()
@click.option("--read-data", is_flag=True, help="Hash every byte, not only look at sizes.")
@click.option("--subset", callback=_subset, help="Check the n-th of t parts, as 3/10.")
@progress.quiet_option
@as_json
@pass_desk
@command
def fsck(desk: Desk, read_data: bool, subset: storage.Subset, quiet: bool, as_json: bool) -> None:
    """Check that every blob a revision names is held, whole and unaltered."""
    total_bytes = storage.size_of(desk.house, subset) if read_data else 0
    with progress.of_bytes("read", total_bytes, quiet=quiet or not read_data) as move:
        faults = list(storage.fsck(desk.house, read_data=read_data, subset=subset, progress=move))
    unnamed = sum(1 for _ in storage.unnamed(desk.house))
    if as_json:
        rows = [{"sha256": f.sha256, "detail": f.detail} for f in faults]
        click.echo(json.dumps({"faults": rows, "unnamed_blobs": unnamed}, indent=2))
    else:
        for fault in faults:
            click.echo(f"{fault.sha256}: {fault.detail}")
        click.echo(f"{len(faults)} faults; {unnamed} blobs no revision names (kept)")
    if faults:
        sys.exit(BROKEN)
