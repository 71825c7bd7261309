"""What Alembic runs: the connection comes from `migrations.upgrade`."""

from alembic import context

from gatekeeper.db import tables
from gatekeeper.db.engine import writes


@writes
def run() -> None:
    """Run the migrations on the given connection."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=tables.metadata,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
