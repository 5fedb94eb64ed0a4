"""Shapes of contacts on the wire."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, Day, View
from crm_customer.contacts.model import FORM_FIELDS, Contact
from crm_customer.contacts.rules import masked
from crm_customer.customers.views import Named, Owner, named
from crm_customer.people.rules import SALUTATIONS
from crm_customer.tags.rules import Borne
from crm_customer.tags.views import BorneTag

MOST_SELECTED = 200


def _text(max_length: int, words: str) -> Any:
    # Checked in rules.py together with everything else, so that all wrong fields are named at once.
    return Field(default=None, description=words, json_schema_extra={"maxLength": max_length})


class ContactForm(Body):
    """Fields of the form (B-12 to B-24). Options by key or label; null or empty clears a field."""

    name: str | None = _text(50, "姓名, required")
    salutation: str | None = Field(default=None, description="尊称: " + ", ".join(SALUTATIONS) + ", or what is stored")
    position: str | None = _text(50, "职位")
    phone: str | None = _text(20, "电话")
    mobile: str | None = _text(11, "手机")
    email: str | None = _text(50, "邮件")
    qq: str | None = _text(20, "digits")
    address: str | None = _text(100, "联系地址")
    postcode: str | None = _text(6, "six digits")
    birthday: Day | None = Field(default=None, description="a day in the past")
    birthday_is_lunar: bool | None = Field(
        default=None, description="keep it by the lunar calendar (农历生日, K-11): from 1900-01-31 on"
    )
    contact_group: str | None = Field(default=None, description="option of the dictionary contact_group")
    remark: str | None = _text(500, "备注")
    owner_id: UUID | None = None
    customer_id: UUID | None = Field(default=None, description="所属客户: any customer that the caller sees")

    def given(self) -> dict[str, str | None]:
        """The fields that were sent, as texts."""
        sent = {name: getattr(self, name) for name in FORM_FIELDS if name in self.model_fields_set}
        return {name: None if value is None else str(value) for name, value in sent.items()}


class NewContact(ContactForm):
    """A contact to be created. Owned by the caller unless an owner is named or its customer lies in a pool."""

    relation_type: str | None = Field(default=None, description="option of the dictionary relation_type")
    is_primary: bool = Field(default=False, description="the customer's first contact is its primary one anyway")


class ContactChanges(ContactForm):
    """Only the fields that are to change; null leaves the owner and the customer as they are.

    `customer_id` links another customer and makes it the main one.
    """


class ContactIds(Body):
    """The contacts chosen in a list."""

    contact_ids: list[UUID] = Field(description=f"at most {MOST_SELECTED}; none is refused (B-35)")


class ContactCustomer(Named):
    """A customer of the contact that the reader sees."""

    is_primary: bool
    relation_type: str | None
    pool: Named | None


class ContactDetail(View):
    """A contact as its reader may see it. Masked is what every way to it hides: each leads through a pool that does."""

    id: UUID
    version: int
    name: str
    salutation: str | None
    position: str | None
    phone: str | None
    mobile: str | None
    telephone: str | None = Field(description="phone, or mobile where that is empty: the list's column 电话 (X-05)")
    email: str | None
    qq: str | None
    address: str | None
    postcode: str | None
    birthday: date | None
    birthday_is_lunar: bool | None = Field(description="kept by the lunar calendar (K-11); null: masked")
    lunar_birthday: str | None = Field(description="month and day by which it is kept then, MM-DD")
    contact_group: str | None
    remark: str | None
    masked: bool = Field(description="fields are masked: claim one of the customers to read them")
    customer: Named | None = Field(description="所属客户, or the first other one that the reader sees")
    customers: list[ContactCustomer]
    owner: Owner | None
    created_by: Named | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    tags: list[BorneTag] = []


class ContactOutcome(View):
    """What became of one contact; `code` and `message` say why it was skipped."""

    contact_id: UUID
    outcome: Literal["done", "skipped"]
    code: str | None = None
    message: str | None = None


class ContactOutcomes(View):
    """Row by row, in the order asked for."""

    total: int
    succeeded: int
    skipped: int
    results: list[ContactOutcome]


@dataclass(frozen=True)
class Link:
    """A customer of a contact that is not deleted; `visible` to the reader, `writable` by them, or not."""

    customer_id: UUID
    name: str
    owner_id: UUID | None
    pool_id: UUID | None
    pool_name: str | None
    is_primary: bool
    relation_type: str | None
    visible: bool
    writable: bool


@dataclass(frozen=True)
class SeenContact:
    """A contact with the names of what it refers to, as read for one reader. `hidden`: contact.mobile; `must_claim`: it is
    changed only after one of its customers is claimed.
    """

    contact: Contact
    links: Sequence[Link]
    owner: Owner | None
    creator: Named | None
    hidden: frozenset[str]
    must_claim: bool
    tags: Sequence[Borne]

    @property
    def ways(self) -> list[Link]:
        """The customers through which the reader sees it."""
        return [link for link in self.links if link.visible]


def contact_detail(seen: SeenContact) -> ContactDetail:
    """The reply for the reader."""
    contact = seen.contact
    values = {name: getattr(contact, name) for name in FORM_FIELDS}
    values |= {name: masked(name, value) for name, value in values.items() if f"contact.{name}" in seen.hidden}
    customers = [_customer(link) for link in seen.ways]
    main = next((one for one in customers if one.id == contact.customer_id), None) or next(iter(customers), None)
    return ContactDetail(
        id=contact.id,
        version=contact.version,
        **values,
        lunar_birthday=_lunar(contact) if values["birthday_is_lunar"] else None,
        telephone=values["phone"] or values["mobile"],
        masked=any(name.startswith("contact.") for name in seen.hidden),
        customer=Named(id=main.id, name=main.name) if main else None,
        customers=customers,
        owner=seen.owner,
        created_by=seen.creator,
        created_at=contact.created_at,
        updated_at=contact.updated_at,
        deleted_at=contact.deleted_at,
        tags=[BorneTag.model_validate(tag) for tag in seen.tags],
    )


def _lunar(contact: Contact) -> str:
    month, day = divmod(contact.lunar_birthday or 0, 100)
    return f"{month:02}-{day:02}"


def _customer(link: Link) -> ContactCustomer:
    return ContactCustomer(
        id=link.customer_id,
        name=link.name,
        is_primary=link.is_primary,
        relation_type=link.relation_type,
        pool=named(link.pool_id, link.pool_name),
    )
