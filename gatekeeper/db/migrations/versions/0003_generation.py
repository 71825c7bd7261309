"""A number that every change of what verdicts rest on raises (SQLite)"""

import sqlalchemy as sa
from alembic import op

revision = 'generation'
down_revision = 'catalogue_orders'

TABLES = (
    'acceptances', 'agreements', 'application_models', 'applications', 'files', 'grant_models',
    'grants', 'members', 'messages', 'models', 'namespaces', 'persons', 'refs', 'releases',
    'revisions', 'site_roles', 'tokens',
)


def upgrade():
    op.create_table(
        'generation',
        sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('number', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_generation')),
    )
    if op.get_bind().dialect.name != 'sqlite':
        return
    op.execute('INSERT INTO generation (id, number) VALUES (1, 0)')
    for table in TABLES:
        for verb in ('INSERT', 'UPDATE', 'DELETE'):
            op.execute(
                f'CREATE TRIGGER generation_{table}_{verb.lower()} AFTER {verb} ON {table} '
                'BEGIN UPDATE generation SET number = number + 1; END'
            )
