"""What explains why somebody was told of something, or not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_notify.deliveries.model import Delivery
from crm_notify.notifications.model import Notification
from crm_notify.notifications.queries import managers, names_of
from crm_notify.notifications.rules import Kind
from crm_notify.preferences.model import Preferences
from crm_notify.preferences.queries import choices_of, defaults_of
from crm_notify.preferences.rules import Choices, Defaults
from directory.tables import members

MOST_SHOWN = 20


@dataclass(frozen=True)
class About:
    """The member that it is about. `manager`: who stands in for one who has left, if anybody does."""

    id: UUID
    name: str
    active: bool
    has_address: bool
    manager: str | None
    defaults: Defaults
    own: Choices


def about(session: Session, member_id: UUID) -> About | None:
    """The member as known here; None for an unknown one."""
    columns = (members.c.name, members.c.active, members.c.email)
    found = session.execute(select(*columns).where(members.c.id == member_id)).one_or_none()
    if found is None:
        return None
    return About(
        id=member_id,
        name=found.name,
        active=found.active,
        has_address=bool(found.email),
        manager=None if found.active else _manager(session, member_id),
        defaults=defaults_of(session),
        own=choices_of(session.get(Preferences, member_id)),
    )


def _manager(session: Session, member_id: UUID) -> str | None:
    manager_id = managers(session, [member_id])[member_id]
    return names_of(session, [manager_id])[manager_id] if manager_id else None


def told(
    session: Session,
    member_id: UUID,
    kind: Kind,
    subject_id: UUID | None,
    since: datetime | None,
    until: datetime | None,
) -> Sequence[Notification]:
    """What a member was told of a kind, shown or not, the latest event first, MOST_SHOWN at most."""
    found = select(Notification).where(Notification.member_id == member_id, Notification.kind == kind)
    if subject_id is not None:
        found = found.where(Notification.subject_id == subject_id)
    if since is not None:
        found = found.where(Notification.occurred_at >= since)
    if until is not None:
        found = found.where(Notification.occurred_at < until)
    ordered = found.order_by(Notification.occurred_at.desc(), Notification.id.desc())
    return session.scalars(ordered.limit(MOST_SHOWN)).all()


def ledger_of(session: Session, notifications: Sequence[Notification]) -> Mapping[UUID, Sequence[Delivery]]:
    """The deliveries of each notification."""
    found: dict[UUID, list[Delivery]] = defaultdict(list)
    ids = [notification.id for notification in notifications]
    for row in session.scalars(select(Delivery).where(Delivery.notification_id.in_(ids)).order_by(Delivery.id)):
        if row.notification_id is not None:
            found[row.notification_id].append(row)
    return found
