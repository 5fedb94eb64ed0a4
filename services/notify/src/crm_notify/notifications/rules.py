"""What can be told, and the parameters its words need."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast
from uuid import UUID


class Kind(StrEnum):
    """Kinds of notifications; `texts/{zh,en}.toml` hold the words of each."""

    CUSTOMERS_ASSIGNED = "customers_assigned"
    CUSTOMERS_IMPORTED = "customers_imported"
    CUSTOMERS_TRANSFERRED_IN = "customers_transferred_in"
    CUSTOMERS_TAKEN_OVER = "customers_taken_over"
    CUSTOMERS_RETURNED = "customers_returned"
    CUSTOMERS_TRANSFERRED_OUT = "customers_transferred_out"
    CUSTOMERS_RELEASED = "customers_released"
    CUSTOMERS_RECYCLED = "customers_recycled"
    CUSTOMERS_HANDED_OVER = "customers_handed_over"
    OWNER_LEFT = "owner_left"
    CUSTOMERS_EXPIRING = "customers_expiring"
    EXTENSION_REQUESTED = "extension_requested"
    EXTENSION_GRANTED = "extension_granted"
    EXTENSION_REFUSED = "extension_refused"
    RECYCLING_HELD = "recycling_held"
    RECYCLE_RULE_ANNOUNCED = "recycle_rule_announced"
    REVEALS_SURGED = "reveals_surged"
    WORK_DUE = "work_due"
    REMINDER_DUE = "reminder_due"
    TASK_ASSIGNED = "task_assigned"
    TASK_COMPLETED = "task_completed"
    TASK_ENDED = "task_ended"
    TASK_HANDED_ON = "task_handed_on"
    TASKS_DISPATCHED = "tasks_dispatched"
    DISPATCH_FINISHED = "dispatch_finished"
    ASSIGNMENT_BATCH_FINISHED = "assignment_batch_finished"
    CUSTOMERS_DELETED = "customers_deleted"
    CUSTOMERS_RESTORED = "customers_restored"
    CUSTOMERS_CHANGED = "customers_changed"
    CUSTOMERS_TAGGED = "customers_tagged"
    CUSTOMER_BATCH_FINISHED = "customer_batch_finished"
    COLLABORATION_TO_READ = "collaboration_to_read"
    COLLABORATION_TO_WRITE = "collaboration_to_write"
    COLLABORATION_ENDED = "collaboration_ended"
    COLLABORATION_ASKED = "collaboration_asked"
    CUSTOMER_DISPUTED = "customer_disputed"
    COLLISION_KEPT = "collision_kept"
    COLLISION_SHARED = "collision_shared"
    COLLISION_GIVEN = "collision_given"
    COLLISION_TO_MERGE = "collision_to_merge"
    COLLISION_WITHDRAWN = "collision_withdrawn"
    CUSTOMERS_MERGED = "customers_merged"
    CUSTOMERS_UNMERGED = "customers_unmerged"
    IMPORT_FINISHED = "import_finished"
    IMPORT_FAILED = "import_failed"
    IMPORT_CANCELLED = "import_cancelled"
    IMPORT_UNDONE = "import_undone"
    EXPORT_FINISHED = "export_finished"
    EXPORT_FAILED = "export_failed"
    MAILING_FINISHED = "mailing_finished"
    MESSAGE_RECEIVED = "message_received"
    ANNOUNCEMENT = "announcement"


class Category(StrEnum):
    """What users call a group of kinds: the filter of the inbox and the chapters of preferences."""

    CUSTOMERS = "customers"
    POOLS = "pools"
    WORK = "work"
    COLLABORATION = "collaboration"
    IMPORTS = "imports"
    MESSAGES = "messages"
    ANNOUNCEMENTS = "announcements"


KINDS_OF = {
    Category.CUSTOMERS: (
        Kind.CUSTOMERS_ASSIGNED,
        Kind.CUSTOMERS_IMPORTED,
        Kind.CUSTOMERS_TRANSFERRED_IN,
        Kind.CUSTOMERS_TAKEN_OVER,
        Kind.CUSTOMERS_TRANSFERRED_OUT,
        Kind.CUSTOMERS_HANDED_OVER,
        Kind.OWNER_LEFT,
        Kind.CUSTOMERS_CHANGED,
        Kind.CUSTOMERS_TAGGED,
        Kind.CUSTOMERS_DELETED,
        Kind.CUSTOMERS_RESTORED,
        Kind.CUSTOMERS_MERGED,
        Kind.CUSTOMERS_UNMERGED,
        Kind.ASSIGNMENT_BATCH_FINISHED,
        Kind.CUSTOMER_BATCH_FINISHED,
    ),
    Category.POOLS: (
        Kind.CUSTOMERS_EXPIRING,
        Kind.CUSTOMERS_RELEASED,
        Kind.CUSTOMERS_RECYCLED,
        Kind.CUSTOMERS_RETURNED,
        Kind.EXTENSION_REQUESTED,
        Kind.EXTENSION_GRANTED,
        Kind.EXTENSION_REFUSED,
        Kind.RECYCLING_HELD,
        Kind.RECYCLE_RULE_ANNOUNCED,
        Kind.REVEALS_SURGED,
    ),
    Category.WORK: (
        Kind.WORK_DUE,
        Kind.REMINDER_DUE,
        Kind.TASK_ASSIGNED,
        Kind.TASK_COMPLETED,
        Kind.TASK_ENDED,
        Kind.TASK_HANDED_ON,
        Kind.TASKS_DISPATCHED,
        Kind.DISPATCH_FINISHED,
    ),
    Category.COLLABORATION: (
        Kind.COLLABORATION_TO_READ,
        Kind.COLLABORATION_TO_WRITE,
        Kind.COLLABORATION_ENDED,
        Kind.COLLABORATION_ASKED,
        Kind.CUSTOMER_DISPUTED,
        Kind.COLLISION_KEPT,
        Kind.COLLISION_SHARED,
        Kind.COLLISION_GIVEN,
        Kind.COLLISION_TO_MERGE,
        Kind.COLLISION_WITHDRAWN,
    ),
    Category.IMPORTS: (
        Kind.IMPORT_FINISHED,
        Kind.IMPORT_FAILED,
        Kind.IMPORT_CANCELLED,
        Kind.IMPORT_UNDONE,
        Kind.EXPORT_FINISHED,
        Kind.EXPORT_FAILED,
    ),
    Category.MESSAGES: (Kind.MESSAGE_RECEIVED, Kind.MAILING_FINISHED),
    Category.ANNOUNCEMENTS: (Kind.ANNOUNCEMENT,),
}
CATEGORY_OF = {kind: category for category, kinds in KINDS_OF.items() for kind in kinds}
# Snoozing longer than this is forgetting (K-14).
MOST_SNOOZED = timedelta(days=366)


def category_of(kind: str) -> Category | None:
    """The category of a kind as stored; None for one of a newer release."""
    return CATEGORY_OF.get(cast("Kind", kind))


def may_be_snoozed(until: datetime, now: datetime) -> bool:
    """Whether a notification can be out of sight until then: from now on, for a year at most."""
    return now < until <= now + MOST_SNOOZED


@dataclass(frozen=True)
class Wish:
    """Over which channels an operator wants the receivers to be told (C-35, J-09, J-13): one of them at least."""

    in_app: bool
    email: bool


@dataclass(frozen=True)
class Notice:
    """What one member is to hear of one event; over which channels, preferences say.

    `parameters` are JSON: ids of members as text (`actor_id`, `left_member_ids`, `owner_id` of what is `expiring`), whose names are looked up when the
    words are made, and plain values. `subject_type` and `subject_id` say what to open. `occurred_at` is when the event
    happened, None: just now.
    """

    source_event_id: UUID
    member_id: UUID
    kind: Kind
    parameters: dict[str, Any] = field(default_factory=dict)
    subject_type: str | None = None
    subject_id: UUID | None = None
    batch_id: UUID | None = None
    wish: Wish | None = None
    occurred_at: datetime | None = None
