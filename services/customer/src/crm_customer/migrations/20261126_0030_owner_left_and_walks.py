"""Keep whether the owner has left; an index for each place and order, the recycle bin's included.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op

revision = "customer_0002"
down_revision = "customer_0001"
branch_labels = None
depends_on = "directory_0001"

_PLACES = ("owner_id", "owner_department_id", "pool_id")
_WALKS = [(place, "updated_at", "deleted_at IS NULL") for place in _PLACES] + [
    (place, "deleted_at", "deleted_at IS NOT NULL") for place in _PLACES
]


def upgrade() -> None:
    op.add_column("customers", sa.Column("owner_left", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("""
        UPDATE customers SET owner_left = TRUE FROM directory_members
        WHERE directory_members.id = customers.owner_id AND NOT directory_members.active
    """)
    for place, moment, where in _WALKS:
        name = f"ix_customers_{place}_{moment}_id"
        op.create_index(name, "customers", [place, moment, "id"], postgresql_where=sa.text(where))
    for moment in ("created_at", "updated_at"):
        left = sa.text("owner_left AND deleted_at IS NULL")
        op.create_index(f"ix_customers_owner_left_{moment}", "customers", [moment, "id"], postgresql_where=left)


def downgrade() -> None:
    for moment in ("created_at", "updated_at"):
        op.drop_index(f"ix_customers_owner_left_{moment}", "customers")
    for place, moment, _ in _WALKS:
        op.drop_index(f"ix_customers_{place}_{moment}_id", "customers")
    op.drop_column("customers", "owner_left")
