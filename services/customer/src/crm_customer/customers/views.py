"""Shapes of customers on the wire."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from chassis.http.api import Body, View
from crm_customer.contacts.model import FIELDS as CONTACT_FIELDS
from crm_customer.contacts.model import Contact
from crm_customer.customers.model import Customer
from crm_customer.customers.rules import masked
from crm_customer.fields.rules import KEY_PATTERN
from crm_customer.profiles.rules import FIELDS as PROFILE_FIELDS
from crm_customer.profiles.views import ProfileBody, ProfileView
from crm_customer.stars.model import Star
from crm_customer.stars.views import StarView
from crm_customer.tags.rules import Borne
from crm_customer.tags.views import BorneTag


def _text(max_length: int, words: str) -> Any:
    # Checked in rules.py together with everything else, so that all wrong fields are named at once.
    return Field(default=None, description=words, json_schema_extra={"maxLength": max_length})


_CustomKey = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]


class ContactBody(Body):
    """Primary contact (A-44 to A-50)."""

    name: str | None = _text(50, "empty: the customer's name")
    salutation: str | None = _text(50, "称呼")
    email: str | None = _text(50, "邮箱")
    position: str | None = _text(50, "职位")
    qq: str | None = _text(20, "digits")
    phone: str | None = _text(20, "电话")
    mobile: str | None = _text(11, "手机")
    remark: str | None = _text(500, "备注")


class CustomerBody(Body):
    """Fields of the form (A-35 to A-54, A-80 to A-85). Options by key or label; null or empty clears a field."""

    name: str | None = _text(50, "客户名称, required")
    customer_type: str | None = None
    industry: str | None = None
    source: str | None = None
    company_nature: str | None = None
    postcode: str | None = _text(6, "six digits")
    annual_turnover: str | None = None
    rating: int | None = Field(default=None, description="1 to 3 stars")
    province: str | None = Field(default=None, description="code or name, see /dictionaries/regions")
    city: str | None = Field(default=None, description="code or name of a city of the province")
    address_detail: str | None = _text(100, "address within the city")
    employee_count: str | None = None
    remark: str | None = _text(500, "备注")
    kind: str | None = Field(default=None, description="company or individual; default: company")
    level: str | None = None
    stage: str | None = None
    intention: str | None = None
    status: str | None = None
    wechat_nickname: str | None = _text(50, "微信昵称")
    contact: ContactBody | None = Field(default=None, description="null removes the primary contact")
    profile: ProfileBody | None = Field(default=None, description="extended columns (T-1); null clears all of them")
    custom: dict[_CustomKey, Any] = Field(
        default_factory=dict, description="custom fields by key, see /fields: text, number, day, or keys of options"
    )

    def given(self) -> dict[str, Any]:
        """The fields that were sent by flat name: contact.mobile, profile.website, custom.<key>. Texts, of custom
        fields as they came.
        """
        sent = {name: getattr(self, name) for name in self.model_fields_set if name in _FIELDS}
        if self.contact is not None:
            sent |= {f"contact.{name}": getattr(self.contact, name) for name in self.contact.model_fields_set}
        sent |= {f"profile.{name}": text for name, text in self._profile().items()}
        texts = {name: None if value is None else str(value) for name, value in sent.items()}
        return texts | {f"custom.{key}": value for key, value in self.custom.items()}

    def _profile(self) -> dict[str, str | None]:
        if self.profile is not None:
            return self.profile.texts()
        return dict.fromkeys(PROFILE_FIELDS) if "profile" in self.model_fields_set else {}

    def removes_contact(self) -> bool:
        """Whether the primary contact is to go."""
        return "contact" in self.model_fields_set and self.contact is None


_FIELDS = frozenset(CustomerBody.model_fields) - {"contact", "profile", "custom"}


class NewCustomer(CustomerBody):
    """A customer to be created. Without owner and pool it is the caller's own; a pool clears the owner (X-43)."""

    owner_id: UUID | None = None
    pool_id: UUID | None = None
    duplicates: Literal["refuse"] | None = Field(
        default=None, description="refuse: likely duplicates are answered instead (409 duplicates_found, G-04)"
    )


class CustomerChanges(CustomerBody):
    """Only the fields that are to change."""

    wecom_friend: bool | None = Field(
        default=None, description="企微好友 (C-27); taking the mark back needs customer.unprotect"
    )


class Named(View):
    """A record with its name; the name is empty while this service does not know it yet."""

    id: UUID
    name: str


def named(id_: UUID | None, name: str | None) -> Named | None:
    """A record by id and name, if there is one."""
    return None if id_ is None else Named(id=id_, name=name or "")


class Owner(Named):
    """Whom a customer belongs to."""

    active: bool = Field(default=True, description="false: the owner has left, and the customer waits for a hand-over")


class ContactView(View):
    """Primary contact. In a pool, what it hides is masked."""

    name: str
    salutation: str | None
    email: str | None
    position: str | None
    qq: str | None
    phone: str | None
    mobile: str | None
    remark: str | None


class Access(StrEnum):
    """What the reader may do with a customer."""

    OWNER = "owner"
    WRITE = "write"
    READ = "read"


class Lock(View):
    """A customer that its owner has for himself alone (锁定)."""

    at: datetime
    by: Named


class Notice(View):
    """Something the caller should know although the request succeeded."""

    code: str
    message: str


class CustomerView(View):
    """A customer as its reader may see it.

    Of one that another has locked, whoever may unlock it sees id, name, owner and lock, and null elsewhere (X-23).
    """

    id: UUID
    version: int | None
    name: str
    customer_type: str | None
    industry: str | None
    source: str | None
    company_nature: str | None
    postcode: str | None
    annual_turnover: str | None
    rating: int | None
    province: str | None
    city: str | None
    address_detail: str | None
    employee_count: str | None
    remark: str | None
    kind: str | None
    level: str | None
    stage: str | None
    intention: str | None
    status: str | None
    wechat_nickname: str | None
    custom: dict[str, Any] | None = Field(description="custom fields that the reader sees and that are filled, by key")
    contact: ContactView | None
    contact_masked: bool | None = Field(description="fields of the contact are masked: claim the customer to read them")
    hidden_fields: list[str] | None = Field(
        description="what the pool hides from the reader, as GET /fields names it: texts are masked, the rest is null"
    )
    owner: Owner | None
    pool: Named | None
    expires_on: date | None
    days_left: int | None = Field(description="whole days left, 0 on the last day; null: no rule applies (A-21)")
    assignment_version: int | None = Field(description="0: the place is still the creator's wish")
    access: Access | None = Field(description="what the reader may do")
    locked: Lock | None = Field(description="only the owner reads and edits it, as long as the owner is active (H-17)")
    wecom_friend: bool | None = Field(description="企微好友: never deleted or put into a pool (C-27)")
    created_by: Named | None
    created_at: datetime | None
    updated_at: datetime | None
    deleted_at: datetime | None
    last_touch_at: datetime | None = Field(description="last follow-up by the owner or a collaborator (F-16)")
    won: bool | None = Field(description="已成交: an order is completed (C-21)")
    last_deal_at: datetime | None = Field(description="when the last order was completed")
    open_opportunities: int | None
    tags: list[BorneTag] | None = None
    star: StarView | None = Field(default=None, description="the reader's own")
    placement_notice: Notice | None = Field(default=None, description="on creation: why the wish was not met")


class CountersView(View):
    """How many records of each kind the customer has (A-62, B-30)."""

    contacts: int
    collaborators: int
    follow_ups: int
    logs: int
    tasks: int
    schedule_entries: int
    files: int
    opportunities: int
    orders: int


class CustomerDetail(CustomerView):
    """A customer with what its page shows beyond a list (A-60)."""

    profile: ProfileView | None = Field(default=None, description="extended columns (T-1); null while none is filled")
    counters: CountersView | None = None
    last_called_at: datetime | None = Field(default=None, description="when it last called the switchboard (C-02)")


@dataclass(frozen=True)
class Seen:
    """A customer with the names of what it refers to, as read for one reader. `access` None: hidden by a lock."""

    customer: Customer
    contact: Contact | None
    owner_name: str | None
    pool_name: str | None
    creator_name: str | None
    locker_name: str | None
    hidden: frozenset[str]
    access: Access | None
    custom: dict[str, Any]
    star: Star | None
    tags: Sequence[Borne]


def customer_view(seen: Seen, today: date) -> CustomerView:
    """The reply for a reader whose calendar says `today`."""
    customer = seen.customer
    owner = _owner(customer.owner_id, seen.owner_name, left=customer.owner_left)
    locked = _lock(customer, seen.locker_name)
    if seen.access is None:
        nothing: dict[str, Any] = dict.fromkeys(CustomerView.model_fields)
        shown = {"id": customer.id, "name": customer.name, "owner": owner, "locked": locked}
        return CustomerView(**nothing | shown)
    days = None if customer.expires_on is None else max(0, (customer.expires_on - today).days)
    return CustomerView(
        id=customer.id,
        version=customer.version,
        **_shown(customer.values(), seen.hidden),
        custom=seen.custom,
        contact=_contact_view(seen.contact, seen.hidden) if seen.contact else None,
        contact_masked=seen.contact is not None and any(name.startswith("contact.") for name in seen.hidden),
        hidden_fields=sorted(seen.hidden),
        owner=owner,
        pool=named(customer.pool_id, seen.pool_name),
        expires_on=customer.expires_on,
        days_left=days,
        assignment_version=customer.assignment_version,
        access=seen.access,
        locked=locked,
        wecom_friend=customer.wecom_friend,
        created_by=Named(id=customer.created_by, name=seen.creator_name or ""),
        created_at=customer.created_at,
        updated_at=customer.updated_at,
        deleted_at=customer.deleted_at,
        last_touch_at=customer.last_touch_at,
        won=customer.won,
        last_deal_at=customer.last_deal_at,
        open_opportunities=customer.open_opportunities,
        tags=[BorneTag.model_validate(tag) for tag in seen.tags],
        star=None if seen.star is None else StarView.model_validate(seen.star),
    )


def customer_views(found: Iterable[Seen], today: date) -> list[CustomerView]:
    """The replies for several."""
    return [customer_view(seen, today) for seen in found]


def _contact_view(contact: Contact, hidden: Collection[str]) -> ContactView:
    values = {f"contact.{name}": getattr(contact, name) for name in CONTACT_FIELDS}
    return ContactView(**{name.removeprefix("contact."): value for name, value in _shown(values, hidden).items()})


def _shown(values: Mapping[str, Any], hidden: Collection[str]) -> dict[str, Any]:
    return {name: masked(name, value) if name in hidden else value for name, value in values.items()}


def _owner(id_: UUID | None, name: str | None, *, left: bool) -> Owner | None:
    return None if id_ is None else Owner(id=id_, name=name or "", active=not left)


def _lock(customer: Customer, name: str | None) -> Lock | None:
    if customer.locked_at is None or customer.locked_by is None:
        return None
    return Lock(at=customer.locked_at, by=Named(id=customer.locked_by, name=name or ""))
