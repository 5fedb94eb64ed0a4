"""What members do to their schedules. Each function runs in the transaction its edge has opened."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import FieldError, NotFound, invalid
from chassis.identifiers import new_id
from chassis.tickets import hash_of
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import Sight
from crm_customer.schedules.model import CalendarFeed, ScheduleEntry
from crm_customer.schedules.queries import feed_of, own_entry
from crm_customer.schedules.rules import Times, wrong_reminder, wrong_times
from crm_customer.versions import record_act, stale
from directory.tables import members

SUBJECT, FEED = "schedule_entry", "calendar_feed"
_TIMES = ("starts_at", "ends_at", "all_day")


def add_entry(
    session: Session, sight: Sight, times: Times | None, values: Mapping[str, Any], now: datetime
) -> ScheduleEntry:
    """Put something on one's own schedule (F-32). Raises NotFound for a customer one does not see, Invalid."""
    if times is None:
        raise invalid(FieldError("/starts_at", "missing"))
    _check(session, sight, values.get("customer_id"), times, values["remind_at"], now)
    member_id = sight.scope.member_id
    entry = ScheduleEntry(
        **values,
        **vars(times),
        id=new_id(),
        version=1,
        member_id=member_id,
        created_by=member_id,
        created_at=now,
        updated_at=now,
    )
    session.add(entry)
    record_act(session, SUBJECT, "added", entry, member_id, None, {**values, **vars(times)})
    return entry


def change_entry(
    session: Session,
    sight: Sight,
    entry_id: UUID,
    times: Times | None,
    values: Mapping[str, Any],
    expected: int,
    now: datetime,
) -> ScheduleEntry:
    """Change one's own entry. A reminder that was told is told again when its moment is moved ahead.

    Raises NotFound, Invalid, Stale with both values of each clashing field.
    """
    entry = own_entry(session, sight.scope.member_id, entry_id)
    wanted = {**values, **(vars(times) if times else {})}
    if entry.version != expected:
        raise stale(entry, wanted)
    changes = {name: value for name, value in wanted.items() if getattr(entry, name) != value}
    after = Times(*(changes.get(name, getattr(entry, name)) for name in _TIMES))
    _check(session, sight, changes.get("customer_id"), after, changes.get("remind_at"), now)
    before = entry.change(changes, now)
    if before:
        record_act(session, SUBJECT, "changed", entry, sight.scope.member_id, before, changes)
    return entry


def delete_entry(session: Session, member_id: UUID, entry_id: UUID, expected: int, now: datetime) -> None:
    """Take one's own entry off the schedule. Raises NotFound, Stale."""
    entry = own_entry(session, member_id, entry_id)
    if entry.version != expected:
        raise stale(entry)
    _set_deleted(session, entry, member_id, "deleted", now, now)


def restore_entry(session: Session, member_id: UUID, entry_id: UUID, now: datetime) -> ScheduleEntry:
    """Undo the deletion of one's own entry. Raises NotFound."""
    entry = own_entry(session, member_id, entry_id, deleted=True)
    _set_deleted(session, entry, member_id, "restored", None, now)
    return entry


def make_feed(session: Session, member_id: UUID, now: datetime) -> tuple[CalendarFeed, str]:
    """A new calendar feed and its ticket, 256 random bits that are not kept; the one before reads nothing any more."""
    ticket = secrets.token_urlsafe(32)
    feed = feed_of(session, member_id) or CalendarFeed(member_id=member_id)
    feed.ticket_hash, feed.created_at, feed.read_at = hash_of(ticket), now, None
    session.add(feed)
    record_audit(session, AuditEntry("calendar_feed.made", FEED, member_id, member_id))
    return feed, ticket


def revoke_feed(session: Session, member_id: UUID) -> None:
    """Nobody reads the feed any more. Raises NotFound."""
    feed = feed_of(session, member_id)
    if feed is None:
        raise NotFound("not_found")
    session.delete(feed)
    record_audit(session, AuditEntry("calendar_feed.revoked", FEED, member_id, member_id))


def redeem_feed(session: Session, ticket: str, now: datetime) -> UUID:
    """Whose calendar the ticket opens; of members who are still here. Raises NotFound."""
    owner = CalendarFeed.member_id == members.c.id
    found = (
        select(CalendarFeed).join(members, owner).where(CalendarFeed.ticket_hash == hash_of(ticket), members.c.active)
    )
    feed = session.scalar(found)
    if feed is None:
        raise NotFound("not_found")
    feed.read_at = now
    return feed.member_id


def _check(
    session: Session, sight: Sight, customer_id: UUID | None, times: Times, remind_at: datetime | None, now: datetime
) -> None:
    if customer_id is not None:
        visible_customer(session, sight, customer_id, lock=True)
    errors = [*wrong_times(times), *wrong_reminder(remind_at, times, now)]
    if errors:
        raise invalid(*errors)


def _set_deleted(
    session: Session, entry: ScheduleEntry, member_id: UUID, act: str, deleted_at: datetime | None, now: datetime
) -> None:
    entry.deleted_at = deleted_at
    entry.touch(now)
    record_act(session, SUBJECT, act, entry, member_id, None, {"subject": entry.subject})
