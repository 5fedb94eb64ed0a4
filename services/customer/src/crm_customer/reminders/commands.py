"""One digest a person and day of what is due (decision 0026)."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.reminders.model import WorkDigest
from crm_customer.reminders.queries import WORK, ahead_of, due, members_without_digest, today_of
from crm_customer.reminders.rules import DueKind, Group

# After the organisation's midnight, when runs of the recycler begin.
_AFTER_MIDNIGHT = timedelta(minutes=30)
_PAGE, _MOST_ITEMS = 200, 10
_KEPT = timedelta(days=30)


def send_digests(session: Session, now: datetime) -> bool:
    """Tell up to 200 members who have not been told today. Whether there may be more of them.

    Who has nothing due is not told, and not looked at again on that day. Two at once: each member is one's alone.
    """
    day, zone = today_of(session, now)
    if now < day.begins + _AFTER_MIDNIGHT:
        return False
    waiting = members_without_digest(session, day, _PAGE)
    if not waiting:
        return False
    rows = [{"kind": WORK, "member_id": id_, "day": day.today} for id_ in waiting]
    marked = insert(WorkDigest).values(rows).on_conflict_do_nothing().returning(WorkDigest.member_id)
    mine = sorted(session.scalars(marked))
    ahead = ahead_of(session)
    found = {kind: due(session, kind, mine, day, zone, ahead, _MOST_ITEMS) for kind in DueKind} if mine else {}
    digests = {id_: [groups[id_] for groups in found.values() if id_ in groups] for id_ in mine}
    record_event(session, *(_digest(id_, day.today, groups) for id_, groups in digests.items() if groups))
    return True


def forget_digests(session: Session, today: date) -> None:
    """Delete who was told of days long past."""
    session.execute(delete(WorkDigest).where(WorkDigest.day < today - _KEPT))


def _digest(member_id: UUID, today: date, groups: Sequence[Group]) -> Any:
    return pb.WorkDigest(member_id=str(member_id), day=today.isoformat(), groups=[_group(one, today) for one in groups])


def _group(group: Group, today: date) -> pb.DueGroup:
    items = [
        pb.DueItem(
            subject_type=item.subject_type,
            subject_id=str(item.subject_id),
            customer_id=str(item.customer_id or ""),
            customer_name=item.customer_name,
            title=item.title,
            due_on=item.due_on.isoformat(),
            days_left=item.days_left(today),
        )
        for item in group.items
    ]
    return pb.DueGroup(kind=pb.DueKind.Value(f"DUE_KIND_{group.kind.name}"), count=group.count, items=items)
