"""Plans of placement: a row for each place, not for each customer. The table before stays for the release before."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, UUID

revision = "pool_0006"
down_revision = "pool_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "planned_places",
        sa.Column("id", UUID(as_uuid=True), nullable=False),
        sa.Column("placement_id", UUID(as_uuid=True), nullable=False),
        sa.Column("owner_id", UUID(as_uuid=True)),
        sa.Column("pool_id", UUID(as_uuid=True)),
        sa.Column("expires_on", sa.Date),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("customer_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_planned_places"),
        sa.CheckConstraint("num_nonnulls(owner_id, pool_id) = 1", name="ck_planned_places_place"),
    )
    op.create_index("ix_planned_places_placement_id", "planned_places", ["placement_id"])


def downgrade() -> None:
    op.drop_table("planned_places")
