"""`import-card`: a model takes over the gate that its card describes in the Hub's keys."""

from __future__ import annotations

import json

import click

from gatekeeper.cli.desk import Desk, as_json, command, pass_desk, two_parts
from gatekeeper.services.publishing import cards
from gatekeeper.services.publishing.cards import Import


@click.command("import-card")
@click.argument("full_name", metavar="OWNER/NAME")
@click.option("--revision", default="main", show_default=True, help="Whose card is read.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@as_json
@pass_desk
@command
def import_card(desk: Desk, full_name: str, revision: str, dry_run: bool, as_json: bool) -> None:
    """Set tier, agreement and form of a model from `gated` and `extra_gated_…` of its card.

    A tier that was decided is never loosened, and a card that does not say `gated` opens nothing.
    Repeating it changes nothing.
    """
    model = two_parts(full_name, "a model")
    done = cards.import_card(desk.house, desk.context(), model, revision, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(_row(done, dry_run=dry_run), ensure_ascii=False, indent=2))
        return
    for line in _lines(done):
        click.echo(line)
    if not done.is_change:
        click.echo("Nothing to change.")
    elif dry_run:
        click.echo("Nothing was changed: leave out --dry-run.")


def _row(done: Import, *, dry_run: bool) -> dict[str, object]:
    return {
        "model": done.model.full_name,
        "revision": done.revision_id,
        "dry_run": dry_run,
        "changed": done.is_change and not dry_run,
        "tier_before": done.model.tier.code,
        "tier": done.tier.code,
        "agreement": done.terms.id if done.terms is not None else None,
        "agreement_version": done.terms.version if done.terms is not None else None,
        "fields": [field.name for field in done.form.fields] if done.form is not None else None,
        "notes": list(done.notes),
    }


def _lines(done: Import) -> list[str]:
    before, after, terms, form = done.model.tier, done.tier, done.terms, done.form
    lines = [f"tier: {before.code} {before.word}"]
    if done.sets_tier:
        lines = [f"{lines[0]} -> {after.code} {after.word}"]
    if terms is not None:
        state = "" if done.sets_terms else ", unchanged"
        count = len(terms.clauses)
        lines.append(f"agreement: {terms.id} version {terms.version}, clauses: {count}{state}")
    if form is not None:
        state = "" if done.sets_form else ", unchanged"
        lines.append(f"form: {', '.join(field.name for field in form.fields)}{state}")
    return [*lines, *(f"note: {note}" for note in done.notes)]
