"""`audit`: verify, list, export and rebuild the ledger."""

from __future__ import annotations

import json
import sys
from datetime import datetime

import click

from gatekeeper.cli.desk import BROKEN, Desk, Moment, as_json, command, pass_desk, show
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.services import audit as services


@click.group()
def audit() -> None:
    """The audit ledger."""


@audit.command()
@as_json
@pass_desk
@command
def verify(desk: Desk, as_json: bool) -> None:
    """Check every entry's form, HMAC, index and hash, and the tree; exit 3 when one is wrong."""
    findings = [{"where": f.where, "detail": f.detail} for f in services.verify(desk.house)]
    head = services.head(desk.house)
    if as_json:
        answer = {"size": head.size, "root": head.root_hex, "findings": findings}
        click.echo(json.dumps(answer, indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding['where']}: {finding['detail']}")
        state = "broken" if findings else "clean"
        click.echo(f"{head.size} entries, root {head.root_hex}: {state}")
    if findings:
        sys.exit(BROKEN)


@audit.command("list")
@click.option(
    "--about",
    multiple=True,
    help="A person's address or owner/name, or the id of a person, model, release, "
    "application, grant or token.",
)
@click.option("--kind", "kinds", multiple=True)
@click.option("--since", type=Moment())
@click.option("--until", type=Moment())
@click.option("--before", type=click.IntRange(0, 2**63 - 1), help="Go on below this row.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@as_json
@pass_desk
@command
def list_entries(
    desk: Desk,
    about: tuple[str, ...],
    kinds: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    before: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """List entries, newest first."""
    subjects = [services.find_subjects(desk.house, words)[0] for words in about]
    want = EntryFilter(
        subjects=subjects,
        kinds=kinds,
        since=since,
        until=until,
        before=before,
        limit=limit,
    )
    rows = [
        {
            "index": e.index if e.index is not None else "-",
            "at": e.at.isoformat(timespec="seconds"),
            "kind": e.kind,
            "actor": e.actor_id or e.actor_kind,
            "data": e.data if as_json else json.dumps(e.data, ensure_ascii=False)[:120],
        }
        for e in services.search(desk.house, desk.context(), want).entries
    ]
    show(rows, as_json=as_json)


@audit.command()
@click.option(
    "--from", "first", type=click.IntRange(0, 2**53 - 1), default=0, help="First leaf index."
)
@pass_desk
@command
def export(desk: Desk, first: int) -> None:
    """Print every entry as a line of JSON; exporting is itself recorded."""
    for line in services.export(desk.house, desk.context(), first):
        click.echo(line)


@audit.command()
@click.option("--compare", is_flag=True, required=True, help="Compare and change nothing.")
@as_json
@pass_desk
@command
def rebuild(desk: Desk, compare: bool, as_json: bool) -> None:  # noqa: ARG001  the only mode
    """Replay the ledger into an empty database and name every row that differs; exit 3 if any."""
    found = services.compare(desk.house)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for line in found:
            click.echo(line)
        click.echo(f"{len(found)} differences")
    if found:
        sys.exit(BROKEN)
