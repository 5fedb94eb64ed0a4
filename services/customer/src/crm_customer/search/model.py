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
        Index("ix_customer_search_core", "core"),
        Index("ix_customer_search_unfilled", "customer_id", postgresql_where=text("initials IS NULL")),
        Index("ix_customer_search_coreless", "customer_id", postgresql_where=text("core IS NULL")),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    # Compared byte by byte, so that the index also finds beginnings of names.
    name: Mapped[str] = mapped_column(Text(collation="C"))
    address: Mapped[str] = mapped_column(Text)
    # First letters of the name's pinyin, 华夏 -> h x. None: written by the release before, which knew none of them.
    initials: Mapped[str | None] = mapped_column(Text(collation="C"))
    nickname: Mapped[str] = mapped_column(Text, server_default="")
    # What matching compares (decision 0032). None: written by the release before.
    core: Mapped[str | None] = mapped_column(Text(collation="C"))
    region: Mapped[str | None] = mapped_column(Text)
    branch: Mapped[str | None] = mapped_column(Text)
    grams: Mapped[list[str]] = mapped_column(ARRAY(Text))


class CustomerAlias(Base):
    """Another name of a customer (客户别名, G-03) and the core of it; written with its profile."""

    __tablename__ = "customer_aliases"
    __table_args__ = (Index("ix_customer_aliases_core", "core"), Index("ix_customer_aliases_name", "name"))

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    # Normalised as the names of customer_search are.
    name: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    core: Mapped[str] = mapped_column(Text(collation="C"))


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
