"""Grants of one model in the order of their beginning"""

import sqlalchemy as sa
from alembic import op

revision = 'grants_of_a_model'
down_revision = 'uploads'


def upgrade():
    # Not by batch_alter_table: on SQLite it makes the table anew, without its triggers.
    op.add_column(
        'grant_models', sa.Column('starts_at', sa.BigInteger(), nullable=False, server_default='0')
    )
    op.execute(
        'UPDATE grant_models SET starts_at ='
        ' (SELECT starts_at FROM grants WHERE grants.id = grant_models.grant_id)'
    )
    op.drop_index('ix_grant_models_model_id', 'grant_models')
    op.create_index(
        'ix_grant_models_model_id', 'grant_models', ['model_id', 'starts_at', 'grant_id']
    )
