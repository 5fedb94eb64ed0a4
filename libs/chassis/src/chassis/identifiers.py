"""Identifiers of records: UUIDv7, so that they sort by the time they were made."""

from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return uuid7()


def new_ids(count: int) -> list[str]:
    """As many fresh ones as texts, which take a sixth of the time."""
    return [str(uuid_utils.uuid7()) for _ in range(count)]
