"""Reminding owners, and their managers, of what expires soon: one digest a person and day (decision 0024)."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.events.outbox import record_event
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.pools.commands import settings_of
from crm_pool.recycle_rules.queries import unsettled_rules
from crm_pool.recycling.queries import day_begun
from crm_pool.reminders import queries
from crm_pool.reminders.model import ExpiryDigest
from crm_pool.reminders.queries import Expiring
from crm_pool.reminders.rules import receivers, reminded_days
from directory.scope import active_members, managers_of

_PAGE = 200
# A digest is one event, and so has room for so much; whoever has more knows by then that it is too much.
_MOST_GROUPS, _MOST_WITH_NAMES = 2000, 50
_KEPT = timedelta(days=30)


def remind(session: Session, at: datetime) -> bool:
    """Send today's digest to up to 200 members who are to have one and have none yet. Whether there were any.

    From the time of day on at which runs begin, and not while a version of a rule is taking effect: the days are new then.
    """
    today = day_begun(session, at)
    if today is None or unsettled_rules(session):
        return False
    settings = settings_of(session)
    days = reminded_days(today, settings.reminder_days)
    groups = queries.expiring_groups(session, days)
    managers = managers_of(session, {owner_id for owner_id, _ in groups})
    told = receivers(groups, managers, today, settings.manager_from_days)
    due = sorted(set(active_members(session, told)) - queries.told_on(session, today))[:_PAGE]
    if not due:
        return False
    digest = insert(ExpiryDigest).values([{"member_id": id_, "day": today} for id_ in due])
    mine = session.scalars(digest.on_conflict_do_nothing().returning(ExpiryDigest.member_id)).all()
    owners = {owner_id for id_ in mine for owner_id, _ in told[id_]}
    found = {(one.owner_id, one.expires_on): one for one in queries.expiring(session, owners, days)}
    digests = {id_: [found[group] for group in told[id_] if group in found] for id_ in mine}
    record_event(session, *(_digest(str(id_), today, expiring) for id_, expiring in digests.items() if expiring))
    return True


def forget_digests(session: Session, today: date) -> None:
    """Delete who was told of days long past."""
    session.execute(delete(ExpiryDigest).where(ExpiryDigest.day < today - _KEPT))


def _digest(member_id: str, today: date, expiring: Sequence[Expiring]) -> pb.ExpiryDigest:
    groups = [
        pb.ExpiringCustomers(
            owner_id=str(one.owner_id),
            expires_on=one.expires_on.isoformat(),
            days_left=(one.expires_on - today).days,
            customers=one.customers,
            customer_names=one.names if number < _MOST_WITH_NAMES else [],
        )
        for number, one in enumerate(expiring[:_MOST_GROUPS])
    ]
    return pb.ExpiryDigest(member_id=member_id, day=today.isoformat(), expiring=groups)
