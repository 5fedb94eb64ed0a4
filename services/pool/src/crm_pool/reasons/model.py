"""Why customers are given up: the dictionary of reasons (放弃原因)."""

from uuid import UUID

from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.database import Base


class ReleaseReason(Base):
    """A reason in both languages. One that is not `active` is offered no more and still names what it was used for."""

    __tablename__ = "release_reasons"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    label_zh: Mapped[str] = mapped_column(Text)
    label_en: Mapped[str] = mapped_column(Text)
    active: Mapped[bool]
    position: Mapped[int] = mapped_column(Integer)

    def label(self, language: str) -> str:
        """What it is called in the language, zh or en."""
        return self.label_en if language == "en" else self.label_zh
