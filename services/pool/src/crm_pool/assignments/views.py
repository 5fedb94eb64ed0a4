"""Shapes of the assignments' REST API."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from chassis.http.api import Body, PageQuery, View
from crm_pool.assignments.rules import MAX_ASSIGNEES, MAX_CUSTOMERS, Cause

CustomerIds = Annotated[list[UUID], Field(min_length=1, max_length=MAX_CUSTOMERS)]


class Notify(Body):
    """How the new owners are told (C-35): by default in the application."""

    in_app: bool = True
    email: bool = False


class CustomersToClaim(Body):
    """The customers to claim; repeated ids count once."""

    customer_ids: CustomerIds


class CustomersToAssign(Body):
    """The customers, and the members who get them in turn in the order given."""

    customer_ids: CustomerIds
    member_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_ASSIGNEES)]
    notify: Notify = Notify()


class CustomersToTransfer(Body):
    """The customers and their new owner."""

    customer_ids: CustomerIds
    member_id: UUID
    notify: Notify = Notify()


class CustomersToRelease(Body):
    """The customers and the pool they go to: the default public pool unless named."""

    customer_ids: CustomerIds
    pool_id: UUID | None = None


class CustomersToMove(Body):
    """The customers and the pool they go to."""

    customer_ids: CustomerIds
    pool_id: UUID


class Named(View):
    """A member or a pool."""

    id: UUID
    name: str


class RowView(View):
    """What became of one customer. `code` and `message` say why it was skipped; `owner` is the owner now."""

    customer_id: UUID
    outcome: Literal["done", "skipped"]
    code: str | None
    message: str | None
    owner: Named | None


class PassedOverView(View):
    """An assignee who got nothing because of being away."""

    member_id: UUID
    code: str
    message: str


class BatchView(View):
    """What became of a batch, row by row in the order asked for; `batch_id` is null for a single customer."""

    batch_id: UUID | None
    succeeded: int
    skipped: int
    results: list[RowView]
    passed_over: list[PassedOverView] = []


class AssignmentView(View):
    """Where a customer lies: with an owner or in a pool."""

    customer_id: UUID
    owner: Named | None
    pool: Named | None
    held_since: datetime
    expires_on: date | None
    suspended: bool
    version: int


class HistoryQuery(PageQuery):
    """Which page of the history."""

    page: Annotated[int, Field(ge=1, le=100_000)] = 1
    page_size: Annotated[int, Field(ge=1, le=200)] = 15


class PlaceView(View):
    """An owner or a pool."""

    owner: Named | None
    pool: Named | None


class HistoryView(View):
    """One change: who (null: the system), when, from where (null: created), to where, why."""

    model_config = ConfigDict(serialize_by_alias=True)

    version: int
    at: datetime
    actor: Named | None
    cause: Cause
    from_: PlaceView | None = Field(serialization_alias="from")
    to: PlaceView
    batch_id: UUID | None
