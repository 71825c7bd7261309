"""`access explain`: the verdict of the one rule, clause by clause, with the fact behind each."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from gatekeeper.cli.desk import REFUSED, Desk, Moment, as_json, command, pass_desk, show, two_parts
from gatekeeper.services import access as services


@click.group()
def access() -> None:
    """Who may fetch what, and why."""


@access.command()
@click.argument("email")
@click.argument("model", metavar="OWNER/NAME")
@click.option("--at", type=Moment(), help="Another moment (ISO 8601): moves the clock only.")
@as_json
@pass_desk
@command
def explain(desk: Desk, email: str, model: str, at: datetime | None, as_json: bool) -> None:
    """Explain whether a person may fetch a model's files; exit 1 when not."""
    name = two_parts(model, "a model")
    judged = services.explain(desk.house, desk.context(), email, *name, at=at)
    verdict = judged.verdict
    rows = [
        {
            "clause": c.requirement,
            "state": str(c.state),
            "detail": c.detail,
            "reason": str(c.reason or ""),
            "fact": c.fact or "",
        }
        for c in verdict.clauses
    ]
    if not as_json:
        answer = f"yes ({verdict.basis})" if verdict.allowed else f"no ({verdict.reason})"
        click.echo(f"{email} may fetch {model}: {answer}\n")
    show(rows, as_json=as_json)
    if not verdict.allowed:
        sys.exit(REFUSED)
