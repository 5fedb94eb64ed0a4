"""Shapes of notifications on the wire."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, NearMoment, View
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import Category, Kind, category_of
from crm_notify.notifications.texts import words
from crm_notify.paging import PagedQuery

MOST_AT_ONCE = 200


class NotificationQuery(PagedQuery):
    """Which of one's notifications to list. `unread`: true those, false what was read. Snoozed and dismissed ones are out
    of sight: each are listed for themselves.
    """

    unread: bool | None = None
    category: Category | None = None
    kind: Kind | None = None
    subject_id: UUID | None = Field(default=None, description="the record that `subject` names")
    snoozed: bool = False
    dismissed: bool = False


class ReadAllBody(Body):
    """Which notifications to mark as read: of one category, or all."""

    category: Category | None = None


class SnoozeBody(Body):
    """Until when a notification is out of sight, a year at most."""

    until: NearMoment


class IdsBody(Body):
    """Up to 200 notifications."""

    ids: list[UUID] = Field(min_length=1, max_length=MOST_AT_ONCE)


class Subject(View):
    """What a notification is about: `customer`, `assignment_batch`, `customer_batch`, `leaver` (a member's id), `import`, `pool`,
    `extension` or `recycling_run`.
    """

    type: str
    id: UUID


class NotificationView(View):
    """One notification in the reader's language; `title` and `text` are plain text. `occurred_at` is when it happened,
    `created_at` when it was told.
    """

    id: UUID
    kind: str
    category: Category | None
    title: str
    text: str
    subject: Subject | None
    batch_id: UUID | None
    occurred_at: datetime
    created_at: datetime
    read_at: datetime | None
    snoozed_until: datetime | None
    dismissed_at: datetime | None

    @classmethod
    def of(cls, row: Notification, names: Mapping[UUID, str], language: str) -> "NotificationView":
        """The view of `row`; `names` as in `texts.words`."""
        made = words(row.kind, row.parameters, names, language)
        return cls(
            id=row.id,
            kind=row.kind,
            category=category_of(row.kind),
            title=made.title,
            text=made.text,
            subject=Subject(type=row.subject_type, id=row.subject_id) if row.subject_type and row.subject_id else None,
            batch_id=row.batch_id,
            occurred_at=row.occurred_at,
            created_at=row.created_at,
            read_at=row.read_at,
            snoozed_until=row.snoozed_until,
            dismissed_at=row.dismissed_at,
        )


class UnreadCount(View):
    """How many of one's notifications are unread, of all and by category; 1,000 stands for that many or more, of which
    the categories count the newest.
    """

    unread: int
    by_category: dict[Category, int]


class Dismissed(View):
    """What became of each id: those of one's own are dismissed, others do not exist for the caller."""

    dismissed: list[UUID]
    not_found: list[UUID]
