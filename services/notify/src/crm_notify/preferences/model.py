"""Who wants to be told of what, and how: an administrator's defaults and each member's own choices."""

from datetime import time
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, SmallInteger, Time
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_notify.database import Base


class PreferenceDefaults(Base):
    """The one row (id 1) that holds for whoever chose nothing else; without it `preferences.rules` has the defaults.

    `matrix`: kind → channel → mode (off, now, daily), where it differs; `locked`: kind → channels that members cannot
    change. Times are the organisation's.
    """

    __tablename__ = "preference_defaults"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    matrix: Mapped[dict[str, Any]] = mapped_column(JSONB)
    locked: Mapped[dict[str, Any]] = mapped_column(JSONB)
    quiet_from: Mapped[time | None] = mapped_column(Time)
    quiet_until: Mapped[time | None] = mapped_column(Time)
    digest_at: Mapped[time] = mapped_column(Time)


class Preferences(Base):
    """What one member chose; None and what the matrix lacks: as the defaults say. Equal quiet times: no quiet hours."""

    __tablename__ = "preferences"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    matrix: Mapped[dict[str, Any]] = mapped_column(JSONB)
    quiet_from: Mapped[time | None] = mapped_column(Time)
    quiet_until: Mapped[time | None] = mapped_column(Time)
    digest_at: Mapped[time | None] = mapped_column(Time)
