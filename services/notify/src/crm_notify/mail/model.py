"""How fast a mail server may be used, shared by all workers."""

from datetime import datetime

from sqlalchemy import DateTime, Integer, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_notify.database import Base


class MailServer(Base):
    """One row per server (`host:port`). The pace is kept as the moment at which the next mail would be due (GCRA);
    until `paused_until` it asked to be left alone, `pauses` times in a row.
    """

    __tablename__ = "mail_servers"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    next_mail_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    paused_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    pauses: Mapped[int] = mapped_column(Integer, server_default=text("0"))
