"""Calls that the switchboard's hotlines took (来电总机, C-06, decision 0038)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class Caller(Base):
    """Whoever called from one number. `number`: as dialled in China, empty for all that withheld theirs; `spellings`: the
    digits of a contact's telephone that mean it. Whose number it is, is looked up whenever it is asked.
    """

    __tablename__ = "callers"
    __table_args__ = (Index("ix_callers_last_called_at_id", "last_called_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    # Compared byte by byte, as the numbers of contacts are: else its index would not serve them.
    number: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    spellings: Mapped[list[str]] = mapped_column(ARRAY(Text))
    last_called_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))


class IncomingCall(Base):
    """One call, as the telephone system reported it. `call_id` is its own, `seconds` how long it lasted."""

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_caller_id_called_at_id", "caller_id", "called_at", "id"),
        Index("ix_calls_called_at", "called_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(Text, unique=True)
    caller_id: Mapped[UUID] = mapped_column(ForeignKey("callers.id"))
    hotline: Mapped[str] = mapped_column(Text)
    called_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    answered: Mapped[bool]
    seconds: Mapped[int] = mapped_column(Integer)
    extension: Mapped[str | None] = mapped_column(Text)
    reported_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))


class SwitchboardSecret(Base):
    """What the telephone system shows when it reports a call; one row at most, and only the secret's hash is kept."""

    __tablename__ = "switchboard_secrets"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
