"""What administrators set for all: of each kind of settings there is one row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import SmallInteger, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from chassis.audit import AuditEntry, record_audit
from crm_customer.database import Base, Versioned
from crm_customer.versions import stale


class SettingsRow(Versioned, Base):
    """Base of the tables that hold one row."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)


SettingsT = TypeVar("SettingsT", bound=SettingsRow)
# The row's id in the audit.
_ID = UUID(int=1)


def settings_of(session: Session, kind: type[SettingsT], *, lock: bool = False) -> SettingsT:
    """The settings; `lock` them for a change."""
    found = select(kind).execution_options(populate_existing=True)
    return session.scalars(found.with_for_update() if lock else found).one()


def change_settings(
    session: Session, kind: type[SettingsT], actor_id: UUID, values: Mapping[str, Any], expected: int, now: datetime
) -> SettingsT:
    """Take over clean values. Raises Stale with both values of each clashing field."""
    settings, subject = settings_of(session, kind, lock=True), kind.__tablename__
    if settings.version != expected:
        raise stale(settings, values)
    before = settings.change(values, now)
    if before:
        after = {name: values[name] for name in before}
        record_audit(session, AuditEntry(f"{subject}.changed", subject, _ID, actor_id, before, after))
    return settings
