"""Indexes for the orders in which the catalogue is listed"""

from alembic import op

revision = 'catalogue_orders'
down_revision = '0001'

INDEXES = {
    'ix_releases_changed_at_id': ('releases', ['changed_at', 'id']),
    'ix_models_changed_at': ('models', ['changed_at', 'namespace', 'name']),
    'ix_models_created_at': ('models', ['created_at', 'namespace', 'name']),
}


def upgrade():
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)

