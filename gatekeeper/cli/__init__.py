"""The `gatekeeper` command: one file a noun, each a thin caller of services.

Acts as *operator* (recorded as such) and opens the database itself, beside a running server too.
"""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper import __version__
from gatekeeper.cli import (
    access,
    agreement,
    audit,
    backup,
    card,
    demo,
    grant,
    mail,
    namespace,
    person,
    publish,
    release,
    serve,
    site,
    token,
)
from gatekeeper.cli.desk import Desk


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gatekeeper")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="GATEKEEPER_DATA",
    default=Path("var"),
    show_default=True,
    help="Data directory: keys, SQLite database, blobs.",
)
@click.pass_context
def main(ctx: click.Context, data: Path) -> None:
    """Gated model releases: tiered access, signed downloads, an audit log a stranger can check."""
    ctx.obj = Desk(data)


for noun in (
    site.init,
    site.db,
    site.config,
    site.fsck,
    backup.backup,
    backup.restore,
    serve.serve,
    serve.worker,
    demo.demo,
    person.person,
    token.token,
    namespace.namespace,
    release.release,
    publish.publish,
    card.import_card,
    agreement.agreement,
    access.access,
    grant.grant,
    audit.audit,
    mail.mail,
):
    main.add_command(noun)
