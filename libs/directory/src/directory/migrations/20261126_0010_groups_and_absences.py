"""Find the groups of a member, and keep when an absence begins.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op

revision = "directory_0002"
down_revision = "directory_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("directory_members", sa.Column("absent_from", sa.DateTime(timezone=True)))
    op.alter_column("directory_members", "group_ids", server_default="{}")
    op.create_index("ix_directory_groups_member_ids", "directory_groups", ["member_ids"], postgresql_using="gin")


def downgrade() -> None:
    op.drop_index("ix_directory_groups_member_ids")
    op.alter_column("directory_members", "group_ids", server_default=None)
    op.drop_column("directory_members", "absent_from")
