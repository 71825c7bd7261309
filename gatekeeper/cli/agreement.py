"""`agreement publish`: a version of usage terms, immutable from then on."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.cli.desk import Desk, choice, command, pass_desk
from gatekeeper.domain.agreements import Change
from gatekeeper.domain.catalogue import AgreementId, check_repo_name
from gatekeeper.services import agreements
from gatekeeper.services.publishing import folder


@click.group()
def agreement() -> None:
    """Agreements."""


@agreement.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--id", "agreement_id", required=True)
@click.option("--change", type=choice(Change), required=True)
@pass_desk
@command
def publish(desk: Desk, file: Path, agreement_id: str, change: str) -> None:
    """Publish the next version from a TOML file; material and urgent ones must be accepted anew."""
    title, intro, clauses = folder.read_agreement(file)
    made = agreements.publish(
        desk.house,
        desk.context(),
        AgreementId(check_repo_name(agreement_id, "id")),
        title,
        intro,
        clauses,
        Change(change),
    )
    click.echo(f"{made.id} version {made.version} sha256 {made.sha256}")
