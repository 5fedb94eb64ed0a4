"""Shapes of activities on the wire."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, Day, PageQuery, View
from crm_customer.activities.rules import LONGEST_CONTENT
from crm_customer.customers.views import Named


class NewActivity(Body):
    """A follow-up (写跟进, F-01). When it happened is the server's to say."""

    customer_id: UUID
    kind: Literal["follow_up"]
    method: str = Field(min_length=1, max_length=50, description="跟进方式: key or label of follow_up_method (F-02)")
    content: str = Field(min_length=1, max_length=LONGEST_CONTENT)
    next_contact_on: Day | None = Field(
        default=None,
        description="day in the organisation's zone on which the customer will hear again, not past (F-04)",
    )


class ActivityQuery(PageQuery):
    """Whose activities."""

    customer_id: UUID


class ActivityView(View):
    """What was done with a customer, by whom and when."""

    id: UUID
    customer_id: UUID
    kind: str
    member: Named
    at: datetime
    method: str
    content: str
    next_contact_on: date | None
