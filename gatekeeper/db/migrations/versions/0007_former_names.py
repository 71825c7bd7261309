"""Names that models had before, and the tier of models that clients make"""

import sqlalchemy as sa
from alembic import op

revision = 'former_names'
down_revision = 'tiers_chosen'


def upgrade():
    # Not by batch_alter_table: on SQLite it makes the table anew, without its triggers.
    op.add_column(
        'namespaces', sa.Column('new_model_tier', sa.Text(), nullable=False, server_default='')
    )
    op.create_table(
        'former_names',
        sa.Column('namespace', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('model_id', sa.Text(), nullable=False),
        sa.Column('event_id', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['namespace'], ['namespaces.name'], op.f('fk_former_names_namespace')),
        sa.ForeignKeyConstraint(['model_id'], ['models.id'], op.f('fk_former_names_model_id')),
        sa.PrimaryKeyConstraint('namespace', 'name', name=op.f('pk_former_names')),
    )
    op.create_index('ix_former_names_model_id', 'former_names', ['model_id'])
