"""Tags (标签) in groups of which one or several may be given (I-01), and who bears them."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class TagGroup(Base):
    """A kind of tags (标签类型); `multiple`: a record may bear several of them."""

    __tablename__ = "tag_groups"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text, unique=True)
    multiple: Mapped[bool] = mapped_column(server_default=false())
    position: Mapped[int] = mapped_column(SmallInteger)


class Tag(Base):
    """One tag, its name unique in its group."""

    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("group_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    group_id: Mapped[UUID] = mapped_column(ForeignKey("tag_groups.id"))
    name: Mapped[str] = mapped_column(Text)
    color: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(SmallInteger)


class CustomerTag(Base):
    """A customer bears a tag."""

    __tablename__ = "customer_tags"
    __table_args__ = (Index("ix_customer_tags_customer_id", "customer_id"),)

    tag_id: Mapped[UUID] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), primary_key=True)


class ContactTag(Base):
    """A contact bears a tag (B-36)."""

    __tablename__ = "contact_tags"
    __table_args__ = (Index("ix_contact_tags_contact_id", "contact_id"),)

    tag_id: Mapped[UUID] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"), primary_key=True)
