"""Reading custom fields as a member sees them (decision 0019)."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.orm import Session

from crm_customer.fields.model import CustomField
from crm_customer.fields.rules import index_of
from directory.permissions import Permission
from directory.scope import Scope
from directory.tables import roles

# How long a deleted field can be restored.
KEPT = timedelta(days=30)
# Customers build on fields, so fields know of them only this: where values are kept.
_CHOSEN = text("""
    SELECT chosen, count(*) AS records
    FROM customers, jsonb_array_elements_text(
        CASE jsonb_typeof(custom -> :key) WHEN 'array' THEN custom -> :key ELSE jsonb_build_array(custom -> :key) END
    ) AS chosen
    WHERE custom ? :key AND chosen = ANY (:keys) GROUP BY chosen
""")
_INDEXES = text("""
    SELECT class.relname, indisvalid FROM pg_index JOIN pg_class class ON class.oid = indexrelid
    WHERE indrelid = 'customers'::regclass AND starts_with(class.relname, :prefix)
""")
_BUILDING = text("SELECT EXISTS (SELECT 1 FROM pg_stat_progress_create_index WHERE relid = 'customers'::regclass)")


def custom_fields(session: Session, scope: Scope) -> Sequence[CustomField]:
    """The fields that are not deleted and that one of the member's roles sees, in the order in which they are shown."""
    return [field for field in all_fields(session) if sees(scope, field)]


def all_fields(session: Session) -> Sequence[CustomField]:
    """The fields that are not deleted, in the order in which they are shown."""
    return _fields(session, CustomField.deleted_at.is_(None))


def deleted_fields(session: Session, now: datetime) -> Sequence[CustomField]:
    """Fields that are hidden and can be restored."""
    return _fields(session, CustomField.deleted_at > now - KEPT)


def _fields(session: Session, condition: ColumnElement[bool]) -> Sequence[CustomField]:
    return session.scalars(select(CustomField).where(condition).order_by(CustomField.position, CustomField.key)).all()


def sees(scope: Scope, field: CustomField) -> bool:
    """Whether the member sees the field: named to one of their roles or to none, or theirs to set up."""
    return (
        not field.role_ids
        or scope.may(Permission.CUSTOMER_CONFIGURE)
        or not set(scope.role_ids).isdisjoint(field.role_ids)
    )


def choices_in_use(session: Session, field: CustomField, keys: Collection[str]) -> dict[str, int]:
    """How many customers have chosen each of the options `keys`, those in the recycle bin too; without unused ones."""
    rows = session.execute(_CHOSEN, {"key": field.key, "keys": list(keys)})
    return {row.chosen: row.records for row in rows}


def unknown_roles(session: Session, role_ids: Sequence[UUID]) -> set[UUID]:
    """Of `role_ids`, those that do not exist."""
    known = select(roles.c.id).where(roles.c.id.in_(role_ids), ~roles.c.deleted)
    return set(role_ids) - set(session.scalars(known))


def indexes(session: Session) -> dict[str, bool]:
    """Indexes of custom fields by name, and whether they are whole."""
    return {row.relname: row.indisvalid for row in session.execute(_INDEXES, {"prefix": index_of("")})}


def building(session: Session) -> bool:
    """Whether somebody is building an index of customers just now."""
    return bool(session.scalar(_BUILDING))
