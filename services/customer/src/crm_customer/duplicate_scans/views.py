"""Shapes of scans and groups on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from chassis.http.api import PageQuery, View
from crm_customer.customers.views import Named, Owner
from crm_customer.duplicate_scans.rules import GroupStatus, Status


class ScanView(View):
    """A scan of the whole base (数据清洗)."""

    id: UUID
    version: int
    status: Status
    started_by: Owner
    started_at: datetime
    ended_at: datetime | None
    customers: int = Field(description="how many there were when it began, about")
    done: int = Field(description="of `total` steps of this status")
    total: int
    pairs: int
    groups: int


class GroupQuery(PageQuery):
    """Which groups, the surest first."""

    status: GroupStatus = GroupStatus.OPEN


class GroupMember(View):
    """A customer of a group. `reasons`: why it is likely one company with another of them."""

    customer: Named
    owner: Owner | None
    pool: Named | None
    created_at: datetime
    last_touch_at: datetime | None
    score: float
    reasons: list[str]


class GroupView(View):
    """Customers that are likely one company (重复组)."""

    id: UUID
    version: int
    status: GroupStatus
    score: float
    found_at: datetime
    decided_at: datetime | None
    members: list[GroupMember]
    hidden: int = Field(description="how many more there are that the reader does not see, or that are gone")
