"""Shapes of files on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, PageQuery, View
from crm_customer.customers.views import Named


class UploadQuery(Body):
    """What the file belongs to: a customer, or one of its follow-ups too."""

    customer_id: UUID
    activity_id: UUID | None = None


class FileQuery(PageQuery):
    """Whose files; those of one follow-up with `activity_id`."""

    customer_id: UUID
    activity_id: UUID | None = None


class FileView(View):
    """A file of a customer. One with `activity_id` came with a follow-up and goes with it alone (F-13)."""

    id: UUID
    customer_id: UUID
    activity_id: UUID | None
    name: str
    extension: str = Field(description="in lower case")
    content_type: str
    size: int = Field(description="bytes")
    sha256: str = Field(description="of the content, in hexadecimal")
    has_preview: bool
    created_by: Named
    created_at: datetime
    deleted_at: datetime | None


class TicketView(View):
    """Where a browser fetches the content, once, before `expires_at`. Not to be kept or logged."""

    url: str
    expires_at: datetime
