"""Files of customers (文件, 附件), whose content lies in the object store."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Text, false, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class Attachment(Base):
    """A file with a customer (F-35), or added to one of its follow-ups: then it is shown, not deleted by itself (F-13).

    `stored_at` is unset while the content is on its way: what never arrives is cleaned away. `sha256` is of the content, in
    hexadecimal; `size` in bytes. `purged_at`: the content of a deleted file is gone from the store.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        Index("ix_attachments_customer_id", "customer_id", "created_at", "id"),
        Index("ix_attachments_activity_id", "activity_id"),
        Index("ix_attachments_unstored", "created_at", postgresql_where=text("stored_at IS NULL")),
        Index(
            "ix_attachments_deleted",
            "deleted_at",
            postgresql_where=text("deleted_at IS NOT NULL AND purged_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    activity_id: Mapped[UUID | None] = mapped_column(ForeignKey("activities.id"))
    name: Mapped[str] = mapped_column(Text)
    extension: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(Text)
    has_preview: Mapped[bool] = mapped_column(server_default=false())
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    stored_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    purged_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    @property
    def key(self) -> str:
        """Where its content lies in the object store."""
        return f"files/{self.id}/content"

    @property
    def preview_key(self) -> str:
        """Where the preview of an image lies."""
        return f"files/{self.id}/preview"
