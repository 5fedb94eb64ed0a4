"""Shapes of the assignments' REST API."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from batch.model import Status
from batch.selection import CustomerFilter
from chassis.http.api import Body, View
from crm_pool.assignments.rules import MAX_ASSIGNEES, MAX_CUSTOMERS, Cause, Distribution, Effects, FormerOwner, Related

CustomerIds = Annotated[list[UUID], Field(min_length=1, max_length=MAX_CUSTOMERS)]
Option = Annotated[str, Field(max_length=100)]


class Notify(Body):
    """How the new owners are told (C-35): by default in the application."""

    in_app: bool = True
    email: bool = False


class Selection(Body):
    """All customers that match, however many pages of the list they fill."""

    filter: CustomerFilter


class Customers(Body):
    """Which customers: some by id, each counting once, answered at once; or all that match, answered as a batch."""

    customer_ids: CustomerIds = Field(default_factory=list)
    selection: Selection | None = None

    @model_validator(mode="after")
    def _either_or(self) -> Self:
        if ("customer_ids" in self.model_fields_set) == (self.selection is not None):
            raise PydanticCustomError("ids_or_selection", "either customer_ids or selection")
        return self


class CustomersToClaim(Customers):
    """The customers to claim."""


class CustomersToGive(Customers):
    """Customers that get a new owner. Of those that had one: which records go with them, the others keep their owner
    (H-04), and what becomes of the former owner (H-05).
    """

    following: list[Related] = list(Related)
    former_owner: FormerOwner = FormerOwner.REMOVED
    notify: Notify = Notify()

    @property
    def effects(self) -> Effects:
        """What the operator chose."""
        return Effects(tuple(one for one in Related if one in self.following), self.former_owner)


class CustomersToAssign(CustomersToGive):
    """The customers, and the members who get them: in turn in the order given, or by capacity whoever has most room."""

    member_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_ASSIGNEES)]
    distribution: Distribution = Distribution.IN_TURN


class CustomersToTransfer(CustomersToGive):
    """The customers and their new owner."""

    member_id: UUID


class CustomersToRelease(Customers):
    """The customers, the pool they go to, the default public pool unless named, and why: of the dictionary, in words."""

    pool_id: UUID | None = None
    reason_id: UUID | None = None
    reason_note: Annotated[str, Field(max_length=200)] = ""


class CustomersToConfirm(Customers):
    """Prospects that are valid, and the to-be-assigned pool they go to: the default one unless named."""

    pool_id: UUID | None = None


class CustomersToMove(Customers):
    """The customers and the pool they go to."""

    pool_id: UUID


class Named(View):
    """A member, a pool or a reason."""

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


class OutcomeView(View):
    """What became of the customers, row by row in the order asked for; `batch_id` is null for a single one.

    Of a selection (202, `running`) nothing is done yet: `results` is empty, `total` says how many customers matched.
    """

    batch_id: UUID | None
    status: Status
    total: int
    succeeded: int
    skipped: int
    results: list[RowView]
    passed_over: list[PassedOverView] = []


class AssignmentView(View):
    """Where a customer lies: with an owner or in a pool.

    `expires_on`: the last day it stays with its owner, null: it does not expire. `days_left`: from today on, 0 on that day.
    """

    customer_id: UUID
    owner: Named | None
    pool: Named | None
    held_since: datetime
    expires_on: date | None
    days_left: int | None
    suspended: bool
    version: int


class PoolAllowanceView(View):
    """A pool that one may claim from; `claims_left` today, null: any number."""

    pool: Named
    claims_left: int | None


class AllowanceView(View):
    """What one may still claim. `room`: how many more customers one may own, null: any number."""

    room: int | None
    pools: list[PoolAllowanceView]


class PlaceView(View):
    """An owner or a pool."""

    owner: Named | None
    pool: Named | None


class HistoryView(View):
    """One change: who (null: the system), when, from where (null: created), to where, why, and what else it did.

    `following`: the records that went with it; `former_owner`: what became of whoever owned it; `undoes_version`: the
    change that it took back; `reason`, `reason_note`: why it was given up. Null: nothing of the kind.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    version: int
    at: datetime
    actor: Named | None
    cause: Cause
    from_: PlaceView | None = Field(serialization_alias="from")
    to: PlaceView
    batch_id: UUID | None
    following: tuple[Related, ...] | None
    former_owner: FormerOwner | None
    undoes_version: int | None
    reason: Named | None
    reason_note: str | None
