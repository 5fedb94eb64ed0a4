"""Settings of the customer service."""

import re

from pydantic import Field, field_validator

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service reads, and its own. `POOL_GRPC` is needed to place new customers at once."""

    mobile_pattern: str = Field(
        default=r"^1[3-9]\d{9}$", description="regular expression of a mobile number: the carriers' ranges (A-49)"
    )
    bulk_writes: int = Field(default=2, ge=1, description="import chunks written at once by a serve process")

    @field_validator("mobile_pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from error
        return value
