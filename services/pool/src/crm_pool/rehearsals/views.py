"""Shapes of the REST API of rehearsals."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from chassis.http.api import PageQuery, View
from crm_pool.assignments.views import Named
from crm_pool.rehearsals.rules import HORIZON_DAYS


class LossesView(View):
    """Customers that would be taken at the end of the rehearsal's day, and by the ends of the 7th and 30th day after it."""

    tonight: int
    in_7_days: int
    in_30_days: int


class DepartmentLosses(LossesView):
    """Those of owners of one department; null: of none."""

    department: Named | None


class LevelLosses(LossesView):
    """Those of one customer level; empty: without one."""

    level: str


class DayLosses(View):
    """How many customers have their last day then."""

    day: date
    customers: int


class RehearsalView(View):
    """A rehearsal of a version as if it took effect on `day`, with the warning days that this leaves everybody.

    `running`: counts grow with `examined`, the customers looked at. `stopped`: the version was changed before it was
    through. `warned`: how many of `total` only the warning days keep from expiring sooner. `days`: 31 numbers, beginning
    with `day`.
    """

    id: UUID
    rule_id: UUID
    rule_version: int
    day: date
    state: Literal["running", "finished", "stopped"]
    actor: Named
    at: datetime
    done_at: datetime | None
    examined: int
    total: LossesView
    warned: int
    departments: list[DepartmentLosses]
    levels: list[LevelLosses]
    days: list[DayLosses]


class OwnerLosses(LossesView):
    """Those of one owner; `earlier`: how many would expire earlier than they do now, however late."""

    owner: Named
    earlier: int


class RehearsedQuery(PageQuery):
    """Which of the customers; what is left out asks nothing. `within`: days after the rehearsal's."""

    owner_id: UUID | None = None
    department_id: UUID | None = None
    level: Annotated[str | None, Field(max_length=60)] = None
    within: Annotated[int, Field(ge=0, le=HORIZON_DAYS)] = HORIZON_DAYS


class RehearsedCustomerView(View):
    """A customer that would expire; `name` null: the caller does not see it. `warned`: only the warning days keep it from
    expiring sooner.
    """

    customer_id: UUID
    name: str | None
    owner: Named
    department: Named | None
    level: str
    expires_on: date
    warned: bool
