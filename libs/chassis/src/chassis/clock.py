"""The only place that asks what time it is. Stored and computed times are UTC and aware."""

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, aware, UTC."""
    return datetime.now(UTC)
