"""Shapes of the settings about duplicates on the wire."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from chassis.http.api import Body, View
from crm_customer.duplicate_settings.rules import UNIQUE_FIELDS


class DuplicateSettingsView(View):
    """What is unique, and how much members may ask."""

    version: int
    unique_fields: list[str] = Field(description="no two customers may share these (409 not_unique)")
    checks_per_day: int = Field(description="different questions of one member on one of the organisation's days")
    updated_at: datetime


_Unique = Literal["name", "contact.mobile", "profile.credit_code"]


def _in_order(fields: list[str]) -> list[str]:
    return [name for name in UNIQUE_FIELDS if name in fields]


class DuplicateSettingsChanges(Body):
    """What is sent is changed. Customers that already share a value keep it."""

    unique_fields: Annotated[list[_Unique], AfterValidator(_in_order)] = Field(default=[], max_length=20)
    checks_per_day: int = Field(default=200, ge=1, le=100_000)
