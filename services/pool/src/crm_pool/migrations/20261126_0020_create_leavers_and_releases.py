"""Create leavers and releases.

The running release must survive this file: add first, remove in a later release.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "pool_0002"
down_revision = "pool_0001"
branch_labels = None
depends_on = None


def _uuid(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UUID(as_uuid=True), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def upgrade() -> None:
    op.create_table(
        "leavers",
        _uuid("member_id"),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        _moment("left_at"),
        sa.Column("hand_over_on", sa.Date, nullable=False),
        _uuid("asked_by", null=True),
        _uuid("batch_id", null=True),
        _moment("done_at", null=True),
        sa.PrimaryKeyConstraint("member_id", name="pk_leavers"),
    )
    op.create_index(
        "ix_leavers_open", "leavers", ["hand_over_on", "member_id"], postgresql_where=sa.text("done_at IS NULL")
    )
    op.create_table(
        "releases",
        _uuid("id"),
        _moment("at"),
        sa.Column("cause", sa.Text, nullable=False),
        _uuid("actor_id", null=True),
        _uuid("owner_id", null=True),
        _uuid("pool_id"),
        sa.Column("customers", sa.Integer, nullable=False),
        sa.Column("skipped", sa.Integer, nullable=False),
        _uuid("undo_batch_id", null=True),
        _uuid("undone_by", null=True),
        _moment("undone_at", null=True),
        sa.Column("returned", sa.Integer),
        sa.Column("not_returned", sa.Integer),
        sa.Column("over_cap", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_releases"),
    )
    op.create_index("ix_releases_at", "releases", ["at", "id"])
    op.create_index(
        "ix_assignment_history_released",
        "assignment_history",
        ["batch_id"],
        postgresql_where=sa.text("cause IN ('release', 'recycle', 'handover')"),
    )


def downgrade() -> None:
    op.drop_index("ix_assignment_history_released")
    op.drop_table("releases")
    op.drop_table("leavers")
