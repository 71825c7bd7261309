"""`release create`: a release's page from a folder of Markdown and TOML."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.cli.desk import Desk, command, pass_desk, two_parts
from gatekeeper.services.publishing import folder, releases


@click.group()
def release() -> None:
    """Releases."""


@release.command()
@click.argument("full_name", metavar="OWNER/RELEASE")
@click.option("--title", required=True)
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with release.toml, summary.md, risks.toml, detection.toml, stages.toml. Without "
    "it a new release has a page to be written, and another keeps its own.",
)
@pass_desk
@command
def create(desk: Desk, full_name: str, title: str, source: Path | None) -> None:
    """Create a release, or give its page new content."""
    owner, name = two_parts(full_name, "a release")
    page = folder.read_release(source) if source is not None else None
    made = releases.create_or_change(desk.house, desk.context(), owner, name, title, page)
    click.echo(f"{desk.settings.site.public_url.rstrip('/')}/releases/{made.full_name}")
