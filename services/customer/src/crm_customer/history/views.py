"""Shapes of a customer's history."""

from datetime import datetime
from typing import Any

from pydantic import Field

from chassis.http.api import View
from chassis.wording import Messages
from crm_customer.customers.views import Named


class FieldChange(View):
    """One field of one change; contact fields as contact.mobile."""

    field: str
    before: Any = None
    after: Any = None


class HistoryEntry(View):
    """One change: who, when, what."""

    action: str
    words: str = Field(default="", description="the action in the reader's language")
    at: datetime
    actor: Named | None
    changes: list[FieldChange]


class HistoryView(View):
    """Newest first, at most 200 entries."""

    items: list[HistoryEntry]

    def worded(self, messages: Messages, language: str) -> "HistoryView":
        """The same with the words of each action."""
        for item in self.items:
            item.words = messages.text((f"history.{item.action}", "history.changed"), language, {})
        return self
