"""What members are reminded of (工作提醒): from when on, and who has been."""

from datetime import date
from uuid import UUID

from sqlalchemy import Date, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.configuration import SettingsRow
from crm_customer.database import Base


class ReminderSettings(SettingsRow):
    """The one row, all in days: how long without contact, how long an opportunity without progress, how far ahead birthdays and
    receivables are told (K-05, K-11).
    """

    __tablename__ = "reminder_settings"

    not_contacted_days: Mapped[int] = mapped_column(SmallInteger, server_default="7")
    no_progress_days: Mapped[int] = mapped_column(SmallInteger, server_default="14")
    birthday_days: Mapped[int] = mapped_column(SmallInteger, server_default="7")
    receivable_days: Mapped[int] = mapped_column(SmallInteger, server_default="7")


class WorkDigest(Base):
    """A member was sent the digest of a day. `kind`: work."""

    __tablename__ = "work_digests"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
