"""Shapes of the REST API of the pools' rules."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from chassis.http.api import Body, Day, PageQuery, View
from crm_pool.assignments.views import Named
from crm_pool.expiry.rules import ConditionKind, RuleState
from crm_pool.recycle_rules.rules import MAX_DAYS, MAX_LEVELS

Days = Annotated[int, Field(ge=1, le=MAX_DAYS)]
Level = Annotated[str, Field(min_length=1, max_length=60)]


class ConditionBody(Body):
    """What has to happen within how many days. `days`: for customers of any level that `days_by_level` does not name;
    null: these do not expire by it.
    """

    kind: ConditionKind
    days: Days | None = None
    days_by_level: Annotated[dict[Level, Days], Field(max_length=MAX_LEVELS)] = {}


def _acting(conditions: list[ConditionBody]) -> list[ConditionBody]:
    """Each kind once, and none that would take nobody."""
    if len({one.kind for one in conditions}) < len(conditions):
        raise PydanticCustomError("condition_twice", "each kind once")
    if any(one.days is None and not one.days_by_level for one in conditions):
        raise PydanticCustomError("condition_without_days", "days, or days by level")
    return conditions


Conditions = Annotated[list[ConditionBody], Field(min_length=1, max_length=len(ConditionKind)), AfterValidator(_acting)]


class NewRule(Body):
    """A version to draft. The first condition to run out counts. `target_pool_id` null: into the pool itself."""

    pool_id: UUID
    conditions: Conditions
    working_days: bool = False
    exempt_won: bool = True
    exempt_open_opportunity: bool = True
    target_pool_id: UUID | None = None


class RuleChange(Body):
    """The fields of a draft to change; what is left out stays."""

    conditions: Conditions = []
    working_days: bool = False
    exempt_won: bool = True
    exempt_open_opportunity: bool = True
    target_pool_id: UUID | None = None


class Announcement(Body):
    """From which of the organisation's days on it is to be in effect: tomorrow at the earliest."""

    effective_on: Day


class RulesQuery(PageQuery):
    """Which versions; what is left out asks nothing."""

    pool_id: UUID | None = None
    state: RuleState | None = None


class RuleView(View):
    """A version of a pool's rule. `recycles`: active, and every customer's day has been computed by it. `rehearsal_id`: its
    last rehearsal, that of its announcement included, if one is kept.
    """

    id: UUID
    version: int
    pool: Named
    number: int
    state: RuleState
    conditions: list[ConditionBody]
    working_days: bool
    exempt_won: bool
    exempt_open_opportunity: bool
    target_pool: Named
    effective_on: date | None
    recycles: bool
    rehearsal_id: UUID | None
    created_by: Named
    created_at: datetime
    updated_at: datetime
    announced_at: datetime | None
    ended_at: datetime | None


class ShadowDay(View):
    """How many customers a shadow version would have taken on a day."""

    day: date
    customers: int


class ShadowView(View):
    """What a shadow version would have taken, the last day first: a customer once for each last day it had."""

    rule_id: UUID
    days: list[ShadowDay]


class ShadowQuery(PageQuery):
    """Which of the customers: those of a day, or of all."""

    day: Day | None = None


class ShadowCustomerView(View):
    """A customer that would have been taken; `name` null: the caller does not see it."""

    customer_id: UUID
    name: str | None
    owner: Named
    day: date
    expires_on: date
