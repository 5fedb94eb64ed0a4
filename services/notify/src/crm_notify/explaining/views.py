"""Shapes of explanations on the wire."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, NearDay, View
from crm_notify.explaining.rules import Outcome
from crm_notify.notifications.rules import Category, Kind
from crm_notify.notifications.views import NotificationView
from crm_notify.preferences.rules import Mode, Source


class ExplanationQuery(Body):
    """What is asked about: a kind, of one's own or of `member_id`, on the days from `from` to `to`, inclusive."""

    kind: Kind
    subject_id: UUID | None = Field(default=None, description="the record that a notification's `subject` names")
    member_id: UUID | None = None
    from_: NearDay | None = Field(default=None, alias="from")
    to: NearDay | None = None


class SampleBody(Body):
    """Of what to send oneself a sample, in which language; without one it is as other notifications."""

    kind: Kind
    language: Literal["zh", "en"] | None = None


class ChannelOutcome(View):
    """What became of a notification on one channel: in words, as a code, and when it was or will be."""

    channel: str
    outcome: Outcome
    at: datetime | None
    reason_code: str | None
    delivery_id: UUID | None
    text: str


class ExplainedNotification(View):
    """One notification and what became of it on each channel."""

    notification: NotificationView
    channels: list[ChannelOutcome]


class ChannelPreference(View):
    """What holds now for the member: whether, and who says so."""

    channel: str
    mode: Mode
    source: Source
    locked: bool
    text: str


class ExplainedMember(View):
    """Whom it is about."""

    id: UUID
    name: str
    active: bool
    has_address: bool


class Explanation(View):
    """Why a member was told of something, or not. `remarks` are sentences: what else can be the reason."""

    member: ExplainedMember
    kind: Kind
    label: str
    receivers: str
    notifications: list[ExplainedNotification]
    preferences: list[ChannelPreference]
    mail_configured: bool
    remarks: list[str]


class KindView(View):
    """A kind of notification: what it is called, who is told, and over which channels unless they choose otherwise."""

    kind: Kind
    label: str
    category: Category
    category_label: str
    receivers: str
    channels: dict[str, Mode]


class Kinds(View):
    """Everything that can be told."""

    items: list[KindView]
