"""Shapes of notifications on the wire."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from chassis.http.api import PageQuery, View
from crm_notify.notifications.model import Notification
from crm_notify.notifications.texts import words


class NotificationQuery(PageQuery):
    """Which of one's notifications to list: all, unread ones, or read ones."""

    unread: bool | None = None


class Subject(View):
    """What a notification is about: `customer`, `assignment_batch`, `customer_batch`, `leaver` (a member's id), `import`, `pool`,
    `extension` or `recycling_run`.
    """

    type: str
    id: UUID


class NotificationView(View):
    """One notification in the reader's language; `title` and `text` are plain text."""

    id: UUID
    kind: str
    title: str
    text: str
    subject: Subject | None
    batch_id: UUID | None
    created_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, row: Notification, names: Mapping[UUID, str], language: str) -> "NotificationView":
        """The view of `row`; `names` as in `texts.words`."""
        made = words(row.kind, row.parameters, names, language)
        return cls(
            id=row.id,
            kind=row.kind,
            title=made.title,
            text=made.text,
            subject=Subject(type=row.subject_type, id=row.subject_id) if row.subject_type and row.subject_id else None,
            batch_id=row.batch_id,
            created_at=row.created_at,
            read_at=row.read_at,
        )


class UnreadCount(View):
    """How many of one's notifications are unread."""

    unread: int
