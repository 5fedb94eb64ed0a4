"""Messages between members (站内信, J-11, J-12). Whether one was read, its receivers' notifications say."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from crm_notify.database import Base


class MemberMessage(Base):
    """One message to some members, with a customer attached if its sender chose one. `thread_id` is the id of the message
    that began the conversation. The notifications of its receivers have its id as `source_event_id`.
    """

    __tablename__ = "member_messages"
    __table_args__ = (
        Index("ix_member_messages_thread_id_id", "thread_id", "id"),
        Index("ix_member_messages_sender_id_id", "sender_id", "id"),
        Index("ix_member_messages_receiver_ids", "receiver_ids", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    thread_id: Mapped[UUID]
    sender_id: Mapped[UUID]
    receiver_ids: Mapped[list[UUID]] = mapped_column(ARRAY(PG_UUID(as_uuid=True)))
    text: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[UUID | None]
    customer_name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    withdrawn_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
