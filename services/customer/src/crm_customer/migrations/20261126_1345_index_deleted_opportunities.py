"""An index of the recycle bin of opportunities.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op

revision = "customer_0006"
down_revision = "customer_0005"
branch_labels = None
depends_on = None

_NAME, _TABLE = "ix_opportunities_deleted_at", "opportunities"


def upgrade() -> None:
    op.create_index(_NAME, _TABLE, ["deleted_at", "id"], postgresql_where=sa.text("deleted_at IS NOT NULL"))


def downgrade() -> None:
    op.drop_index(_NAME, _TABLE)
