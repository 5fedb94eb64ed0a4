"""Reading the ledger."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnExpressionArgument, Uuid, column, func, or_, select, table
from sqlalchemy.orm import Session

from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel, Status
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import Kind
from crm_notify.paging import PagedQuery, bounded_count, rows_of

_ORDER = (Delivery.id,)
# Mailings are written above the ledger, which knows no more of them than whose they are.
_mailings = table("mailings", column("id", Uuid), column("actor_id", Uuid))
_recipients = table("mailing_recipients", column("id", Uuid), column("mailing_id", Uuid))


@dataclass(frozen=True)
class Wanted:
    """Which deliveries; None asks nothing. `own_to`: only those to this member and, of a mailing, if it is theirs.

    `since` inclusive, `until` exclusive.
    """

    own_to: UUID | None = None
    status: Status | None = None
    channel: Channel | None = None
    member_id: UUID | None = None
    kind: Kind | None = None
    notification_id: UUID | None = None
    mailing_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class About:
    """What deliveries are of: the kind of each notification, the mailing of each recipient, by their ids."""

    kinds: Mapping[UUID, str]
    mailings: Mapping[UUID, UUID]


def deliveries(session: Session, wanted: Wanted, query: PagedQuery) -> tuple[Sequence[Delivery], int]:
    """The page of the ledger and one row more, newest first, and the bounded count."""
    found = select(Delivery).where(*_matching(wanted))
    return rows_of(session, found, _ORDER, query), bounded_count(session, found, _ORDER)


def _matching(wanted: Wanted) -> list[ColumnExpressionArgument[bool]]:
    found: list[ColumnExpressionArgument[bool]] = [
        asked == value
        for asked, value in (
            (Delivery.status, wanted.status),
            (Delivery.channel, wanted.channel),
            (Delivery.member_id, wanted.member_id),
            (Delivery.notification_id, wanted.notification_id),
        )
        if value is not None
    ]
    if wanted.kind is not None:
        of_kind = Notification.id == Delivery.notification_id, Notification.kind == wanted.kind
        found.append(select(1).where(*of_kind).exists())
    if wanted.mailing_id is not None:
        of_mailing = select(_recipients.c.id).where(_recipients.c.mailing_id == wanted.mailing_id)
        found.append(Delivery.recipient_id.in_(of_mailing))
    if wanted.own_to is not None:
        found.append(_own(wanted.own_to, wanted.mailing_id))
    if wanted.since is not None:
        found.append(Delivery.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(Delivery.created_at < wanted.until)
    return found


def _own(member_id: UUID, mailing_id: UUID | None) -> ColumnExpressionArgument[bool]:
    to_them = Delivery.member_id == member_id
    if mailing_id is None:
        return to_them
    sent_by_them = select(1).where(_mailings.c.id == mailing_id, _mailings.c.actor_id == member_id)
    return or_(to_them, sent_by_them.exists())


def about(session: Session, rows: Collection[Delivery]) -> About:
    """What these deliveries are of."""
    notifications = {row.notification_id for row in rows if row.notification_id}
    recipients = {row.recipient_id for row in rows if row.recipient_id}
    kinds = select(Notification.id, Notification.kind).where(Notification.id.in_(notifications))
    mailings = select(_recipients.c.id, _recipients.c.mailing_id).where(_recipients.c.id.in_(recipients))
    return About(
        {row[0]: row[1] for row in session.execute(kinds)} if notifications else {},
        {row[0]: row[1] for row in session.execute(mailings)} if recipients else {},
    )


def unsent(session: Session) -> Mapping[Status, int]:
    """How many deliveries have each status but `sent`, which most have: they are not counted. Of those `queued` the ones
    that are due or were tried; what waits for its time is nobody's trouble.
    """
    wanted = [status for status in Status if status is not Status.SENT]
    late = or_(Delivery.status != Status.QUEUED, Delivery.next_attempt_at <= func.now(), Delivery.attempts > 0)
    rows = session.execute(
        select(Delivery.status, func.count()).where(Delivery.status.in_(wanted), late).group_by(Delivery.status)
    )
    counted = {row[0]: row[1] for row in rows}
    return {status: counted.get(status, 0) for status in wanted}
