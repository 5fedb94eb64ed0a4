"""Shapes of tasks on the wire."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from chassis.http.api import Body, Day, NearDay, NearMoment, PageQuery, View
from crm_customer.activities.rules import LONGEST_CONTENT
from crm_customer.customers.views import Named, Owner
from crm_customer.paging import RangeEnd
from crm_customer.tasks.model import Task
from crm_customer.tasks.rules import (
    LONGEST_SUBJECT,
    LONGEST_TEXT,
    Act,
    Kind,
    Priority,
    Standing,
    Status,
    acts_open_to,
    standing_of,
)

Subject = Annotated[str, Field(min_length=1, max_length=LONGEST_SUBJECT)]
# An empty text says nothing.
Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(lambda text: text or None)]


class TaskBody(Body):
    """What is asked for (F-20, F-30)."""

    subject: Subject
    kind: Kind = Kind.OTHER
    priority: Priority = Priority.NORMAL
    description: Text | None = None
    due_at: NearMoment | None = Field(default=None, description="截止时间, not past")
    remind_at: NearMoment | None = Field(default=None, description="not past, and not after due_at")
    owner_id: UUID | None = Field(default=None, description="任务所有者, answers for it; default: see each route")


class NewTask(TaskBody):
    """A task for one customer, or for none."""

    customer_id: UUID | None = None
    handler_id: UUID | None = Field(default=None, description="处理人, does it; default: the caller")
    owner_id: UUID | None = Field(default=None, description="任务所有者, answers for it; default: the handler")


class TaskChanges(Body):
    """Only the fields that are to change; null or empty clears a description, null a moment. The customer stays."""

    subject: Subject | None = None
    kind: Kind | None = None
    priority: Priority | None = None
    description: Text | None = None
    due_at: NearMoment | None = None
    remind_at: NearMoment | None = None
    owner_id: UUID | None = None
    handler_id: UUID | None = None
    progress: int | None = Field(default=None, ge=0, le=100, description="任务进度, percent")

    @field_validator("subject", "kind", "priority", "owner_id", "handler_id", "progress")
    @classmethod
    def _filled(cls, value: object) -> object:
        if value is None:
            raise PydanticCustomError("missing", "may not be empty")
        return value


class TaskFollowUp(Body):
    """The follow-up that was the work (F-17)."""

    method: str = Field(min_length=1, max_length=50, description="跟进方式: key or label of follow_up_method")
    content: str = Field(min_length=1, max_length=LONGEST_CONTENT)
    next_contact_on: Day | None = None


class TaskNote(Body):
    """A word on why."""

    note: Text | None = None


class Completion(TaskNote):
    """A word on how it went, and the follow-up to be logged with the customer."""

    follow_up: TaskFollowUp | None = None


class TaskList(StrEnum):
    """我待办的, 我下发的, 我负责的 (X-38); supervised (监管): issued, answered for or done in departments that the caller sees."""

    TODO = "todo"
    ISSUED = "issued"
    RESPONSIBLE = "responsible"
    SUPERVISED = "supervised"


class TaskQuery(PageQuery):
    """Which tasks, all conditions combined with AND."""

    list: TaskList | None = Field(
        default=None, description="default: todo; with customer_id all tasks of the customer, which the caller must see"
    )
    status: Status | None = None
    closed: bool | None = Field(default=None, description="false: open and in progress; true: done and ended")
    kind: Kind | None = None
    priority: Priority | None = None
    customer_id: UUID | None = None
    dispatch_id: UUID | None = None
    handler_id: UUID | None = None
    due_from: NearDay | None = Field(default=None, description="day in the organisation's zone, inclusive")
    due_to: Annotated[NearDay | None, RangeEnd] = Field(
        default=None, description="day in the organisation's zone, inclusive"
    )
    overdue: bool = Field(default=False, description="past due_at and not closed")
    handler_left: bool = Field(default=False, description="not closed, and whoever should do it has left")
    in_pool: bool = Field(default=False, description="not closed, and the customer lies in a pool meanwhile")
    search: str = Field(default="", max_length=100, description="part of the subject")


class TaskCustomer(Named):
    """Whom it is about; the name alone where the reader does not see the customer."""

    visible: bool


class TaskView(View):
    """A task, and what the reader may do with it. Without customer: it has none, or its owner has locked it."""

    id: UUID
    version: int
    kind: Kind
    subject: str
    description: str | None
    priority: Priority
    status: Status
    progress: int
    overdue: bool
    customer: TaskCustomer | None
    dispatch_id: UUID | None
    issuer: Owner
    owner: Owner
    handler: Owner
    due_at: datetime | None
    remind_at: datetime | None
    closed_at: datetime | None
    closed_by: Named | None
    close_note: str | None
    created_at: datetime
    updated_at: datetime
    may: list[Act]


@dataclass(frozen=True)
class SeenTask:
    """A task as a member sees it: with names of all its people, and the others among them whose departments the member sees."""

    task: Task
    reader_id: UUID
    customer: TaskCustomer | None
    names: Mapping[UUID, Owner]
    overseen: Collection[UUID]

    @property
    def standing(self) -> Standing:
        """What the reader is to the task."""
        return standing_of(self.reader_id, self.task.people, self.overseen)

    @property
    def closed_it(self) -> bool:
        """Whether the reader closed it."""
        return self.task.closed_by == self.reader_id

    def view(self, now: datetime) -> TaskView:
        """As it is answered at `now`."""
        task, status = self.task, Status(self.task.status)
        columns: dict[str, Any] = {name: getattr(task, name) for name in _COLUMNS}
        closed_by = self.names[task.closed_by] if task.closed_by else None
        return TaskView(
            **columns,
            progress=100 if status is Status.DONE else task.progress,
            overdue=not task.is_closed and task.due_at is not None and task.due_at < now,
            customer=self.customer,
            issuer=self.names[task.created_by],
            owner=self.names[task.owner_id],
            handler=self.names[task.handler_id],
            closed_by=closed_by and Named(id=closed_by.id, name=closed_by.name),
            may=acts_open_to(self.standing, status, closed_it=self.closed_it),
        )


_COLUMNS = set(TaskView.model_fields) - {
    *("progress", "overdue", "customer", "issuer", "owner", "handler", "closed_by", "may")
}
