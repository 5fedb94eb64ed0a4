"""Shapes of opportunities on the wire."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, Day, View
from crm_customer.customers.views import Named, Owner, named
from crm_customer.money import Amount, Currency, CurrencyField
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.rules import LONGEST_NAME, LONGEST_TEXT, WON

_Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, description="机会名称 (L-01)")]
_Option = Annotated[str | None, Field(max_length=50)]


class OpportunityForm(Body):
    """What a member may write (L-01, L-16). Options by key or label; null clears a field."""

    contact_id: UUID | None = Field(default=None, description="a contact of the customer")
    amount: Amount | None = Field(default=None, description="预计销售金额, at most two decimals")
    expected_on: Day | None = Field(default=None, description="预计成交日期")
    source: _Option = Field(default=None, description="来源: option of the dictionary opportunity_source")
    channel: _Option = Field(default=None, description="产生途径: option of the dictionary opportunity_channel")
    heat: _Option = Field(default=None, description="热度: option of the dictionary opportunity_heat")
    description: str | None = Field(default=None, max_length=LONGEST_TEXT)
    owner_id: UUID | None = Field(default=None, description="default: the customer's owner; in a pool nobody")


class NewOpportunity(OpportunityForm):
    """An opportunity to be created, in the first open stage unless it says otherwise."""

    customer_id: UUID
    name: _Name
    currency: Currency = CurrencyField
    stage: _Option = Field(default=None, description="an open stage: option of the dictionary opportunity_stage")


class OpportunityChanges(OpportunityForm):
    """Only the fields that are to change; null leaves the owner as it is. Stages have routes of their own."""

    name: _Name = ""
    currency: Currency = ""


class Move(Body):
    """To which stage."""

    stage: str = Field(min_length=1, max_length=50, description="key or label of opportunity_stage; lost has :lose")


class Loss(Body):
    """Why it was lost (丢单原因, L-07)."""

    reason: str = Field(min_length=1, max_length=50, description="key or label of lost_reason")
    note: str | None = Field(default=None, max_length=LONGEST_TEXT)


class OpportunityView(View):
    """An opportunity. Its `number` is the company's own."""

    id: UUID
    number: int
    version: int
    customer: Named
    contact: Named | None = Field(description="without a name where its pool hides names of contacts")
    name: str
    amount: Decimal | None
    currency: str
    stage: str
    won_by_orders: bool = Field(description="the amount is the sum of its completed orders and cannot be edited (L-10)")
    order_suggested: bool = Field(description="won without an order: 进入完成阶段后，建议关联订单 (L-11)")
    expected_on: date | None
    source: str | None
    channel: str | None
    heat: str | None
    description: str | None
    owner: Owner | None
    lost_reason: str | None
    close_note: str | None
    progress_at: datetime
    closed_at: datetime | None
    created_by: Named
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class OpportunitySettingsView(View):
    """How opportunities are won (L-08)."""

    version: int
    restrict_manual_won: bool = Field(description="限制手动切换成单: only completed orders win an opportunity")


class OpportunitySettingsChanges(Body):
    """What is to change."""

    restrict_manual_won: bool


@dataclass(frozen=True)
class SeenOpportunity:
    """An opportunity with the names of what it refers to, as read for one reader."""

    opportunity: Opportunity
    customer_name: str
    contact_name: str
    owner_name: str | None
    owner_active: bool | None
    creator_name: str | None
    ordered: bool


_OWN = [
    name
    for name in OpportunityView.model_fields
    if name not in ("customer", "contact", "owner", "created_by", "order_suggested")
]


def opportunity_views(seen: Sequence[SeenOpportunity]) -> list[OpportunityView]:
    """The replies for the reader."""
    return [_view(one) for one in seen]


def _view(seen: SeenOpportunity) -> OpportunityView:
    row = seen.opportunity
    owner, active = seen.owner_name or "", seen.owner_active is not False
    return OpportunityView(
        **{name: getattr(row, name) for name in _OWN},
        customer=Named(id=row.customer_id, name=seen.customer_name),
        contact=named(row.contact_id, seen.contact_name),
        owner=Owner(id=row.owner_id, name=owner, active=active) if row.owner_id else None,
        created_by=Named(id=row.created_by, name=seen.creator_name or ""),
        order_suggested=row.stage == WON and not seen.ordered,
    )
