"""How a member proves who they are."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_identity.database import Base


class Credential(Base):
    """The argon2id hash of a member's password or a service account's secret.

    `must_change`: whoever set it was not the member, so it opens nothing but the change of itself.
    """

    __tablename__ = "credentials"

    member_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"), primary_key=True)
    secret_hash: Mapped[str] = mapped_column(Text)
    must_change: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class PasswordLink(Base):
    """A link that lets its bearer set the member's password once, until `expires_at`; a member has one at most.

    Only the hash of its token is kept.
    """

    __tablename__ = "password_links"
    __table_args__ = (UniqueConstraint("token_hash"),)

    member_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
