"""The query of the contact list."""

from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, Day
from crm_customer.contact_list.rules import ContactListView
from crm_customer.paging import PagedQuery

_DAY = r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


class ContactSearch(Body):
    """Search conditions (B-01), combined with AND."""

    view: ContactListView = ContactListView.ALL
    name: str = Field(default="", max_length=100, description="part of the name")
    phone: str = Field(
        default="",
        pattern=r"^([0-9+() -]{3,20})?$",
        description="beginning of the phone or mobile number (3 characters or more), or its end (4 or more)",
    )
    salutation: str = Field(default="", max_length=50, description="尊称, as stored")
    position: str = Field(default="", max_length=50, description="part of the position")
    owner_id: UUID | None = None
    customer_id: UUID | None = Field(default=None, description="contacts of this customer")
    created_from: Day | None = Field(default=None, description="day in the organisation's zone, inclusive")
    created_to: Day | None = Field(default=None, description="day in the organisation's zone, inclusive")
    birthday_from: str | None = Field(
        default=None,
        pattern=_DAY,
        description="MM-DD of the day of birth, by the solar calendar; with birthday_to, over New Year too",
    )
    birthday_to: str | None = Field(default=None, pattern=_DAY, description="MM-DD, inclusive")


class ContactQuery(PagedQuery, ContactSearch):
    """Search conditions of one page."""
