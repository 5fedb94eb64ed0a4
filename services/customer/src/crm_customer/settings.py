"""Settings of the customer service."""

import re

from pydantic import Field, field_validator

from chassis.settings import ServiceSettings
from crm_customer.files.rules import MIB, MORE_TYPES, MOST_BYTES


class Settings(ServiceSettings):
    """What every service reads, and its own. `POOL_GRPC` is needed to place new customers at once."""

    mobile_pattern: str = Field(
        default=r"^1[3-9]\d{9}$", description="regular expression of a mobile number: the carriers' ranges (A-49)"
    )
    bulk_writes: int = Field(default=2, ge=1, description="import chunks written at once by a process")
    unknown_caller_days: int = Field(
        default=180, ge=1, le=3650, description="days that calls of numbers which are no customer's are kept (C-06)"
    )
    file_bytes: int = Field(default=MOST_BYTES, ge=MIB, le=MOST_BYTES, description="largest uploaded file (F-36)")
    file_types: str = Field(
        default="",
        description=f"types of files taken beside those of F-35, of {', '.join(MORE_TYPES)}; comma separated",
    )

    @property
    def more_file_types(self) -> frozenset[str]:
        """The types in `file_types`."""
        return _listed(self.file_types)

    @field_validator("file_types")
    @classmethod
    def _are_known(cls, value: str) -> str:
        unknown = _listed(value) - {*MORE_TYPES}
        if unknown:
            raise ValueError(f"cannot check {', '.join(sorted(unknown))}; known are {', '.join(MORE_TYPES)}")
        return value

    @field_validator("mobile_pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from error
        return value


def _listed(value: str) -> frozenset[str]:
    return frozenset(filter(None, (one.strip().lower() for one in value.split(","))))
