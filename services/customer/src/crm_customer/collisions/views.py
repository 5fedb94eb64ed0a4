"""Shapes of collisions on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, PageQuery, View
from crm_customer.collisions.rules import Kind, Outcome, Status
from crm_customer.customers.views import Named, Owner
from crm_customer.timeline.views import TimelineEntry

Words = Annotated[str, Field(min_length=1, max_length=500)]


class NewCollision(Body):
    """A part in a customer that is another's, and why."""

    kind: Kind
    customer_id: UUID = Field(description="a candidate of a check, also out of one's sight")
    own_customer_id: UUID | None = Field(
        default=None, description="a customer of one's own: one's record of the company"
    )
    reason: Words


class Decision(Body):
    """What is to become of it."""

    outcome: Outcome
    note: Annotated[str, Field(max_length=500)] = ""


class Whose(StrEnum):
    """Which collisions: those one opened, those that wait for one's decision, those one decided."""

    MINE = "mine"
    TO_DECIDE = "to_decide"
    DECIDED = "decided"


class CollisionQuery(PageQuery):
    """Which collisions, newest first."""

    list: Whose = Whose.MINE
    status: Status | None = None


class CollisionView(View):
    """A member wants a part in a customer that is another's (撞单)."""

    id: UUID
    version: int
    kind: Kind
    status: Status
    outcome: Outcome | None
    customer: Named
    own_customer: Named | None
    asked_by: Owner
    asked_at: datetime
    reason: str
    decided_by: Owner | None
    decided_at: datetime | None
    note: str | None
    may_decide: bool = Field(description="whether the reader decides it")


class Side(View):
    """One of the records, as whoever decides sees it: the newest of what happened with it."""

    customer: Named
    owner: Owner | None
    pool: Named | None
    created_at: datetime
    last_touch_at: datetime | None
    open_opportunities: int
    won: bool
    timeline: list[TimelineEntry] = Field(
        description="at most 20 entries, changes of place left out; the rest: its own route"
    )


class CollisionDetail(CollisionView):
    """With both sides beside each other, the disputed customer first; nobody but who decides, or decided, sees them."""

    sides: list[Side]
