"""Shapes of the runs' REST API."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, View
from crm_pool.assignments.views import Named
from crm_pool.recycling.rules import Reason


class OwnersToConfirm(Body):
    """Of the owners held only these; without them everything that waits is taken."""

    owner_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)] | None = None


class RunView(View):
    """The run of one day. `state` held: it waits for a confirmation because of `reasons`; dropped: somebody refused it, or
    the next day's run began meanwhile.

    `nominated`: customers that had expired when it was looked at, without those that wait; `taken` of them so far, and
    `spared` because they had not expired when looked at again. `decided_by` confirmed or refused it.
    """

    id: UUID
    day: date
    state: Literal["running", "held", "finished", "dropped"]
    started_at: datetime
    finished_at: datetime | None
    reasons: list[Reason]
    nominated: int
    taken: int
    spared: int
    decided_by: Named | None
    decided_at: datetime | None


class WaitingOwnerView(View):
    """Whose customers wait. `held`: because they are too many of the `owned` ones."""

    owner: Named
    customers: int
    owned: int
    held: bool


class RunDetailView(RunView):
    """A run with whose customers wait, the most first and 200 at most, how many that are in all, and what it took as releases, each of which can
    be undone.
    """

    waiting: int
    waiting_owners: list[WaitingOwnerView]
    release_ids: list[UUID]


class WaitingCustomerView(View):
    """A customer that the run takes once it is confirmed; `name` is null when it lies out of one's sight."""

    customer_id: UUID
    name: str | None
    owner: Named | None
    expires_on: date | None
