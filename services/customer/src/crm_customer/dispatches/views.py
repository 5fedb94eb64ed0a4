"""Shapes of dispatches on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from batch.commands import MAX_ITEMS
from chassis.http.api import PageQuery, View
from crm_customer.batches.views import Customers
from crm_customer.customers.views import Owner
from crm_customer.dispatches.rules import MOST_CUSTOMERS, MOST_HANDLERS
from crm_customer.tasks.rules import Kind, Priority
from crm_customer.tasks.views import TaskBody


class NewDispatch(TaskBody, Customers):
    """Which customers, who is to work on them, and what is to be done with each (F-22)."""

    # More than can be dispatched, so that the refusal names the limit (F-31).
    customer_ids: Annotated[
        list[UUID], Field(max_length=MAX_ITEMS, description=f"at most {MOST_CUSTOMERS} different ones")
    ] = []
    handler_ids: list[UUID] = Field(
        min_length=1, max_length=MOST_HANDLERS, description="处理人: get the customers in turn, in this order"
    )
    owner_id: UUID | None = Field(default=None, description="任务所有者 of each task; default: the caller")


class DispatchList(StrEnum):
    """My own, or those of whoever is in the departments that I see."""

    ISSUED = "issued"
    SUPERVISED = "supervised"


class DispatchQuery(PageQuery):
    """Whose dispatches."""

    list: DispatchList = DispatchList.ISSUED


class Counts(View):
    """How many tasks are where; `overdue` of those that are open or in progress."""

    open: int = 0
    in_progress: int = 0
    done: int = 0
    ended: int = 0
    overdue: int = 0


class DispatchView(View):
    """What was dispatched, and how far it is (F-26). `running`: tasks are still being given."""

    id: UUID
    kind: Kind
    subject: str
    description: str | None
    priority: Priority
    due_at: datetime | None
    remind_at: datetime | None
    issuer: Owner
    owner: Owner
    customers: int
    tasks: Counts
    running: bool
    created_at: datetime
    ended_at: datetime | None


class HandlerCounts(View):
    """How far one handler is."""

    handler: Owner
    tasks: Counts


class DispatchDetail(DispatchView):
    """The same for each handler: those named, in their order, and whoever a task was handed on to."""

    handlers: list[HandlerCounts]
