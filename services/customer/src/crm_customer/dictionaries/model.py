"""Options of drop-downs and radio buttons (X-21): seeded by the migration, kept as rows so that they can grow."""

from sqlalchemy import BigInteger, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class DictionaryOption(Base):
    """One option. `dictionary` is the customer field it belongs to; `key` is stored with the customer.

    `at_least`: for options that are ranges, their lower bound, inclusive (X-20), in CNY or people.
    """

    __tablename__ = "dictionary_options"

    dictionary: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    label_zh: Mapped[str] = mapped_column(Text)
    label_en: Mapped[str] = mapped_column(Text)
    at_least: Mapped[int | None] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(SmallInteger)
