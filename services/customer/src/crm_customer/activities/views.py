"""Shapes of activities on the wire."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, Day, NearDay, PageQuery, View
from crm_customer.activities.rules import LONGEST_CONTENT, LONGEST_TITLE, Kind
from crm_customer.customers.views import Named
from crm_customer.paging import RangeEnd

_METHOD = Field(
    default=None, min_length=1, max_length=50, description="跟进方式: key or label of follow_up_method (F-02)"
)
_TITLE = Field(default=None, min_length=1, max_length=LONGEST_TITLE, description="of a log (F-07)")
_PROMISE = Field(
    default=None,
    description="day in the organisation's zone on which the customer will hear again, not past (F-04)",
)


class ActivityBody(Body):
    """What is written: a follow-up has a method, a log a title, both and remarks a content (of a log optional)."""

    method: str | None = _METHOD
    title: str | None = _TITLE
    content: str | None = Field(default=None, min_length=1, max_length=LONGEST_CONTENT)
    next_contact_on: Day | None = _PROMISE


class NewActivity(ActivityBody):
    """A follow-up (写跟进, F-01), log (F-05) or remark. When it happened is the server's to say."""

    customer_id: UUID
    kind: Kind
    contact_id: UUID | None = Field(default=None, description="one of the customer's contacts")
    opportunity_id: UUID | None = Field(default=None, description="one of the customer's opportunities")
    about_id: UUID | None = Field(default=None, description="of a remark: the activity that it comments")


class ActivityChanges(ActivityBody):
    """Only what is to change; null takes the next contact, or the content of a log, away."""


class ActivityQuery(PageQuery):
    """Whose activities: with one customer, else those of one member, or of all whose work the caller sees."""

    customer_id: UUID | None = None
    member_id: UUID | None = Field(default=None, description="who wrote them")
    mine: bool = Field(default=False, description="the caller's own, whatever `member_id` says")
    kind: Kind | None = None
    method: str | None = Field(default=None, max_length=50, description="key or label of follow_up_method")
    from_: NearDay | None = Field(default=None, alias="from", description="day of the organisation, inclusive")
    to: Annotated[NearDay | None, RangeEnd] = Field(default=None, description="day of the organisation, inclusive")
    cursor: str = Field(
        default="",
        max_length=200,
        description="next_cursor of the answer before: goes on after it, whatever `page` says",
    )


class ActivityView(View):
    """What was done with a customer, by whom and when."""

    id: UUID
    version: int = 1
    customer_id: UUID
    customer: Named | None = None
    kind: Kind
    member: Named
    at: datetime
    method: str | None = None
    title: str | None = None
    content: str
    next_contact_on: date | None
    contact_id: UUID | None = None
    opportunity_id: UUID | None = None
    about_id: UUID | None = None
    updated_at: datetime | None = Field(default=None, description="when it was written, or its words last edited")
