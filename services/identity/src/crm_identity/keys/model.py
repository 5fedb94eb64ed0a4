"""Keys that sign access tokens, and the version of the set that verifies them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_identity.database import Base


class SigningKey(Base):
    """An ES256 key pair; `id` is its kid. Private part sealed with KEY_ENCRYPTION_KEY.

    `next`: published, signs from `signs_from`. `current`: signs. `retired`: still verifies, until a day after
    `retired_at`.
    """

    __tablename__ = "signing_keys"
    __table_args__ = (
        CheckConstraint("state IN ('next', 'current', 'retired')", name="state"),
        Index("uq_signing_keys_state", "state", unique=True, postgresql_where=text("state <> 'retired'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    sealed_private_key: Mapped[str] = mapped_column(Text)
    public_jwk: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    signs_from: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    retired_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def sign_now(self) -> None:
        """Become the key that signs."""
        self.state = "current"

    def retire(self, at: datetime) -> None:
        """Sign no more; what is signed stays valid."""
        self.state, self.retired_at = "retired", at


class KeySetVersion(Base):
    """The version of the published set; one row, id 1."""

    __tablename__ = "key_set_version"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
