"""Reading message templates, and the values that texts are filled with."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_notify.message_templates.model import MessageTemplate
from crm_notify.message_templates.rules import Values, Variable
from crm_notify.notifications.queries import names_of
from directory.scope import zone_of
from directory.tables import organisation


def templates(
    session: Session, channel: str | None, deleted: bool, page: int, page_size: int
) -> tuple[Sequence[MessageTemplate], int]:
    """One page by name, and how many there are."""
    wanted: list[ColumnElement[bool]] = [
        MessageTemplate.deleted_at.is_not(None) if deleted else MessageTemplate.deleted_at.is_(None)
    ]
    if channel is not None:
        wanted.append(MessageTemplate.channel == channel)
    total = session.scalar(select(func.count()).select_from(MessageTemplate).where(*wanted)) or 0
    rows = session.scalars(
        select(MessageTemplate)
        .where(*wanted)
        .order_by(MessageTemplate.name, MessageTemplate.id)
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    return rows.all(), total


def template(session: Session, template_id: UUID, *, deleted: bool = False, locked: bool = False) -> MessageTemplate:
    """A kept template, or a deleted one. Raises NotFound."""
    found = session.get(MessageTemplate, template_id, with_for_update=locked)
    if found is None or (found.deleted_at is not None) != deleted:
        raise NotFound("not_found")
    return found


@dataclass(frozen=True)
class CommonValues:
    """What is the same for each receiver, and the names of members."""

    sender_name: str
    company: str
    today: str
    names: dict[UUID, str]

    def of(self, customer_name: str, contact_name: str, owner_id: UUID | None) -> Values:
        """The values of one customer."""
        return {
            Variable.CUSTOMER_NAME: customer_name,
            Variable.CONTACT_NAME: contact_name,
            Variable.OWNER_NAME: self.names.get(owner_id, "") if owner_id else "",
            Variable.SENDER_NAME: self.sender_name,
            Variable.COMPANY: self.company,
            Variable.TODAY: self.today,
        }


def common_values(session: Session, sender_id: UUID, owner_ids: Collection[UUID], now: datetime) -> CommonValues:
    """As the directory knows them; today is the organisation's day."""
    names = names_of(session, {sender_id, *owner_ids})
    company = session.scalar(select(organisation.c.name)) or ""
    today = now.astimezone(ZoneInfo(zone_of(session))).date().isoformat()
    return CommonValues(names.get(sender_id, ""), company, today, names)
