"""`mail`: what was given up, and having it tried again."""

from __future__ import annotations

import click

from gatekeeper.cli.desk import Desk, as_json, command, pass_desk, show
from gatekeeper.services import outbox


@click.group()
def mail() -> None:
    """The mail this site owes."""


@mail.command("list")
@click.option("--before", type=click.IntRange(1, 2**63 - 1), help="Go on below this mail.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@as_json
@pass_desk
@command
def list_dead(desk: Desk, before: int | None, limit: int, as_json: bool) -> None:
    """List mail that will not be tried again, newest first."""
    found = outbox.dead(desk.house, desk.context(), before=before, limit=limit)
    rows = [
        {
            "id": letter.id,
            "kind": str(letter.kind),
            "person": letter.person_id,
            "owed_at": letter.owed_at.isoformat(timespec="seconds"),
            "tries": letter.tries,
            "error": letter.error,
        }
        for letter in found.letters
    ]
    show(rows, as_json=as_json)


@mail.command()
@click.argument("ids", metavar="[ID]...", nargs=-1, type=click.IntRange(1, 2**63 - 1))
@click.option("--all", "everything", is_flag=True, help="All that was given up.")
@pass_desk
@command
def retry(desk: Desk, ids: tuple[int, ...], everything: bool) -> None:
    """Have mail tried again from the start, by its number; a server or worker sends it."""
    if everything == bool(ids):
        raise click.UsageError("name mails by their number, or say --all")
    number = outbox.retry(desk.house, desk.context(), None if everything else ids)
    click.echo(f"{number} tried again")
