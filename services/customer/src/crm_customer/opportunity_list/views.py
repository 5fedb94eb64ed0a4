"""What lists, the board and the totals of opportunities are asked for, and their shapes."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, Day, NearDay, View
from crm_customer.money import Amount, Currency
from crm_customer.opportunities.views import OpportunityView
from crm_customer.opportunity_list.rules import OpportunityList, Sort, Sums
from crm_customer.paging import PagedQuery, RangeEnd

_DAY = "day in the organisation's zone, inclusive"


class OpportunityFilter(Body):
    """Conditions, combined with AND."""

    stage: str | None = Field(default=None, max_length=50, description="key or label of opportunity_stage")
    owner_id: UUID | None = None
    customer_id: UUID | None = None
    currency: Currency | None = None
    search: str = Field(
        default="",
        max_length=100,
        description="the number, or a part of the opportunity's or the customer's name of two characters or more (L-13)",
    )
    expected_from: Day | None = None
    expected_to: Annotated[Day | None, RangeEnd] = None
    created_from: Day | None = Field(default=None, description=_DAY)
    created_to: Annotated[Day | None, RangeEnd] = Field(default=None, description=_DAY)
    closed_from: Day | None = Field(default=None, description=_DAY)
    closed_to: Annotated[Day | None, RangeEnd] = Field(default=None, description=_DAY)
    amount_from: Amount | None = None
    amount_to: Annotated[Amount | None, RangeEnd] = None


class OpportunityQuery(PagedQuery, OpportunityFilter):
    """One page of a list: 新机会, 已成单, 已丢单 (L-12)."""

    list: OpportunityList = OpportunityList.ALL
    sort: Sort = Sort.NEWEST
    deleted: bool = Field(default=False, description="those in the recycle bin that the caller may restore")


class BoardQuery(OpportunityFilter):
    """The board; of won and lost ones those closed this month, unless closed_from says otherwise."""

    cards: int = Field(default=10, ge=1, le=50, description="first cards of each column")


class TotalsQuery(OpportunityFilter):
    """Whole months from that of one day to that of another; by default the last twelve."""

    from_: NearDay | None = Field(default=None, alias="from")
    to: NearDay | None = None


class AmountView(View):
    """A sum in one currency."""

    currency: str
    amount: Decimal


class SumsView(View):
    """How many, and their amounts in each currency: nothing is converted."""

    count: int
    amounts: list[AmountView]


class ColumnView(SumsView):
    """A stage of the board. `next_cursor`: GET /opportunities with this stage, the same conditions and it goes on."""

    stage: str
    cards: list[OpportunityView]
    next_cursor: str | None


class BoardView(View):
    """Stages in their order, won and lost last."""

    closed_from: date = Field(description="since when won and lost ones are shown")
    columns: list[ColumnView]


class MonthView(View):
    """A month of the organisation: what came, by creation; what was won and lost, by closing (L-15)."""

    month: date = Field(description="its first day")
    new: SumsView
    won: SumsView
    lost: SumsView


class StageSums(SumsView):
    """Open opportunities in one stage."""

    stage: str


class ForecastView(SumsView):
    """Open opportunities that are expected in one month; null: nobody said when."""

    month: date | None


class TotalsView(View):
    """Totals of months (L-15), the funnel of what is open now and when it is expected (L-17)."""

    months: list[MonthView]
    funnel: list[StageSums]
    forecast: list[ForecastView]


def sums_of(sums: Sums | None) -> dict[str, Any]:
    """As fields of a view."""
    found = sums or Sums()
    amounts = [AmountView(currency=currency, amount=amount) for currency, amount in sorted(found.amounts.items())]
    return {"count": found.count, "amounts": amounts}


def sums_view(sums: Sums | None) -> SumsView:
    """As a view of its own."""
    return SumsView(**sums_of(sums))
