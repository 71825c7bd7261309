"""`person`: accounts from the command line."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.cli.desk import Desk, choice, command, pass_desk
from gatekeeper.domain.people import SiteRole
from gatekeeper.services import members, registration


@click.group()
def person() -> None:
    """People and their accounts."""


@person.command()
@click.argument("email")
@click.option("--username", required=True)
@click.option("--name", required=True)
@click.option("--affiliation", default="")
@click.option("--verified", is_flag=True, help="Take the address as proven.")
@click.option("--role", type=choice(SiteRole), help="A role for the whole site.")
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@pass_desk
@command
def add(
    desk: Desk,
    email: str,
    username: str,
    name: str,
    affiliation: str,
    verified: bool,
    role: SiteRole | None,
    password_file: Path | None,
) -> None:
    """Open an account; without a password file its person asks for a reset."""
    password = password_file.read_text().strip() if password_file is not None else ""
    typed = registration.Registration(email, username, name, affiliation, password)
    made = registration.create_person(
        desk.house, desk.context(), typed, verified=verified, role=SiteRole(role) if role else None
    )
    click.echo(made)


def _set_suspended(name: str, said: str, help_text: str, *, suspended: bool) -> None:
    @person.command(name, help=help_text)
    @click.argument("email")
    @click.option("--reason", required=True)
    @pass_desk
    @command
    def change(desk: Desk, email: str, reason: str) -> None:
        members.set_suspended(desk.house, desk.context(), email, reason, suspended=suspended)
        click.echo(f"{email} is {said}.")


_set_suspended(
    "suspend", "suspended", "Suspend an account: it opens nothing until it is reinstated.",
    suspended=True,
)  # fmt: skip
_set_suspended("reinstate", "reinstated", "Let a suspended account work again.", suspended=False)
