"""Create the directory.

The running release must survive this file: add first, remove in a later release.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, UUID

revision = "directory_0001"
down_revision = None
branch_labels = ("directory",)
depends_on = None


def _id() -> sa.Column[Any]:
    return sa.Column("id", UUID(as_uuid=True), nullable=False)


def _version() -> sa.Column[Any]:
    return sa.Column("version", sa.BigInteger, nullable=False)


def upgrade() -> None:
    op.create_table(
        "directory_members",
        _id(),
        _version(),
        sa.Column("login", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("department_id", UUID(as_uuid=True)),
        sa.Column("role_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        sa.Column("group_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("absent_until", sa.DateTime(timezone=True)),
        sa.Column("service_account", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_directory_members"),
    )
    for column in ("login", "name", "department_id"):
        op.create_index(f"ix_directory_members_{column}", "directory_members", [column])
    op.create_table(
        "directory_departments",
        _id(),
        _version(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("parent_id", UUID(as_uuid=True)),
        sa.Column("head_id", UUID(as_uuid=True)),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_directory_departments"),
    )
    op.create_index("ix_directory_departments_parent_id", "directory_departments", ["parent_id"])
    op.create_table(
        "directory_roles",
        _id(),
        _version(),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("permissions", ARRAY(sa.Text), nullable=False),
        sa.Column("data_scope", sa.SmallInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_directory_roles"),
    )
    op.create_table(
        "directory_groups",
        _id(),
        _version(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("member_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_directory_groups"),
    )
    op.create_table(
        "directory_organisation",
        sa.Column("id", sa.SmallInteger, nullable=False, autoincrement=False),
        _version(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("zone", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_directory_organisation"),
    )
    op.create_table(
        "directory_signing_keys",
        sa.Column("id", sa.SmallInteger, nullable=False, autoincrement=False),
        _version(),
        sa.Column("jwks", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_directory_signing_keys"),
    )


def downgrade() -> None:
    for table in ("signing_keys", "organisation", "groups", "roles", "departments", "members"):
        op.drop_table(f"directory_{table}")
