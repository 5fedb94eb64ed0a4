"""The organisation as this service knows it. Written by the directory consumer and rebuild alone."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Integer, SmallInteger, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from chassis.database import new_metadata

metadata = new_metadata()

members = Table(
    "directory_members",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("login", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("department_id", UUID(as_uuid=True)),
    Column("role_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
    # Unused; dropped once no release runs that reads it.
    Column("group_ids", ARRAY(UUID(as_uuid=True)), nullable=False, server_default="{}"),
    Column("active", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("language", Text, nullable=False),
    Column("absent_from", DateTime(timezone=True)),
    Column("absent_until", DateTime(timezone=True)),
    Column("service_account", Boolean, nullable=False),
    Index("ix_directory_members_login", "login"),
    Index("ix_directory_members_name", "name"),
    Index("ix_directory_members_department_id", "department_id"),
)

departments = Table(
    "directory_departments",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("parent_id", UUID(as_uuid=True)),
    Column("head_id", UUID(as_uuid=True)),
    Column("deleted", Boolean, nullable=False),
    Index("ix_directory_departments_parent_id", "parent_id"),
)

roles = Table(
    "directory_roles",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("permissions", ARRAY(Text), nullable=False),
    Column("data_scope", SmallInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
)

groups = Table(
    "directory_groups",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("member_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
    Column("deleted", Boolean, nullable=False),
    Index("ix_directory_groups_member_ids", "member_ids", postgresql_using="gin"),
)

# One row each, id always 1.
organisation = Table(
    "directory_organisation",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("zone", Text, nullable=False),
    # Day to whether people work on it, for days that differ from the week.
    Column("calendar", JSONB, nullable=False, server_default=text("'{}'")),
)

signing_keys = Table(
    "directory_signing_keys",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("jwks", Text, nullable=False),
)
