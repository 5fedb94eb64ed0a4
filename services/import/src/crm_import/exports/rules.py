"""What an export job can be, and how much may be exported. Pure functions."""

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

# Rows of an .xlsx sheet, without the header.
MOST_XLSX_ROWS = 1_048_575
MOST_IDS = 10_000
MOST_FIELDS = 300
# How often a file is begun: its worker died, or customer was away for long.
MOST_TRIES = 10
# Exports of one member that wait or are written.
MOST_UNDER_WAY = 5


class ExportKind(StrEnum):
    """What the rows of a file are."""

    CUSTOMERS = "customers"
    CONTACTS = "contacts"
    ACTIVITIES = "activities"


class Format(StrEnum):
    """A workbook, or comma-separated values in UTF-8."""

    XLSX = "xlsx"
    CSV = "csv"


class Status(StrEnum):
    """Stages of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNDER_WAY = (Status.QUEUED, Status.RUNNING)


def percent(status: str, rows: int, total: int) -> int:
    """How much is done, 0 to 100; 99 at most before the end."""
    if status == Status.FINISHED:
        return 100
    return min(99, rows * 100 // total) if total else 0


def start_of_day(now: datetime, zone: str) -> datetime:
    """When the organisation's day began."""
    return datetime.combine(now.astimezone(ZoneInfo(zone)), time(), ZoneInfo(zone)).astimezone(UTC)


def seconds_to_midnight(now: datetime, zone: str) -> int:
    """How long until the organisation's day ends."""
    there = now.astimezone(ZoneInfo(zone))
    midnight = datetime.combine(there + timedelta(days=1), time(), ZoneInfo(zone))
    return max(1, int((midnight - now).total_seconds()))
