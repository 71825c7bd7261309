"""Programs that wait for a person to let them in"""

import sqlalchemy as sa
from alembic import op

revision = 'devices'
down_revision = 'former_names'


def upgrade():
    op.create_table(
        'devices',
        sa.Column('digest', sa.Text(), nullable=False),
        sa.Column('user_code', sa.Text(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('person_id', sa.Text(), nullable=True),
        sa.Column('scope', sa.Text(), nullable=False),
        sa.Column('asked_at', sa.BigInteger(), nullable=False),
        sa.Column('polled_at', sa.BigInteger(), nullable=False),
        sa.Column('expires_at', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('digest', name=op.f('pk_devices')),
    )
    op.create_index('ix_devices_user_code', 'devices', ['user_code'])
    op.create_index('ix_devices_expires_at', 'devices', ['expires_at'])
