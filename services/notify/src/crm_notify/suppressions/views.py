"""Shapes of suppressions on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, PageQuery, View
from crm_notify.deliveries.rules import Channel
from crm_notify.suppressions.model import Suppression
from crm_notify.suppressions.rules import Reason


class SuppressionQuery(PageQuery):
    """Which suppressions: those whose address has `search` in it, of one reason or of all."""

    search: str = Field(default="", max_length=254)
    reason: Reason | None = None


class NewSuppression(Body):
    """An e-mail address that is to get no mailings."""

    address: str = Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", description="an e-mail address")
    note: str = Field(default="", max_length=500)


class SuppressionView(View):
    """An address, as it is compared, and why it gets nothing; `created_by` is None when no member did it."""

    id: UUID
    channel: Channel
    address: str
    reason: Reason
    note: str
    created_by: UUID | None
    created_at: datetime

    @classmethod
    def of(cls, row: Suppression) -> "SuppressionView":
        """The view of `row`."""
        return cls(
            id=row.id,
            channel=Channel(row.channel),
            address=row.address,
            reason=Reason(row.reason),
            note=row.note,
            created_by=row.created_by,
            created_at=row.created_at,
        )
