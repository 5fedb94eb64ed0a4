"""Shapes of reminders on the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, View
from crm_customer.reminders.rules import DueKind


class ReminderItem(View):
    """One thing that is due: an activity, a task, an entry of a schedule, an opportunity, a customer, a receivable or a contact."""

    subject_type: str
    subject_id: UUID
    customer_id: UUID | None
    customer_name: str
    title: str
    due_on: date
    days_left: int = Field(description="negative once it is over")


class ReminderCount(View):
    """How many of a kind are due."""

    kind: DueKind
    count: int


class RemindersView(View):
    """工作提醒 (K-01): what is due for the caller today, by kind."""

    day: date = Field(description="today, in the organisation's zone")
    kinds: list[ReminderCount]


class ReminderSettingsView(View):
    """From when on something is due, all in days."""

    version: int
    not_contacted_days: int
    no_progress_days: int
    birthday_days: int
    receivable_days: int
    updated_at: datetime


class ReminderSettingsChanges(Body):
    """What is sent is changed."""

    not_contacted_days: int = Field(default=7, ge=1, le=365, description="an owned customer without contact (K-05)")
    no_progress_days: int = Field(default=14, ge=1, le=365, description="an open opportunity without progress")
    birthday_days: int = Field(default=7, ge=0, le=60, description="how far ahead birthdays are told (K-11)")
    receivable_days: int = Field(default=7, ge=0, le=365, description="how far ahead what is to be paid is told (K-06)")
