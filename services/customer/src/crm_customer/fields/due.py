"""What custom fields need done meanwhile: indexes are built, and fields deleted long ago come to their end."""

from uuid import UUID

from sqlalchemy import select, text, update

from chassis.audit import AuditEntry, record_audit
from chassis.clock import now
from chassis.due import DueTask
from chassis.logs import get_logger
from chassis.runtime import Runtime
from crm_customer.fields.commands import SUBJECT
from crm_customer.fields.model import CustomField
from crm_customer.fields.queries import KEPT, building, indexes
from crm_customer.fields.rules import Kind, index_definition, index_of, statistics_of, value_of

log = get_logger(__name__)
_AT_ONCE = 1000
_BEFORE_ALL = UUID(int=0)
_CLEAR = text("""
    WITH page AS (
        SELECT id FROM customers WHERE id > :after ORDER BY id LIMIT :size
    ), cleared AS (
        UPDATE customers SET custom = custom - :key WHERE id IN (
            SELECT id FROM customers WHERE id IN (SELECT id FROM page) AND custom ? :key ORDER BY id FOR NO KEY UPDATE
        )
    )
    SELECT id FROM page ORDER BY id DESC LIMIT 1
""")


def build_field_indexes(runtime: Runtime) -> bool:
    """Let filterable fields have their index, and no others one; True: there may be more to do.

    One step at a time, outside a transaction, while customers are read and written. An index whose building broke off
    is begun anew. Whoever builds is seen by the others, so that no two do.
    """
    with runtime.database.transaction() as session:
        if building(session):
            return False
        present = indexes(session)
        living = (CustomField.deleted_at.is_(None)) | (CustomField.deleted_at > now() - KEPT)
        wanted = {
            index_of(field.key): field
            for field in session.scalars(select(CustomField).where(CustomField.filterable, living))
        }
        whole = [field.id for name, field in wanted.items() if present.get(name)]
        session.execute(
            update(CustomField)
            .where(CustomField.indexed != CustomField.id.in_(whole))
            .values(indexed=CustomField.id.in_(whole))
            .execution_options(synchronize_session=False)
        )
    for name, complete in present.items():
        if name not in wanted or not complete:
            _execute(
                runtime,
                f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                f"DROP STATISTICS IF EXISTS {statistics_of(name.removeprefix(index_of('')))}",
            )
            return True
    for name, field in wanted.items():
        if name not in present:
            kind = Kind(field.kind)
            _execute(
                runtime,
                f"CREATE STATISTICS IF NOT EXISTS {statistics_of(field.key)}"
                f" ON {value_of(field.key, kind)} FROM customers",
                f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON customers {index_definition(field.key, kind)}",
                "ANALYZE customers",
            )
            return True
    return False


def _execute(runtime: Runtime, *statements: str) -> None:
    """Outside a transaction, on a connection of their own: they may wait for whoever is at work now."""
    with runtime.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = '1h'")
        try:
            for statement in statements:
                connection.exec_driver_sql(statement)
                log.info("field_index", statement=statement)
        finally:
            # Nobody else is to have a connection that waits so long.
            connection.invalidate()


def remove_deleted_fields(runtime: Runtime) -> bool:
    """Take the values of a field that was deleted more than 30 days ago off up to 1,000 customers, in id order, then
    the field itself; True: there may be more to do.
    """
    with runtime.database.transaction() as session:
        gone = select(CustomField).where(CustomField.deleted_at <= now() - KEPT)
        field = session.scalar(gone.order_by(CustomField.id).limit(1).with_for_update(skip_locked=True))
        if field is None:
            return False
        page = {"after": field.cleared_to or _BEFORE_ALL, "size": _AT_ONCE, "key": field.key}
        reached = session.scalar(_CLEAR, page)
        if reached is not None:
            field.cleared_to = reached
            return True
        if index_of(field.key) in indexes(session):
            # Its key must not be given to another field before.
            return False
        session.delete(field)
        record_audit(session, AuditEntry("custom_field.removed", SUBJECT, field.id, None, {"key": field.key}, None))
        return True


FIELD_TASKS = (
    DueTask("build-field-indexes", 15, build_field_indexes),
    DueTask("remove-deleted-fields", 3600, remove_deleted_fields),
)
