"""Shapes of the timeline on the wire."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, NearDay, View
from crm_customer.customers.views import Named, named
from crm_customer.paging import RangeEnd
from crm_customer.timeline.rules import EntryKind, Status


class TimelineQuery(Body):
    """Which entries, and how many."""

    kinds: list[EntryKind] = Field(default_factory=list, max_length=len(EntryKind), description="none: all")
    member_id: UUID | None = Field(default=None, description="who did it")
    status: Status | None = Field(default=None, description="whether something is still to be done about it (F-03)")
    from_: NearDay | None = Field(default=None, alias="from", description="day of the organisation, inclusive")
    to: Annotated[NearDay | None, RangeEnd] = Field(default=None, description="day of the organisation, inclusive")
    page_size: int = Field(default=15, ge=1, le=200)
    cursor: str = Field(default="", max_length=200, description="next_cursor of the answer before: goes on after it")


class TimelinePlace(View):
    """Where a customer lay: with an owner or in a pool."""

    owner: Named | None
    pool: Named | None


class TimelineEntry(View):
    """Something that happened with the customer, or is planned."""

    kind: EntryKind
    event: str = Field(
        description="written, created, completed, ended, planned, added, won, lost, received; of an assignment its cause"
    )
    id: UUID | None = Field(description="the record's, see its own route; null: a change of place")
    at: datetime = Field(description="when; an entry of a schedule: when it begins")
    member: Named | None = Field(description="who did it; null: the system, or nobody is known")
    status: Status
    title: str | None = None
    content: str | None = None
    method: str | None = None
    on: date | None = Field(default=None, description="next contact of a follow-up, day of a deal or payment")
    until: datetime | None = Field(default=None, description="when a task is due, or an entry of a schedule ends")
    amount: str | None = None
    currency: str | None = None
    about_id: UUID | None = Field(default=None, description="of a remark: the activity; of a payment: the order")
    came_from: TimelinePlace | None = Field(default=None, description="of an assignment; null: it was born")
    went_to: TimelinePlace | None = None


def entry_view(row: Any) -> TimelineEntry:
    """An entry out of a row of `queries.entries`."""
    columns = (
        "kind",
        "event",
        "id",
        "at",
        "status",
        "title",
        "content",
        "method",
        "on",
        "until",
        "currency",
        "about_id",
    )
    return TimelineEntry(
        **{name: getattr(row, name) for name in columns},
        member=named(row.member_id, row.member),
        amount=None if row.amount is None else str(row.amount),
    )


class Timeline(View):
    """Newest first."""

    items: list[TimelineEntry]
    next_cursor: str | None = None
    incomplete: list[str] = Field(description="what could not be asked now: `assignments` while pool is away")
