"""`token`: access tokens for scripts."""

from __future__ import annotations

import click

from gatekeeper.cli.desk import Desk, as_json, choice, command, pass_desk, show
from gatekeeper.domain.people import Scope, TokenId
from gatekeeper.services import people, tokens


@click.group()
def token() -> None:
    """Access tokens."""


@token.command()
@click.argument("email")
@click.option("--name", required=True)
@click.option("--scope", type=choice(Scope), required=True)
@click.option("--days", type=int, default=90, show_default=True)
@pass_desk
@command
def create(desk: Desk, email: str, name: str, scope: str, days: int) -> None:
    """Make a token and print it, once."""
    person = people.find(desk.house, email)
    _, text = tokens.create(desk.house, desk.context(), person.id, name, Scope(scope), days)
    click.echo(text)


@token.command("list")
@click.argument("email")
@as_json
@pass_desk
@command
def list_tokens(desk: Desk, email: str, as_json: bool) -> None:
    """List a person's tokens."""
    now = desk.context().now
    rows = [
        {
            "id": t.id,
            "name": t.name,
            "scope": str(t.scope),
            "ends_in": t.hint,
            "expires_at": t.expires_at.isoformat(timespec="seconds"),
            "live": t.is_live(now),
        }
        for t in tokens.of(desk.house, email)
    ]
    show(rows, as_json=as_json)


@token.command()
@click.argument("token_id")
@pass_desk
@command
def revoke(desk: Desk, token_id: str) -> None:
    """End a token for good."""
    tokens.revoke(desk.house, desk.context(), TokenId(token_id))
    click.echo("The token is revoked.")
