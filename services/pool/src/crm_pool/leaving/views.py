"""Shapes of the leavers' REST API."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chassis.http.api import Body, View
from crm_pool.assignments.views import Named, Option, PassedOverView

MAX_RECEIVERS = 20
MAX_REGIONS = 50
# For each way of sharing: what must be said, and what may be.
_SAID: dict[str, tuple[str | None, str | None]] = {
    "evenly": ("member_ids", None),
    "by_region": ("regions", "rest"),
    "to_pool": (None, "pool_id"),
}


class Region(Body):
    """Customers of a province, or of one of its cities, and who gets them."""

    province: Annotated[Option, Field(min_length=1)]
    city: Option = ""
    member_id: UUID


class Rest(Body):
    """Who gets, or which pool, what lies in none of the regions."""

    member_id: UUID | None = None
    pool_id: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.member_id is None) == (self.pool_id is None):
            raise PydanticCustomError("member_or_pool", "either a member or a pool")
        return self


class Sharing(Body):
    """`evenly` to `member_ids` in turn; `by_region` to those named for the first region that a customer lies in, others as
    `rest` says; `to_pool`. Where no pool is named, it is the to-be-assigned pool of the leaver's department.
    """

    how: Literal["evenly", "by_region", "to_pool"]
    member_ids: Annotated[list[UUID], Field(max_length=MAX_RECEIVERS)] = []
    regions: Annotated[list[Region], Field(max_length=MAX_REGIONS)] = []
    rest: Rest | None = None
    pool_id: UUID | None = None

    @model_validator(mode="after")
    def _as_said(self) -> Self:
        needed, allowed = _SAID[self.how]
        given = self.model_fields_set - {"how"}
        if not given <= {needed, allowed} or (needed and not getattr(self, needed)):
            raise PydanticCustomError("sharing_incomplete", "not what this way of sharing takes")
        return self


class ShareView(View):
    """How many customers go to a member, or into a pool."""

    member: Named | None
    pool: Named | None
    customers: int


class RemarkView(View):
    """How many customers go to a pool instead of whom they were meant for, or stay as they are, and why."""

    code: str
    message: str
    customers: int


class SharingPlanView(View):
    """What a hand-over would do this moment. `redirected` are among those that pools get; `staying` stay with the leaver.
    `passed_over`: receivers who get nothing.
    """

    customers: int
    shares: list[ShareView]
    redirected: list[RemarkView]
    staying: list[RemarkView]
    passed_over: list[PassedOverView]


class LeaverView(View):
    """A member who left and owns `customers` still; on `hand_over_on` they go to the department's to-be-assigned pool,
    except `wecom_friends` of them, which stay until somebody gives them away.
    """

    member: Named
    department_id: UUID | None
    left_at: datetime
    hand_over_on: date
    customers: int
    wecom_friends: int
