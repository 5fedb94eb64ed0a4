"""Sessions: what a browser keeps beyond the ten minutes of an access token."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_identity.database import Base
from crm_identity.sessions import rules


class LoginSession(Base):
    """A session begun by a login.

    Its refresh token is `selector` and a secret; the selector stays, the secret changes at each use and only its
    hash is kept. So every older token is recognised as such, however old it is. `generation`: the member's when
    the session began. `network`: whence it was last used, the last part of the address left out. Times are UTC.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("selector"),
        Index("ix_sessions_member_id", "member_id"),
        Index("ix_sessions_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"))
    selector: Mapped[bytes] = mapped_column(LargeBinary)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    generation: Mapped[int] = mapped_column(Integer)
    user_agent: Mapped[str] = mapped_column(Text)
    network: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def is_alive(self, generation: int, at: datetime) -> bool:
        """Whether it may still be refreshed."""
        return self.ended_at is None and at < self.expires_at and self.generation == generation

    def rotate(self, device: rules.Device, at: datetime) -> rules.RefreshToken:
        """The only token that refreshes it from now on; its end moves on, up to 90 days after its beginning."""
        token = rules.new_token(self.selector)
        self.secret_hash = token.secret_hash
        self.user_agent, self.network, self.last_used_at = device.user_agent, device.network, at
        self.expires_at = rules.expiry(self.created_at, at)
        return token

    def end(self, at: datetime) -> None:
        """No token refreshes it any more."""
        self.ended_at = at
