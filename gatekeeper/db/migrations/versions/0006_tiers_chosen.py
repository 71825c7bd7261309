"""Whether anybody chose a model's tier"""

import sqlalchemy as sa
from alembic import op

revision = 'tiers_chosen'
down_revision = 'grants_of_a_model'


def upgrade():
    # Not by batch_alter_table: on SQLite it makes the table anew, without its triggers.
    op.add_column(
        'models', sa.Column('is_decided', sa.Boolean(), nullable=False, server_default=sa.true())
    )
