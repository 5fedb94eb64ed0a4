"""What searches read of a customer, in a table of its own: a change of place or date never touches its GIN index."""

from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class CustomerSearch(Base):
    """Normalised texts of one customer and their bigrams; written in the transaction that changes the customer."""

    __tablename__ = "customer_search"
    __table_args__ = (
        Index("ix_customer_search_name", "name"),
        Index("ix_customer_search_grams", "grams", postgresql_using="gin"),
        Index("ix_customer_search_unfilled", "customer_id", postgresql_where=text("initials IS NULL")),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    # Compared byte by byte, so that the index also finds beginnings of names.
    name: Mapped[str] = mapped_column(Text(collation="C"))
    address: Mapped[str] = mapped_column(Text)
    # First letters of the name's pinyin, 华夏 -> h x. None: written by the release before, which knew none of them.
    initials: Mapped[str | None] = mapped_column(Text(collation="C"))
    nickname: Mapped[str] = mapped_column(Text, server_default="")
    grams: Mapped[list[str]] = mapped_column(ARRAY(Text))


class ContactSearch(Base):
    """The same of one contact: its name."""

    __tablename__ = "contact_search"
    __table_args__ = (
        Index("ix_contact_search_name", "name"),
        Index("ix_contact_search_grams", "grams", postgresql_using="gin"),
        Index("ix_contact_search_unfilled", "contact_id", postgresql_where=text("name IS NULL")),
    )

    contact_id: Mapped[UUID] = mapped_column(primary_key=True)
    # None: the contact was written by the release before.
    name: Mapped[str | None] = mapped_column(Text(collation="C"))
    grams: Mapped[list[str]] = mapped_column(ARRAY(Text))
