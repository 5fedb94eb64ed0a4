"""What the customer list is asked for."""

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, Json, RootModel

from chassis.http.api import Body, Day
from crm_customer.fields.operators import Operator
from crm_customer.listing.field_conditions import MOST_CONDITIONS, MOST_VALUES, Asked
from crm_customer.listing.rules import ListView, Sort
from crm_customer.paging import PagedQuery

_LONGEST_FIELD = 60
_LONGEST_VALUE = 500


Value = Annotated[str, Field(max_length=_LONGEST_VALUE)]


class ConditionBody(Body):
    """One condition: `field` as GET /fields names it, with one of the operators that it lists (I-06). An end of `between`
    that is open is an empty text; numbers may be written as such.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    field: str = Field(max_length=_LONGEST_FIELD)
    operator: Operator
    values: list[Value] = Field(default_factory=list, max_length=MOST_VALUES)

    def asked(self) -> Asked:
        """As plain values."""
        return Asked(self.field, self.operator, tuple(self.values))


class Conditions(RootModel[Annotated[list[ConditionBody], Field(max_length=MOST_CONDITIONS)]]):
    """Conditions, all of which hold."""

    root: Annotated[list[ConditionBody], Field(max_length=MOST_CONDITIONS)] = []

    def asked(self) -> list[Asked]:
        """As plain values."""
        return [condition.asked() for condition in self.root]


class CustomerFilter(Body):
    """Search conditions (A-14), combined with AND. Texts match anywhere, without regard to case (A-15)."""

    search: str = Field(
        default="",
        max_length=100,
        description="part of the name, its initials or the WeChat nickname; beginning or last 4 digits of a contact's number",
    )
    view: ListView = ListView.ALL
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
    conditions: Conditions = Field(default_factory=Conditions, description="on any field, see GET /fields")


class SortedFilter(CustomerFilter):
    """A filter with its order, as it can be saved."""

    sort: Sort | None = Field(default=None, description="default: newest first; recently_updated: last updated first")


class CustomerQuery(PagedQuery, SortedFilter):
    """A filter as a query: `conditions` is a JSON list of {field, operator, values}."""

    conditions: Json[Conditions] = Field(default_factory=Conditions)
