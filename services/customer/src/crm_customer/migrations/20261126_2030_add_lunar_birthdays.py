"""Birthdays that are kept by the lunar calendar (K-11).

The running release must survive this file: add first, remove in a later release. It knows nothing of the column.
"""

import sqlalchemy as sa
from alembic import op

revision = "customer_0008"
down_revision = "customer_0007"
branch_labels = None
depends_on = None

_KEPT = sa.text("lunar_birthday IS NOT NULL AND deleted_at IS NULL")


def upgrade() -> None:
    op.add_column("contacts", sa.Column("lunar_birthday", sa.SmallInteger))
    op.create_index("ix_contacts_lunar_birthday", "contacts", ["lunar_birthday"], postgresql_where=_KEPT)


def downgrade() -> None:
    op.drop_index("ix_contacts_lunar_birthday", "contacts")
    op.drop_column("contacts", "lunar_birthday")
