"""Create user groups, absences and answers of member imports; remember which permissions roles were given by default.

The running release must survive this file: add first, remove in a later release.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, UUID

revision = "identity_0003"
down_revision = "identity_0002"
branch_labels = None
depends_on = None

# What roles could grant until now: administrators have decided about these.
_KNOWN = """
UPDATE organisation SET known_permissions = ARRAY[
  'organisation.manage', 'audit.read',
  'customer.read', 'customer.create', 'customer.update', 'customer.delete', 'customer.contacts_in_pool',
  'pool.claim', 'pool.assign', 'pool.transfer', 'pool.release', 'pool.manage', 'pool.to_be_assigned',
  'import.run', 'import.read_all'
]
"""


def upgrade() -> None:
    op.create_table(
        "groups",
        sa.Column("id", UUID(as_uuid=True), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("member_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
        sa.UniqueConstraint("name", name="uq_groups_name"),
    )
    op.create_index("ix_groups_member_ids", "groups", ["member_ids"], postgresql_using="gin")
    _create_absences()
    op.create_table(
        "bulk_write_results",
        sa.Column("chunk_id", UUID(as_uuid=True), nullable=False),
        sa.Column("response", sa.LargeBinary, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("chunk_id", name="pk_bulk_write_results"),
    )
    op.create_index("ix_bulk_write_results_written_at", "bulk_write_results", ["written_at"])
    known: sa.Column[Any] = sa.Column("known_permissions", ARRAY(sa.Text), nullable=False, server_default="{}")
    op.add_column("organisation", known)
    op.execute(_KNOWN)


def _create_absences() -> None:
    op.create_table(
        "absences",
        sa.Column("id", UUID(as_uuid=True), nullable=False),
        sa.Column("member_id", UUID(as_uuid=True), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_absences"),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name="fk_absences_member_id_members"),
        sa.CheckConstraint("starts_at < ends_at", name="ck_absences_order"),
    )
    op.create_index("ix_absences_member_id", "absences", ["member_id", "ends_at"])
    op.create_index("ix_absences_ends_at", "absences", ["ends_at"])
    op.add_column("members", sa.Column("absent_from", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_members_absent_until",
        "members",
        ["absent_until"],
        postgresql_where=sa.text("absent_until IS NOT NULL"),
    )
    # An absence was its end alone: those who are away have been since some time that nobody knows.
    op.execute(
        "INSERT INTO absences (id, member_id, starts_at, ends_at, note)"
        " SELECT gen_random_uuid(), id, now(), absent_until, '' FROM members WHERE absent_until > now()"
    )


def downgrade() -> None:
    op.drop_index("ix_members_absent_until", "members")
    op.drop_column("members", "absent_from")
    op.drop_column("organisation", "known_permissions")
    for table in ("bulk_write_results", "absences", "groups"):
        op.drop_table(table)
