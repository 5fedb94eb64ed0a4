"""Find entries of the audit by who did what.

The running release must survive this file: add first, remove in a later release.
"""

from alembic import op

revision = "chassis_0002"
down_revision = "chassis_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_entries_actor", "audit_entries", ["actor_id", "at"])
    op.create_index(
        "ix_audit_entries_action", "audit_entries", ["action", "at"], postgresql_ops={"action": "text_pattern_ops"}
    )


def downgrade() -> None:
    op.drop_index("ix_audit_entries_action", "audit_entries")
    op.drop_index("ix_audit_entries_actor", "audit_entries")
