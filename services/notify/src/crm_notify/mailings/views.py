"""Shapes of mailings on the wire."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from batch.selection import CustomerFilter
from chassis.http.api import Body, PageQuery, View
from crm_notify.deliveries.rules import Channel
from crm_notify.deliveries.rules import Status as DeliveryStatus
from crm_notify.mailings.rules import MOST_ATTACHMENTS, Scope, Status
from crm_notify.message_templates.rules import MailingChannel
from crm_notify.message_templates.views import FilledView, Subject, Text

_MOST_IDS = 1000


class Customers(Body):
    """Which customers: `all` that match a filter, or by id those of the `page` or the `selected` ones (J-02 to J-05)."""

    scope: Scope
    ids: Annotated[list[UUID], Field(max_length=_MOST_IDS)] = []
    filter: CustomerFilter | None = None

    @model_validator(mode="after")
    def _either_or(self) -> Self:
        if (self.scope is Scope.ALL) != (self.filter is not None) or (self.scope is Scope.ALL) == bool(self.ids):
            raise PydanticCustomError("ids_or_filter", "filter for all, else ids")
        return self


class MailingText(Body):
    """What is sent and to whom. The text is given, or that of a template."""

    channel: MailingChannel
    subject: Subject = ""
    body: Text = ""
    template_id: UUID | None = None
    selection: Customers

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if self.template_id is not None and (self.subject or self.body):
            raise PydanticCustomError("text_or_template", "either a text or a template")
        return self


class NewMailing(MailingText):
    """A mailing to be sent. Attachments were uploaded before and go with e-mails alone."""

    attachment_ids: Annotated[list[UUID], Field(max_length=MOST_ATTACHMENTS)] = []


class Availability(View):
    """Whether mailings of a channel can be sent; `reason` says in words why not."""

    channel: Channel
    available: bool
    code: str | None
    reason: str | None


class Channels(View):
    """What can be sent here (J-01)."""

    items: list[Availability]


class SkippedView(View):
    """How many recipients get nothing for one reason."""

    code: str
    reason: str
    count: int


class ExampleView(FilledView):
    """What one recipient would get."""

    customer_id: UUID
    customer_name: str
    contact_name: str
    address: str


class PreviewView(View):
    """The first recipients' texts. `total`: customers that match, about; `recipients` and `skipped` count the first
    `looked_at` of them; `left_out`: ids that do not exist or are out of sight.
    """

    total: int
    looked_at: int
    recipients: int
    left_out: int
    skipped: list[SkippedView]
    examples: list[ExampleView]


class MemberView(View):
    """A member by name."""

    id: UUID
    name: str


class Progress(View):
    """How far a mailing has come: customers found, and what became of each."""

    total: int
    collected: int
    queued: int
    sending: int
    sent: int
    uncertain: int
    bounced: int
    failed: int
    suppressed: int
    skipped: list[SkippedView]


class AttachmentView(View):
    """A file that goes with a mailing."""

    id: UUID
    file_name: str
    bytes: int


class MailingView(View):
    """A mailing as it was written. `scope`: `{scope, ids}` or `{scope, filter}` as asked for; `error` says why it failed."""

    id: UUID
    channel: Channel
    sender: MemberView
    subject: str
    body: str
    template_id: UUID | None
    scope: dict[str, Any]
    status: Status
    error_code: str | None
    error: str | None
    attachments: list[AttachmentView]
    progress: Progress
    created_at: datetime
    finished_at: datetime | None


class MailingRow(View):
    """A mailing in the list."""

    id: UUID
    channel: Channel
    sender: MemberView
    subject: str
    status: Status
    total: int
    created_at: datetime
    finished_at: datetime | None


class MailingQuery(PageQuery):
    """Which mailings."""

    channel: MailingChannel | None = None
    status: Status | None = None


class RecipientQuery(PageQuery):
    """Which recipients: those whose delivery has one status, or `skipped` ones; else all."""

    status: DeliveryStatus | None = None
    skipped: bool | None = None


class RecipientView(View):
    """One customer of a mailing. `status` is that of its delivery, null when it was skipped; `reason` says why in words.

    Others than the sender see the address masked.
    """

    id: UUID
    customer_id: UUID
    customer_name: str
    contact_name: str
    address: str
    status: DeliveryStatus | None
    code: str | None
    reason: str | None
    delivery_id: UUID | None
    sent_at: datetime | None
