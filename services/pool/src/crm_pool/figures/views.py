"""Shapes of pools' figures."""

from collections.abc import Mapping
from datetime import date

from pydantic import ConfigDict, Field

from chassis.http.api import View
from crm_pool.assignments.rules import Cause
from crm_pool.assignments.views import Named
from crm_pool.history.views import PeriodQuery


class FiguresQuery(PeriodQuery):
    """Without `from` and `to` the last 30 days."""


class DayView(View):
    """How many customers came `in` and went `out` on one of the organisation's days, by cause."""

    model_config = ConfigDict(serialize_by_alias=True)

    day: date
    in_: Mapping[Cause, int] = Field(serialization_alias="in")
    out: Mapping[Cause, int]


class StaysView(View):
    """Customers that left the pool in the period, and how many days they had lain there."""

    customers: int
    average_days: float | None
    median_days: float | None


class ReturnsView(View):
    """Customers that owners lost to the pool in the period; `again`: of these those that had lain there before."""

    customers: int
    again: int
    share_again: float | None


class ClaimsView(View):
    """Claims out of the pool in the period; `touched`: those followed by a touch while the claimer held the customer,
    and the hours until the first one.
    """

    customers: int
    touched: int
    share_untouched: float | None
    average_hours: float | None
    median_hours: float | None


class FiguresView(View):
    """What went on in a pool; `customers` lie there now. Days on which nothing moved are left out."""

    model_config = ConfigDict(serialize_by_alias=True)

    pool: Named
    from_: date = Field(serialization_alias="from")
    to: date
    customers: int
    days: list[DayView]
    stays: StaysView
    returns: ReturnsView
    claims: ClaimsView
