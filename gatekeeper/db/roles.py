"""What the serving role may do on Postgres: its work, and nothing to the past or to the schema.

The roles themselves are made by docs/postgres-roles.sql; without it one role does everything.
"""

from __future__ import annotations

from sqlalchemy import Engine, make_url, text

from gatekeeper.db import tables as t

# Nothing of ours ever changes a row of these: triggers refuse it, and the role may not even try.
INSERT_ONLY = (t.entries, t.leaves, t.mentions)


def role_of(url: str) -> str | None:
    """Return the role that a database's address names."""
    return make_url(url).username


def entitle(engine: Engine, role: str) -> None:
    """Give a role what serving needs of every table, and take back whatever else it was given.

    `engine` is the owner's; to be run after each migration.
    """
    quote = engine.dialect.identifier_preparer.quote
    name = quote(role)
    with engine.begin() as connection:
        schema = quote(connection.execute(text("SELECT current_schema()")).scalar_one())
        for statement in (
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {name}",
            f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {name}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {name}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {name}",
        ):
            connection.execute(text(statement))
        for table in t.metadata.sorted_tables:
            verbs = "INSERT" if table in INSERT_ONLY else "INSERT, UPDATE, DELETE"
            connection.execute(text(f"GRANT {verbs} ON {quote(table.name)} TO {name}"))


def may_rewrite(engine: Engine) -> bool:
    """Say whether our own role could change the ledger, were it not for the triggers."""
    with engine.connect() as connection:
        asked = text("SELECT has_table_privilege(current_user, 'entries', 'UPDATE, DELETE')")
        return bool(connection.execute(asked).scalar_one())
