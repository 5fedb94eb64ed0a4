"""Shapes of a customer's history."""

from datetime import datetime
from typing import Any

from chassis.http.api import View
from crm_customer.customers.views import Named


class FieldChange(View):
    """One field of one change; contact fields as contact.mobile."""

    field: str
    before: Any = None
    after: Any = None


class HistoryEntry(View):
    """One change: who, when, what."""

    action: str
    at: datetime
    actor: Named | None
    changes: list[FieldChange]


class HistoryView(View):
    """Newest first, at most 200 entries."""

    items: list[HistoryEntry]
