"""Shapes of calls on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, NearDay, NearMoment, PageQuery, View
from crm_customer.customers.views import Named, NewCustomer, Owner
from crm_customer.paging import PagedQuery, RangeEnd

_LONGEST_NUMBER = 50
_DAY_SECONDS = 86_400


class CallReport(Body):
    """One incoming call, when it is over."""

    call_id: str = Field(pattern=r"^[!-~]{1,128}$", description="the telephone system's own id of the call")
    number: str | None = Field(
        default=None, max_length=_LONGEST_NUMBER, description="the caller's; null, empty or anonymous: withheld"
    )
    hotline: str = Field(max_length=_LONGEST_NUMBER, description="the number that was dialled")
    called_at: NearMoment = Field(description="when it began to ring")
    answered: bool
    seconds: int = Field(default=0, ge=0, le=_DAY_SECONDS, description="how long it lasted")
    extension: str | None = Field(default=None, pattern=r"^[0-9A-Za-z*#-]{1,20}$", description="who answered")


class ReportedCall(View):
    """A call that is kept: the same answer however often it is reported."""

    id: UUID
    call_id: str


class CallerQuery(PagedQuery):
    """Which callers: those with a call that meets all of these. `from` and `to`: days of the organisation, inclusive."""

    hotline: str = Field(default="", max_length=_LONGEST_NUMBER)
    from_: NearDay | None = Field(default=None, alias="from")
    to: Annotated[NearDay | None, RangeEnd] = None
    answered: bool | None = None
    known: bool | None = Field(default=None, description="whether the number is a customer's")


class CallsQuery(PageQuery):
    """One page of calls."""


class CallView(View):
    """One call."""

    id: UUID
    called_at: datetime
    hotline: str
    answered: bool
    seconds: int
    extension: str | None


class CustomerCallView(CallView):
    """A call of a customer, by one of its contacts' numbers."""

    number: str = Field(description="masked where the pool hides it")


class CallingCustomer(Named):
    """A customer that bears the caller's number; out of sight it is told as a duplicate check does (decision 0032)."""

    owner: Owner | None
    pool: Named | None
    visible: bool = Field(description="the reader may open it")


class CallerView(View):
    """Whoever called from one number; the customers that bear it, at most 10 of them, those in sight first."""

    id: UUID
    number: str | None = Field(description="null: withheld; masked where no customer in sight shows it")
    masked: bool
    last_called_at: datetime
    calls: int
    answered_calls: int
    last_call: CallView
    customers: list[CallingCustomer]


class CallerCustomer(NewCustomer):
    """A customer to be made of a caller, whose number becomes the primary contact's."""


class SwitchboardView(View):
    """How calls are reported; the secret is told only when it is made."""

    created_by: Named
    created_at: datetime
    last_reported_at: datetime | None = Field(default=None, description="when the last call was reported")
    secret: str | None = Field(default=None, description="as Authorization: Bearer of POST /calls")
