"""Create the organisation, credentials, sessions and signing keys.

The running release must survive this file: add first, remove in a later release.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

revision = "identity_0001"
down_revision = None
branch_labels = ("identity",)
depends_on = None


def _uuid(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UUID(as_uuid=True), nullable=null)


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _version() -> sa.Column[Any]:
    return sa.Column("version", sa.BigInteger, nullable=False)


def upgrade() -> None:
    op.create_table(
        "organisation",
        sa.Column("id", sa.SmallInteger, nullable=False, autoincrement=False),
        _version(),
        _text("name"),
        _text("zone"),
        sa.PrimaryKeyConstraint("id", name="pk_organisation"),
    )
    _create_roles()
    _create_departments_and_members()
    _create_credentials_and_sessions()
    _create_signing_keys()


def _create_roles() -> None:
    op.create_table(
        "roles",
        _uuid("id"),
        _version(),
        _text("key"),
        _text("name"),
        sa.Column("permissions", ARRAY(sa.Text), nullable=False),
        _text("data_scope"),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.UniqueConstraint("name", name="uq_roles_name"),
        sa.CheckConstraint("data_scope IN ('own', 'department', 'centre', 'company')", name="ck_roles_data_scope"),
    )


def _create_departments_and_members() -> None:
    op.create_table(
        "departments",
        _uuid("id"),
        _version(),
        _text("name"),
        _uuid("parent_id", null=True),
        _uuid("head_id", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_departments"),
        sa.UniqueConstraint("parent_id", "name", name="uq_departments_parent_id_name"),
        sa.ForeignKeyConstraint(["parent_id"], ["departments.id"], name="fk_departments_parent_id_departments"),
        sa.CheckConstraint("parent_id <> id", name="ck_departments_parent"),
    )
    op.create_table(
        "members",
        _uuid("id"),
        _version(),
        _text("login"),
        _text("name"),
        _text("email"),
        _text("phone", null=True),
        _uuid("department_id"),
        sa.Column("role_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        _text("language"),
        _moment("absent_until", null=True),
        sa.Column("service_account", sa.Boolean, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("session_generation", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_members"),
        sa.UniqueConstraint("login", name="uq_members_login"),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name="fk_members_department_id_departments"),
        sa.CheckConstraint("login = lower(login)", name="ck_members_login"),
    )
    op.create_index("ix_members_department_id", "members", ["department_id"])
    op.create_index("ix_members_name", "members", ["name", "id"])
    op.create_foreign_key("fk_departments_head_id_members", "departments", "members", ["head_id"], ["id"])


def _create_credentials_and_sessions() -> None:
    op.create_table(
        "credentials",
        _uuid("member_id"),
        _text("secret_hash"),
        sa.Column("must_change", sa.Boolean, nullable=False),
        _moment("changed_at"),
        sa.PrimaryKeyConstraint("member_id", name="pk_credentials"),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name="fk_credentials_member_id_members"),
    )
    op.create_table(
        "sessions",
        _uuid("id"),
        _uuid("member_id"),
        sa.Column("selector", sa.LargeBinary, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        _text("user_agent"),
        _moment("created_at"),
        _moment("expires_at"),
        _moment("ended_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("selector", name="uq_sessions_selector"),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name="fk_sessions_member_id_members"),
    )
    op.create_index("ix_sessions_member_id", "sessions", ["member_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])


def _create_signing_keys() -> None:
    op.create_table(
        "signing_keys",
        _uuid("id"),
        _text("state"),
        _text("sealed_private_key"),
        sa.Column("public_jwk", JSONB, nullable=False),
        _moment("created_at"),
        _moment("signs_from"),
        _moment("retired_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_signing_keys"),
        sa.CheckConstraint("state IN ('next', 'current', 'retired')", name="ck_signing_keys_state"),
    )
    op.create_index(
        "uq_signing_keys_state",
        "signing_keys",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state <> 'retired'"),
    )
    op.create_table(
        "key_set_version",
        sa.Column("id", sa.SmallInteger, nullable=False, autoincrement=False),
        _version(),
        sa.PrimaryKeyConstraint("id", name="pk_key_set_version"),
    )


def downgrade() -> None:
    op.drop_constraint("fk_departments_head_id_members", "departments")
    for table in ("key_set_version", "signing_keys", "sessions", "credentials", "members", "departments", "roles"):
        op.drop_table(table)
    op.drop_table("organisation")
