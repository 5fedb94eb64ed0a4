"""What days were computed by, member by member: a member who changes has only their own customers' days computed anew."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, UUID

revision = "pool_0005"
down_revision = "pool_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recomputes", sa.Column("owner_ids", ARRAY(UUID(as_uuid=True)), nullable=True))
    op.create_table(
        "judged_members",
        sa.Column("member_id", UUID(as_uuid=True), nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("member_id", name="pk_judged_members"),
    )


def downgrade() -> None:
    op.drop_table("judged_members")
    op.drop_column("recomputes", "owner_ids")
