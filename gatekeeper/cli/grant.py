"""`grant`: list, suspend, reinstate and revoke, as the operator."""

from __future__ import annotations

import click

from gatekeeper.cli.desk import Desk, as_json, choice, command, pass_desk, show, two_parts
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.links import GrantId
from gatekeeper.services import grants


@click.group()
def grant() -> None:
    """Grants."""


@grant.command("list")
@click.option("--person", "email", help="A person's address.")
@click.option("--model", metavar="OWNER/NAME")
@as_json
@pass_desk
@command
def list_grants(desk: Desk, email: str | None, model: str | None, as_json: bool) -> None:
    """List grants, newest first."""
    now = desk.context().now
    name = two_parts(model, "a model") if model else None
    rows = [
        {
            "id": row.grant.id,
            "person": row.person.email if row.person is not None else row.grant.person_id,
            "models": ", ".join(row.models),
            "state": str(row.grant.state(now)),
            "ends_at": row.grant.ends_at.isoformat(timespec="seconds"),
        }
        for row in grants.listed(desk.house, email=email, model=name)
    ]
    show(rows, as_json=as_json)


def _change(desk: Desk, grant_id: str, what: GrantCommand, reason: str | None, note: str) -> None:
    why = EndReason(reason) if reason else None
    changed = grants.change(desk.house, desk.context(), GrantId(grant_id), what, why, note)
    click.echo(f"{grant_id} is {changed.stored_state}.")


note_option = click.option("--note", default="", help="What the holder reads.")


def _stop(what: GrantCommand, help_text: str) -> None:
    @grant.command(str(what), help=help_text)
    @click.argument("grant_id")
    @click.option("--reason", type=choice(EndReason), required=True)
    @note_option
    @pass_desk
    @command
    def stop(desk: Desk, grant_id: str, reason: str, note: str) -> None:
        _change(desk, grant_id, what, reason, note)


_stop(GrantCommand.REVOKE, "End a grant for good; every link made from it is dead.")
_stop(GrantCommand.SUSPEND, "Stop a grant until it is reinstated.")


@grant.command()
@click.argument("grant_id")
@note_option
@pass_desk
@command
def reinstate(desk: Desk, grant_id: str, note: str) -> None:
    """Let a suspended grant open its models again."""
    _change(desk, grant_id, GrantCommand.REINSTATE, None, note)
