"""Options of drop-downs and radio buttons (X-21): seeded by the migration, kept as rows so that they can grow."""

from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import BigInteger, SmallInteger, Text, false, text, true
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class DictionaryOption(Base):
    """One option. `dictionary` is the customer field it belongs to; `key` is stored with the customer.

    `at_least`: for options that are ranges, their lower bound, inclusive (X-20), in CNY or people. `built_in`: shipped,
    and kept; `active`: offered to whoever chooses, else only shown where it was chosen before.
    """

    __tablename__ = "dictionary_options"

    dictionary: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    label_zh: Mapped[str] = mapped_column(Text)
    label_en: Mapped[str] = mapped_column(Text)
    at_least: Mapped[int | None] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(SmallInteger)
    built_in: Mapped[bool] = mapped_column(server_default=false())
    active: Mapped[bool] = mapped_column(server_default=true())
    version: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))

    @property
    def subject_id(self) -> UUID:
        """By which the audit knows it: an option has no id of its own."""
        return uuid5(NAMESPACE_OID, f"crm/dictionaries/{self.dictionary}/{self.key}")

    def state(self) -> dict[str, Any]:
        """What an administrator decides."""
        return {name: getattr(self, name) for name in ("label_zh", "label_en", "position", "active", "at_least")}
