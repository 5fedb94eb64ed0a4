"""Members who left and whose customers wait to be handed over (decision 0015)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Index, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.database import Base


class Leaver(Base):
    """离职成员: left at `left_at` (UTC); what they own then goes to be assigned on `hand_over_on`, the organisation's day.

    `as_of` is the version of the member that said so, against repetitions. `asked_by`: the member who did not want to
    wait, None: the day came. `batch_id`: the batch under way, or the last one. `done_at`: handed over, or came back.
    `sharing_batch_id`: the batch that gives them to those chosen, while it runs; until then the day waits.
    """

    __tablename__ = "leavers"
    __table_args__ = (Index("ix_leavers_open", "hand_over_on", "member_id", postgresql_where=text("done_at IS NULL")),)

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    as_of: Mapped[int] = mapped_column(BigInteger)
    left_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    hand_over_on: Mapped[date] = mapped_column(Date)
    asked_by: Mapped[UUID | None]
    batch_id: Mapped[UUID | None]
    sharing_batch_id: Mapped[UUID | None]
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def hand_over_now(self, actor_id: UUID, today: date) -> bool:
        """Somebody does not want to wait. False when it is due, or under way, anyway."""
        if self.hand_over_on <= today:
            return False
        self.hand_over_on, self.asked_by = today, actor_id
        return True


class Share(Base):
    """For whom a customer is meant in a hand-over by region, while its batch runs; one without a row goes to a pool."""

    __tablename__ = "leaver_shares"
    __table_args__ = (PrimaryKeyConstraint("batch_id", "customer_id"),)

    batch_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    member_id: Mapped[UUID]
