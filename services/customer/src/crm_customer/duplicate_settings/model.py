"""The organisation's settings about duplicates (decision 0032)."""

from sqlalchemy import Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.configuration import SettingsRow


class DuplicateSettings(SettingsRow):
    """The one row. `unique_fields`: of name, contact.mobile, profile.credit_code, those that no two customers may share
    (G-04); `checks_per_day`: different questions of one member.
    """

    __tablename__ = "duplicate_settings"

    unique_fields: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    checks_per_day: Mapped[int] = mapped_column(Integer, server_default="200")
