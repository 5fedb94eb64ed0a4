"""Create one-time links for passwords; remember where and when sessions are used, and the last login.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "identity_0002"
down_revision = "identity_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "password_links",
        sa.Column("member_id", UUID(as_uuid=True), nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name="pk_password_links"),
        sa.UniqueConstraint("token_hash", name="uq_password_links_token_hash"),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name="fk_password_links_member_id_members"),
    )
    op.add_column("sessions", sa.Column("network", sa.Text, nullable=True))
    op.add_column("sessions", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("members", sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("members", "last_login_at")
    op.drop_column("sessions", "last_used_at")
    op.drop_column("sessions", "network")
    op.drop_table("password_links")
