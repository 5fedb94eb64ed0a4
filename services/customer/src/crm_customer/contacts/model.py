"""Contacts (联系人): people at any number of customers, of each at most one the primary contact (首要联系人)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Date,
    ForeignKey,
    Index,
    SmallInteger,
    Text,
    case,
    false,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, array
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.contacts.lunar import lunar_birthday
from crm_customer.database import Base, Versioned

# Fields that a form or an import may fill, named as in REST below `contact`.
FIELDS = ("name", "salutation", "email", "position", "qq", "phone", "mobile", "remark")
# What the contact's own form holds (B-12 to B-24).
FORM_FIELDS = (*FIELDS, "address", "postcode", "birthday", "birthday_is_lunar", "contact_group")


_ALIVE, _DELETED = text("deleted_at IS NULL"), text("deleted_at IS NOT NULL")


_WITH_BIRTHDAY = text("birthday IS NOT NULL AND deleted_at IS NULL")
_WITH_LUNAR_BIRTHDAY = text("lunar_birthday IS NOT NULL AND deleted_at IS NULL")
_DAY_OF_YEAR = "(CAST(EXTRACT(month FROM birthday) * 100 + EXTRACT(day FROM birthday) AS SMALLINT))"


def columns_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the form as the columns hold them."""
    columns = {name: value for name, value in values.items() if name != "birthday_is_lunar"}
    if "birthday" in columns:
        columns["lunar_birthday"] = _lunar(columns["birthday"], is_lunar=values.get("birthday_is_lunar"))
    return columns


def _lunar(birthday: date | None, *, is_lunar: bool | None) -> int | None:
    return lunar_birthday(birthday) if birthday and is_lunar else None


def phone_digits(phone: Any) -> Any:
    """A phone number as it is searched: its digits alone, in the words of their index."""
    return func.regexp_replace(phone, literal_column("'[^0-9]'"), literal_column("''"), literal_column("'g'"))


def email_domain(email: Any) -> Any:
    """The domain of an e-mail address, in the words of its index."""
    return func.lower(func.split_part(email, literal_column("'@'"), literal_column("2")))


def day_of_year() -> Any:
    """A contact's birthday without its year, as month * 100 + day, in the words of its index."""
    return literal_column(_DAY_OF_YEAR, SmallInteger)


class CustomerContact(Base):
    """A contact belongs to a customer; at most one is the customer's primary contact (B-31, B-37, decision 0020)."""

    __tablename__ = "customer_contacts"
    __table_args__ = (
        Index("uq_customer_contacts_primary", "customer_id", unique=True, postgresql_where=text("is_primary")),
        Index("ix_customer_contacts_contact_id", "contact_id"),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"), primary_key=True)
    is_primary: Mapped[bool] = mapped_column(server_default=false())
    # Option of the dictionary relation_type.
    relation_type: Mapped[str | None] = mapped_column(Text)


class Contact(Versioned, Base):
    """A person. `customer_id` is the main customer (所属客户, X-06); all of them are in `customer_contacts`."""

    __tablename__ = "contacts"
    __table_args__ = (
        # Of the release before, as the column is.
        Index(
            "uq_contacts_primary",
            "customer_id",
            unique=True,
            postgresql_where=text("is_primary AND deleted_at IS NULL"),
        ),
        *(
            Index(f"ix_contacts_{'_'.join((*owner, moment))}_id", *owner, moment, "id", postgresql_where=_ALIVE)
            for owner in ((), ("owner_id",))
            for moment in ("created_at", "updated_at")
        ),
        Index("ix_contacts_customer_id", "customer_id"),
        Index("ix_contacts_deleted_at_id", "deleted_at", "id", postgresql_where=_DELETED),
        Index("ix_contacts_owner_id_deleted_at_id", "owner_id", "deleted_at", "id", postgresql_where=_DELETED),
        Index("ix_contacts_birthday", text(_DAY_OF_YEAR), postgresql_where=_WITH_BIRTHDAY),
        Index("ix_contacts_lunar_birthday", "lunar_birthday", postgresql_where=_WITH_LUNAR_BIRTHDAY),
        Index("ix_contacts_mobile", "mobile", postgresql_where=text("mobile IS NOT NULL AND deleted_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id"))
    is_primary: Mapped[bool] = mapped_column(server_default=false())
    owner_id: Mapped[UUID | None]
    created_by: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    name: Mapped[str] = mapped_column(Text)
    salutation: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    position: Mapped[str | None] = mapped_column(Text)
    qq: Mapped[str | None] = mapped_column(Text)
    # Compared byte by byte, so that an index also finds beginnings of numbers.
    phone: Mapped[str | None] = mapped_column(Text(collation="C"))
    mobile: Mapped[str | None] = mapped_column(Text(collation="C"))
    remark: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    postcode: Mapped[str | None] = mapped_column(Text)
    birthday: Mapped[date | None] = mapped_column(Date)
    # Of a birthday that is kept by the lunar calendar (K-11): its lunar month * 100 + day.
    lunar_birthday: Mapped[int | None] = mapped_column(SmallInteger)
    # Option of the dictionary contact_group (B-36).
    contact_group: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    @property
    def birthday_is_lunar(self) -> bool:
        """Whether the birthday is kept by the lunar calendar."""
        return self.lunar_birthday is not None

    @birthday_is_lunar.setter
    def birthday_is_lunar(self, is_lunar: bool | None) -> None:
        self.lunar_birthday = _lunar(self.birthday, is_lunar=is_lunar)

    def change(self, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """The same as of every record; the lunar birthday follows."""
        is_lunar = values.get("birthday_is_lunar", self.birthday_is_lunar)
        before = super().change(values, now)
        self.birthday_is_lunar = is_lunar
        return before

    def values(self) -> dict[str, Any]:
        """What the customer's form shows of its primary contact."""
        return {field: getattr(self, field) for field in FIELDS}


def numbers_of(customer_id: Any, *correlated: Any) -> Any:
    """All numbers of a customer's contacts as they may be dialled in China, as an array: the counterpart of
    calls.rules.spellings. `correlated`: the records that `customer_id` is of.
    """
    digits = phone_digits(Contact.phone)
    from_abroad, within = digits.op("~")("^(00)?86"), func.regexp_replace(digits, "^(00)?860?", "")
    as_dialled = [case((from_abroad, within)), case((from_abroad, literal("0").concat(within)))]
    without_exit = case((digits.startswith("00"), func.substr(digits, 3)))
    number = func.unnest(array([Contact.mobile, digits, *as_dialled, without_exit]))
    linked = select(number).join(CustomerContact, CustomerContact.contact_id == Contact.id)
    found = linked.where(CustomerContact.customer_id == customer_id, Contact.deleted_at.is_(None))
    return func.array(found.correlate(*correlated).scalar_subquery(), type_=ARRAY(Text))


# Of all contacts: PostgreSQL makes no use of what it knows of the expressions of an index of some.
Index("ix_contacts_mobile_reversed", func.reverse(Contact.mobile))
Index("ix_contacts_phone", phone_digits(Contact.phone))
Index("ix_contacts_phone_reversed", func.reverse(phone_digits(Contact.phone)))
Index("ix_contacts_domain", email_domain(Contact.email))
