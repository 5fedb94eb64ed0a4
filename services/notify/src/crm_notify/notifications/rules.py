"""What can be told, and the parameters its words need."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
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


@dataclass(frozen=True)
class Notice:
    """What one member is to hear of one event, in the app, by e-mail or both.

    `parameters` are JSON: ids of members as text (`actor_id`, `left_member_ids`, `owner_id` of what is `expiring`), whose names are looked up when the
    words are made, and plain values. `subject_type` and `subject_id` say what to open.
    """

    source_event_id: UUID
    member_id: UUID
    kind: Kind
    parameters: dict[str, Any] = field(default_factory=dict)
    subject_type: str | None = None
    subject_id: UUID | None = None
    batch_id: UUID | None = None
    in_app: bool = True
    email: bool = False
