"""Shapes of the handover card's REST API."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from chassis.http.api import View
from crm_pool.assignments.rules import Cause
from crm_pool.assignments.views import Named


class PastOwnerView(View):
    """Somebody who held the customer from `since` (null: longer than is known) until `until`, and why not any more.

    `why`: in words, as `cause` says; `reason` and `note`: what whoever gave it up said. `by`: who did it, null: the system.
    """

    member: Named
    since: datetime | None
    until: datetime
    cause: Cause
    why: str
    reason: str | None
    note: str | None
    by: Named | None


class TouchView(View):
    """A follow-up (跟进); `content` is the beginning of what was written."""

    at: datetime
    member: Named
    method: str
    content: str


class PromiseView(View):
    """What was promised for a day ahead."""

    on: date
    member: Named
    content: str


class OpenOpportunityView(View):
    """An opportunity that is neither won nor lost."""

    id: UUID
    name: str
    stage: str
    amount: Decimal | None
    currency: str | None


class CustomerPartView(View):
    """What the customer service knows, as far as one sees it: the last touches, promises ahead, open opportunities."""

    touches: list[TouchView]
    promises: list[PromiseView]
    opportunities: list[OpenOpportunityView]


class HandoverCardView(View):
    """交接卡: what a new owner should know. `past_owners`: newest first. `times_in_pools`: how often it came into a pool.

    `customer` is null when the customer service said nothing; `customer_away`: it did not answer in time, ask again.
    """

    customer_id: UUID
    past_owners: list[PastOwnerView]
    times_in_pools: int
    customer: CustomerPartView | None
    customer_away: bool
