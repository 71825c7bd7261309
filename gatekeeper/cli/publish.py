"""`publish`: a folder becomes one revision of a model, or nothing."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.cli import progress
from gatekeeper.cli.desk import Desk, choice, command, pass_desk, two_parts
from gatekeeper.domain.catalogue import AgreementId, Visibility
from gatekeeper.services.publishing import folder, revisions
from gatekeeper.services.publishing.revisions import Target


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("full_name", metavar="NS/NAME")
@click.option("--release", required=True, metavar="NS/RELEASE")
@click.option("--tier", required=True, help="T0 Open ... T5 Withheld.")
@click.option("--title", default="", help="The model's title; its name when not given.")
@click.option("--agreement", "agreements", multiple=True, metavar="ID")
@click.option("--form", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--open-file", "open_files", multiple=True, help="A file open to everybody.")
@click.option("--visibility", type=choice(Visibility), help="A new model is public.")
@click.option("--branch", default="main", show_default=True)
@click.option("--tag", default="", help="A name for this revision; a tag never moves.")
@click.option("-m", "--message", default="")
@progress.quiet_option
@pass_desk
@command
def publish(
    desk: Desk,
    directory: Path,
    full_name: str,
    release: str,
    tier: str,
    title: str,
    agreements: tuple[str, ...],
    form: Path | None,
    open_files: tuple[str, ...],
    visibility: str | None,
    branch: str,
    tag: str,
    message: str,
    quiet: bool,
) -> None:
    """Hash and store the files of DIRECTORY and record one new revision.

    Files that are stored already are skipped, so a publish that was stopped goes on where it was.
    Options that are left out stay as they are for a model that exists.
    """
    owner, name = two_parts(full_name, "a model")
    release_owner, release_name = two_parts(release, "a release")
    if owner != release_owner:
        raise click.UsageError("a model belongs to a release of its own namespace")
    target = Target(
        namespace=owner,
        name=name,
        release=release_name,
        tier=desk.house.tiers[tier],
        title=title,
        agreements=tuple(AgreementId(a) for a in agreements) or None,
        form=folder.read_form_file(form) if form is not None else None,
        visibility=Visibility(visibility) if visibility is not None else None,
        open_files=open_files or None,
        branch=branch,
        tag=tag,
        message=message,
    )
    with progress.of_files(quiet=quiet) as on_progress:
        done = revisions.publish(desk.house, desk.context(), directory, target, on_progress)
    what = "published" if done.is_new else "unchanged"
    click.echo(f"{full_name} {done.revision_id} {what}, {len(done.files)} files")
