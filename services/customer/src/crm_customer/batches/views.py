"""Shapes of batches of customers on the wire."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from chassis.http.api import Body
from crm_customer.batches.rules import MOST_BY_ID, SINGLE_FIELDS
from crm_customer.customers.views import CustomerBody
from crm_customer.listing.views import CustomerFilter
from crm_customer.marking.views import TagIds


class Selection(Body):
    """All customers that match, however many pages of the list they fill."""

    filter: CustomerFilter


class Customers(Body):
    """Which customers: some by id, each counting once, or all that match."""

    customer_ids: Annotated[list[UUID], Field(max_length=MOST_BY_ID)] = []
    selection: Selection | None = None

    @model_validator(mode="after")
    def _not_both(self) -> "Customers":
        if "customer_ids" in self.model_fields_set and self.selection is not None:
            raise PydanticCustomError("ids_or_selection", "either customer_ids or selection")
        return self


class SharedChanges(CustomerBody):
    """Values that all of the customers get (I-02): fields as in `PATCH /customers/{id}`, save those of one customer alone."""

    @field_validator(*SINGLE_FIELDS, mode="before", check_fields=False)
    @classmethod
    def _refuse(cls, _value: object) -> object:
        raise PydanticCustomError("not_in_batches", "belongs to one customer alone")


class CustomersToUpdate(Customers):
    """The customers, and the values that all of them get."""

    changes: SharedChanges


class CustomersToTag(Customers):
    """The customers, the tags that all of them get, and those that all of them lose."""

    add: TagIds = []
    remove: TagIds = []
