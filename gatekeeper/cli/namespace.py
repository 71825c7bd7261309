"""`namespace`: organisations and who does what in them."""

from __future__ import annotations

import click

from gatekeeper.cli.desk import Desk, choice, command, pass_desk
from gatekeeper.domain.people import Role
from gatekeeper.services import members
from gatekeeper.services.publishing import releases, repositories


@click.group()
def namespace() -> None:
    """Namespaces and their members."""


@namespace.command()
@click.argument("name")
@click.option("--title", required=True)
@pass_desk
@command
def add(desk: Desk, name: str, title: str) -> None:
    """Add a namespace."""
    releases.add_namespace(desk.house, desk.context(), name, title)
    click.echo(f"{name} is added.")


@namespace.command()
@click.argument("name")
@click.argument("email")
@click.option("--role", type=choice(Role), required=True)
@click.option("--remove", is_flag=True)
@pass_desk
@command
def member(desk: Desk, name: str, email: str, role: str, remove: bool) -> None:
    """Give a person a role, or take it away."""
    members.set_role(desk.house, desk.context(), name, email, Role(role), remove=remove)
    click.echo(f"{email}: {role} in {name} {'removed' if remove else 'given'}.")


@namespace.command("new-models")
@click.argument("name")
@click.option("--tier", help="The tier of models that clients make here; none: decide about each.")
@pass_desk
@command
def new_models(desk: Desk, name: str, tier: str | None) -> None:
    """Say which tier models have that clients make in a namespace."""
    chosen = desk.house.tiers[tier] if tier is not None else None
    repositories.choose_new_model_tier(desk.house, desk.context(), name, chosen)
    click.echo(f"{name}: new models are {tier}." if tier else f"{name}: new models are withheld.")
