"""How a member proves who they are."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Text
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
