"""Shapes of the extensions' REST API."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, PageQuery, View
from crm_pool.assignments.views import Named

State = Literal["requested", "granted", "refused", "withdrawn"]
Words = Annotated[str, Field(min_length=1, max_length=500)]
# Beyond what any settings allow; how many they do is said with the refusal.
Days = Annotated[int, Field(ge=1, le=3650)]


class ExtensionQuery(PageQuery):
    """`mine`: asked for by the caller; `to_decide`: open ones that the caller may decide; `all`: all in sight."""

    view: Literal["mine", "to_decide", "all"] = "mine"
    state: State | None = None


class NewExtension(Body):
    """How many days more the caller wants to keep a customer, and why."""

    customer_id: UUID
    days: Days
    reason: Words


class Grant(Body):
    """All days asked for, or fewer."""

    days: Days | None = None


class Refusal(Body):
    """Why not."""

    note: Words


class ExtensionView(View):
    """延期: `owner` asks for `days` more, or has got them. `customer.name` is null when it lies out of one's sight now.

    `lapsed`: the owner has lost the customer, so that nothing is to be decided and nothing counts any more. `expires_on`: the
    customer's last day as it is now, null when it lapsed or does not expire. `note`: why it was refused.
    """

    id: UUID
    customer_id: UUID
    customer_name: str | None
    owner: Named
    days: int
    reason: str
    state: State
    lapsed: bool
    expires_on: date | None
    requested_at: datetime
    decided_by: Named | None
    decided_at: datetime | None
    note: str | None
    version: int
