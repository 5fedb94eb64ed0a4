"""Reading messages between members: each only by those it concerns."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_notify.member_messages.model import MemberMessage
from crm_notify.member_messages.views import Box, MessageQuery
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import Kind
from crm_notify.paging import PagedQuery, bounded_count, rows_of
from directory.tables import members

_ORDER = (MemberMessage.id,)


def message_of(session: Session, message_id: UUID, member_id: UUID) -> MemberMessage:
    """A message that a member wrote or got. Raises NotFound."""
    found = session.scalar(select(MemberMessage).where(MemberMessage.id == message_id, _concerns(member_id)))
    if found is None:
        raise NotFound("not_found")
    return found


def messages(session: Session, member_id: UUID, query: MessageQuery) -> tuple[Sequence[MemberMessage], int]:
    """The page of a member's messages and one row more, newest first, and the bounded count."""
    box = _received(member_id) if query.box is Box.RECEIVED else MemberMessage.sender_id == member_id
    wanted = [box]
    if query.customer_id is not None:
        wanted.append(MemberMessage.customer_id == query.customer_id)
    if query.search:
        places = (MemberMessage.text, MemberMessage.customer_name)
        wanted += [
            MemberMessage.withdrawn_at.is_(None),
            or_(*(place.icontains(query.search, autoescape=True) for place in places)),
        ]
    return _page(session, wanted, query)


def conversation(
    session: Session, message: MemberMessage, member_id: UUID, query: PagedQuery
) -> tuple[Sequence[MemberMessage], int]:
    """The same of the thread that a message is part of, as far as it concerns the member."""
    return _page(session, [MemberMessage.thread_id == message.thread_id, _concerns(member_id)], query)


def read_times(session: Session, message_ids: Collection[UUID]) -> Mapping[tuple[UUID, UUID], datetime | None]:
    """When messages were read, by message and receiver."""
    rows = session.execute(
        select(Notification.source_event_id, Notification.member_id, Notification.read_at).where(
            Notification.source_event_id.in_(message_ids), Notification.kind == Kind.MESSAGE_RECEIVED
        )
    )
    return {(row.source_event_id, row.member_id): row.read_at for row in rows}


def reachable(session: Session, member_ids: Collection[UUID]) -> set[UUID]:
    """Of `member_ids`, the people who are here."""
    here = (members.c.active, ~members.c.service_account)
    return set(session.scalars(select(members.c.id).where(members.c.id.in_(member_ids), *here)))


def _page(
    session: Session, wanted: Sequence[ColumnElement[bool]], query: PagedQuery
) -> tuple[Sequence[MemberMessage], int]:
    found = select(MemberMessage).where(*wanted)
    return rows_of(session, found, _ORDER, query), bounded_count(session, found, _ORDER)


def _concerns(member_id: UUID) -> ColumnElement[bool]:
    return or_(MemberMessage.sender_id == member_id, _received(member_id))


def _received(member_id: UUID) -> ColumnElement[bool]:
    return MemberMessage.receiver_ids.contains([member_id])
