"""Shapes of message templates and previews."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from chassis.http.api import Body, PageQuery, View
from crm_notify.deliveries.rules import Channel
from crm_notify.message_templates.rules import MOST_BODY, MOST_SUBJECT, MailingChannel
from crm_notify.sms.rules import segments

Subject = Annotated[str, Field(max_length=MOST_SUBJECT, description="with variables; empty for SMS")]
Text = Annotated[
    str,
    Field(
        max_length=MOST_BODY,
        description="HTML of an e-mail, which is cleaned, or the text of an SMS; variables: {{customer_name}}, "
        "{{contact_name}}, {{owner_name}}, {{sender_name}}, {{company}}, {{today}}, each also as {{contact_name|您}}",
    ),
]
_Name = Annotated[str, Field(min_length=1, max_length=50, description="unique among the templates")]


class TemplateQuery(PageQuery):
    """Which templates: of one channel or of both; the kept ones, or the deleted ones."""

    channel: MailingChannel | None = None
    deleted: bool = False


class NewTemplate(Body):
    """A template for e-mails or SMS."""

    channel: MailingChannel
    name: _Name
    subject: Subject = ""
    body: Text


class TemplateChanges(Body):
    """What is to change."""

    name: _Name | None = None
    subject: Subject | None = None
    body: Text | None = None


class TemplateRow(View):
    """A template in the list, without its body."""

    id: UUID
    version: int
    channel: Channel
    name: str
    subject: str
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class TemplateView(TemplateRow):
    """A template as it is kept, its HTML cleaned."""

    body: str


class TextToPreview(Body):
    """A text that is not kept, and whose values to put in: of a customer that one sees, else samples."""

    channel: MailingChannel
    subject: Subject = ""
    body: Text
    customer_id: UUID | None = None


class FilledView(View):
    """A text as one receiver gets it. `html` is cleaned and empty for SMS; `text` is the text part, or the SMS, and
    `segments` as how many it is paid for; null for e-mails.
    """

    subject: str
    html: str
    text: str
    segments: int | None = None

    @model_validator(mode="after")
    def _count(self) -> Self:
        self.segments = None if self.html else segments(self.text)
        return self
