"""The query of the customer list."""

from uuid import UUID

from pydantic import Field

from chassis.http.api import Day, PageQuery
from crm_customer.listing.rules import ListView, Sort


class CustomerQuery(PageQuery):
    """Search conditions (A-14), combined with AND. Texts match anywhere, without regard to case (A-15)."""

    search: str = Field(default="", max_length=100, description="part of the name, or the beginning of a mobile number")
    view: ListView = ListView.ALL
    sort: Sort | None = Field(default=None, description="default: newest first; recently_updated: last updated first")
    pool_id: UUID | None = Field(default=None, description="customers lying in this pool")
    owner_id: UUID | None = None
    customer_type: str | None = None
    industry: str | None = None
    source: str | None = None
    company_nature: str | None = None
    annual_turnover: str | None = None
    employee_count: str | None = None
    rating: int | None = None
    province: str | None = None
    city: str | None = None
    address: str = Field(
        default="",
        pattern="^(.{2,100})?$",
        description="part of the address, province and city included; at least two characters",
    )
    created_from: Day | None = Field(default=None, description="day in the organisation's zone, inclusive")
    created_to: Day | None = Field(default=None, description="day in the organisation's zone, inclusive")
