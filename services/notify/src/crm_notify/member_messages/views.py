"""Shapes of messages between members on the wire."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, View
from crm_notify.member_messages.model import MemberMessage
from crm_notify.member_messages.rules import LONGEST_TEXT, MOST_RECEIVERS
from crm_notify.paging import PagedQuery


class Box(StrEnum):
    """Where one's messages lie: those one got, those one wrote."""

    RECEIVED = "received"
    SENT = "sent"


class NewMessage(Body):
    """A message to colleagues, about a customer if one is named (J-12)."""

    receiver_ids: list[UUID] = Field(min_length=1, max_length=MOST_RECEIVERS)
    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    customer_id: UUID | None = None


class Answer(Body):
    """An answer: to the sender, or to everybody whom the message concerns."""

    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    everybody: bool = False


class MessageQuery(PagedQuery):
    """Which of one's messages to list; `search`: in their text and the customer's name."""

    box: Box = Box.RECEIVED
    customer_id: UUID | None = None
    search: str = Field(default="", max_length=100)


class Correspondent(View):
    """Who wrote a message."""

    id: UUID
    name: str


class MessageReceiver(Correspondent):
    """Who got a message. `read_at`: when they read it, told to its sender and to themselves alone."""

    read_at: datetime | None


class MessageView(View):
    """A message. Once withdrawn, at `withdrawn_at`, it has no text. `customer_name` is that of the moment of writing, empty
    when it was not to be had.
    """

    id: UUID
    thread_id: UUID
    sender: Correspondent
    receivers: list[MessageReceiver]
    text: str
    customer_id: UUID | None
    customer_name: str
    created_at: datetime
    withdrawn_at: datetime | None

    @classmethod
    def of(
        cls,
        row: MemberMessage,
        reader_id: UUID,
        names: Mapping[UUID, str],
        read: Mapping[tuple[UUID, UUID], datetime | None],
    ) -> "MessageView":
        """The view of `row` for one it concerns; `read`: when messages were read, by message and receiver."""
        seen = {id_ for id_ in row.receiver_ids if reader_id in (id_, row.sender_id)}
        return cls(
            id=row.id,
            thread_id=row.thread_id,
            sender=Correspondent(id=row.sender_id, name=names.get(row.sender_id, "")),
            receivers=[
                MessageReceiver(
                    id=id_, name=names.get(id_, ""), read_at=read.get((row.id, id_)) if id_ in seen else None
                )
                for id_ in row.receiver_ids
            ],
            text="" if row.withdrawn_at else row.text,
            customer_id=row.customer_id,
            customer_name=row.customer_name,
            created_at=row.created_at,
            withdrawn_at=row.withdrawn_at,
        )
